import { sql } from "kysely";
import { asClockwork, type Trx } from "../db/database.ts";
import type { Role } from "../vendors/contract.ts";
import { VendorError } from "../vendors/contract.ts";
import type { Deps } from "./deps.ts";
import { Permanent, Wait } from "./reasons.ts";

/** Longer than a log-in and a send, 15 s each at most. The fence renews it, so looking and checking may take as long. */
export const EFFECT_LEASE_SECONDS = 60;
const leaseEnd = () => sql<Date>`clockwork.now() + ${`${EFFECT_LEASE_SECONDS} seconds`}::interval`;

/** One thing done outside, once. Identified by vendor, operation and a business key. */
export interface Effect {
  vendor: Role;
  /** In words, e.g. `create order`. */
  operation: string;
  /** What it is in our business, never a task's id: a resent task must find the same row. */
  key: string;
  /** How long after a send without an answer the vendor's list can be trusted to show it. */
  settleSeconds: number;
  /** Looks for what an unanswered send may have made, by our reference. Gives the vendor's id, or null. */
  find?: () => Promise<string | null>;
  /** For a vendor that ignores a repeat by key: how long it remembers. Stands in for `find`. */
  idempotentForSeconds?: number;
  /** The last look before sending; throws to call it off. */
  guard?: () => Promise<void>;
  /**
   * Does it. Gives the vendor's id of what was made, if there is one. `refusals`: how often the vendor said no before.
   * A vendor that repeats its answers by idempotency key must get another key after a no, and the same one until then.
   */
  send: (refusals: number) => Promise<string | null>;
}

interface Claim {
  id: number;
  attempt: number;
  refusals: number;
  /** When it was sent before without an answer; null when it surely was not. */
  unansweredSince: Date | null;
}

/**
 * Does `effect` unless the ledger says it was done, and returns the vendor's id of it.
 *
 * Claim, look, send, confirm: each its own statement, so that a drain that dies anywhere leaves a row that
 * says what may have happened. An INTENT without an answer is looked up before it is sent again, and not
 * before it had time to show. CONFIRMED is never sent again.
 *
 * Throws Wait (another run holds it, or it must settle first), Permanent OUTCOME_UNKNOWN (nobody can be asked),
 * whatever `guard` throws, and the VendorError of a call that failed.
 */
export async function once(deps: Deps, taskId: number, effect: Effect): Promise<string | null> {
  const claim = await claimEffect(deps, taskId, effect);
  if ("confirmed" in claim) return claim.confirmed;
  await deps.faultPoint?.("effect claimed");
  let { unansweredSince } = claim;
  try {
    if (unansweredSince) {
      const found = await lookUp(deps, effect, unansweredSince);
      if (found.done) return await confirm(deps, claim, found.reference);
      // Looked for after it had time to show, and not there: what is known now is that it was not done.
      if (effect.find) unansweredSince = null;
    }
    await deps.faultPoint?.("effect looked up");
    await effect.guard?.();
  } catch (error) {
    // Nothing was sent in this run: what is known about it is what was known before.
    await release(deps, claim, unansweredSince && !isOutcomeUnknown(error) ? "INTENT" : "REFUSED");
    throw error;
  }
  await fence(deps, claim, effect);
  let reference: string | null;
  try {
    reference = await effect.send(claim.refusals);
  } catch (error) {
    const surelyNotDone = error instanceof VendorError && error.failure !== "unanswered";
    const saidNo = error instanceof VendorError && error.failure === "refused";
    unansweredSince ??= surelyNotDone ? null : deps.clock();
    await release(deps, claim, unansweredSince ? "INTENT" : "REFUSED", saidNo ? 1 : 0);
    throw error;
  }
  await deps.faultPoint?.("effect sent");
  return await confirm(deps, claim, reference);
}

async function claimEffect(
  deps: Deps,
  taskId: number,
  effect: Effect,
): Promise<Claim | { confirmed: string | null }> {
  const { vendor, operation, key } = effect;
  const first = await deps.db
    .insertInto("clockwork.effects")
    .values({ vendor, operation, key, task_id: taskId, leased_until: leaseEnd() })
    .onConflict((conflict) => conflict.constraint("effects_business_key_is_unique").doNothing())
    .returning(["id", "attempt", "refusals"])
    .executeTakeFirst();
  if (first) return { ...first, unansweredSince: null };
  return await asClockwork(deps.db, "effects", async (trx) => {
    const row = await trx
      .selectFrom("clockwork.effects")
      .select(["id", "state", "reference", "attempt", "sent_at", "leased_until"])
      .where("vendor", "=", vendor)
      .where("operation", "=", operation)
      .where("key", "=", key)
      .forUpdate()
      .executeTakeFirstOrThrow();
    if (row.state === "CONFIRMED") return { confirmed: row.reference };
    if (row.leased_until && row.leased_until > deps.clock()) {
      throw new Wait(row.leased_until, "EFFECT_HELD", { operation });
    }
    const { attempt, refusals } = await trx
      .updateTable("clockwork.effects")
      .set((eb) => ({
        state: "INTENT",
        settled_at: null,
        attempt: eb("attempt", "+", 1),
        task_id: taskId,
        leased_until: leaseEnd(),
      }))
      .where("id", "=", row.id)
      .returning(["attempt", "refusals"])
      .executeTakeFirstOrThrow();
    return { id: row.id, attempt, refusals, unansweredSince: row.state === "INTENT" ? row.sent_at : null };
  });
}

async function lookUp(
  deps: Deps,
  effect: Effect,
  sentAt: Date,
): Promise<{ done: true; reference: string | null } | { done: false }> {
  const { vendor, operation } = effect;
  if (effect.find) {
    const settled = new Date(sentAt.getTime() + effect.settleSeconds * 1000);
    if (deps.clock() < settled) throw new Wait(settled, "EFFECT_SETTLING", { vendor, operation });
    const reference = await effect.find();
    return reference === null ? { done: false } : { done: true, reference };
  }
  const forgottenAt = sentAt.getTime() + (effect.idempotentForSeconds ?? 0) * 1000;
  // A person is asked; their resend is the answer "it was not done", which is why the row becomes REFUSED.
  if (deps.clock().getTime() >= forgottenAt) throw new Permanent("OUTCOME_UNKNOWN", { vendor, operation });
  return { done: false };
}

function isOutcomeUnknown(error: unknown): boolean {
  return error instanceof Permanent && error.reason.code === "OUTCOME_UNKNOWN";
}

/** The last statement before the send: a run that slept past its lease finds out here that it lost its claim. */
async function fence(deps: Deps, claim: Claim, effect: Effect): Promise<void> {
  const held = await deps.db
    .updateTable("clockwork.effects")
    .set({ sent_at: sql`clockwork.now()`, leased_until: leaseEnd() })
    .where("id", "=", claim.id)
    .where("attempt", "=", claim.attempt)
    .where("state", "=", "INTENT")
    .where("leased_until", ">", sql<Date>`clockwork.now()`)
    .returning("id")
    .executeTakeFirst();
  if (!held) throw new Wait(deps.clock(), "EFFECT_HELD", { operation: effect.operation });
  await deps.faultPoint?.("effect fenced");
}

/** Ends the lease. Touches only this run's own claim: a later one may have taken over. */
async function release(
  deps: Deps,
  claim: Claim,
  state: "INTENT" | "REFUSED",
  refusals = 0,
): Promise<void> {
  await deps.db
    .updateTable("clockwork.effects")
    .set({
      state,
      leased_until: null,
      settled_at: state === "REFUSED" ? sql`clockwork.now()` : null,
      refusals: sql`refusals + ${refusals}`,
    })
    .where("id", "=", claim.id)
    .where("attempt", "=", claim.attempt)
    .where("state", "=", "INTENT")
    .execute();
}

/**
 * The first confirmation stands. A run that comes later (a zombie whose lease was over) gets the reference that
 * stands; what it made itself is then a duplicate, which the vendor's own events bring to light.
 */
async function confirm(deps: Deps, claim: Claim, reference: string | null): Promise<string | null> {
  const confirmed = await deps.db
    .updateTable("clockwork.effects")
    .set({ state: "CONFIRMED", reference, leased_until: null, settled_at: sql`clockwork.now()` })
    .where("id", "=", claim.id)
    .where("state", "<>", "CONFIRMED")
    .returning("reference")
    .executeTakeFirst();
  if (confirmed) {
    await deps.faultPoint?.("effect confirmed");
    return confirmed.reference;
  }
  const standing = await deps.db
    .selectFrom("clockwork.effects")
    .select("reference")
    .where("id", "=", claim.id)
    .executeTakeFirstOrThrow();
  if (standing.reference !== reference) {
    deps.log("effect_made_twice", { effect: claim.id, standing: standing.reference, second: reference });
  }
  return standing.reference;
}

/**
 * The vendor's own message showed that the thing was done: the ledger learns it from there. What a run that is
 * sending it right now makes besides is then the duplicate.
 */
export async function confirmAsSeen(
  trx: Trx,
  effect: Pick<Effect, "vendor" | "operation" | "key">,
  reference: string,
): Promise<void> {
  await trx
    .updateTable("clockwork.effects")
    .set({ state: "CONFIRMED", reference, leased_until: null, settled_at: sql`clockwork.now()` })
    .where("vendor", "=", effect.vendor)
    .where("operation", "=", effect.operation)
    .where("key", "=", effect.key)
    .where("state", "<>", "CONFIRMED")
    .execute();
}
