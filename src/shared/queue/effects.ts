import { sql } from "kysely";
import { asClockwork, type Database, type Trx } from "../db/database.ts";
import { type Role, VendorError } from "../vendors/contract.ts";
import type { Deps } from "./deps.ts";
import { Permanent, Wait } from "./reasons.ts";

/**
 * A log-in and a send take at most 15 s each. `fence` renews the lease before the send, so `find` and `guard` may use up
 * the first 60 s.
 */
export const EFFECT_LEASE_SECONDS = 60;
const leaseEnd = () => sql<Date>`clockwork.now() + ${`${EFFECT_LEASE_SECONDS} seconds`}::interval`;

/** The business key of an effect in `clockwork.effects`. */
interface EffectKey {
  vendor: Role;
  /** In words, e.g. `create order`. */
  operation: string;
  /** Never a task's id: a resent task must find the same row. */
  key: string;
}

/** One act outside with a lasting result, done once. */
export type Effect = EffectKey & (Searched | Repeated) & {
  /** The last check before the send; it throws to prevent the send. */
  guard?: () => Promise<void>;
  /**
   * Does it. Returns the vendor's id of the result, if there is one. `refusals` counts the vendor's refusals so far.
   * A vendor that repeats its replies by idempotency key needs a new key after a refusal, and the same key until then.
   */
  send: (refusals: number) => Promise<string | null>;
};

/** A send without a reply is searched for at the vendor. */
interface Searched {
  /** Searches by our reference for the result. Returns the vendor's id, or null. */
  find: () => Promise<string | null>;
  /** The seconds after a send in which the search may miss its result. */
  visibleAfterSeconds: number;
}

/** A send without a reply is sent again, to a vendor that ignores a repeat by key. */
interface Repeated {
  find?: never;
  /** How long the vendor remembers the key. Default: not at all, so that a person must ask the vendor. */
  idempotentForSeconds?: number;
}

interface Claim {
  id: number;
  attempt: number;
  refusals: number;
  /** The time of an earlier send without a reply; null where none was, or it surely did nothing. */
  unansweredSince: Date | null;
}

/**
 * Does `effect` unless the ledger says that it was done, and returns the vendor's id of it.
 *
 * Claim, find, send and confirm are statements of their own, so that the row is true wherever a drain dies. An INTENT
 * without a reply is searched for before it is sent again, once it had time to become visible. CONFIRMED is never sent
 * again.
 *
 * Throws Wait while another run has the claim, or the result is not yet visible. Throws Permanent OUTCOME_UNKNOWN where the
 * vendor cannot be asked. Throws the errors of `guard`, and the VendorError of a failed call.
 */
export async function once(deps: Deps, taskId: number, effect: Effect): Promise<string | null> {
  const claim = await claimEffect(deps, taskId, effect);
  if ("confirmed" in claim) return claim.confirmed;
  await deps.faultPoint?.("effect claimed");
  let { unansweredSince } = claim;
  try {
    if (unansweredSince) {
      const found = await findUnanswered(deps, effect, unansweredSince);
      if (found !== null) return await confirm(deps, claim, found);
      // It had time to become visible and is not there: it was not done.
      if (effect.find) unansweredSince = null;
    }
    await deps.faultPoint?.("effect looked up");
    await effect.guard?.();
  } catch (error) {
    // This run sent nothing, so the row says the same as before.
    await release(deps, claim, unansweredSince && !isOutcomeUnknown(error) ? "INTENT" : "REFUSED");
    throw error;
  }
  await fence(deps, claim, effect);
  let reference: string | null;
  try {
    reference = await effect.send(claim.refusals);
  } catch (error) {
    const failure = error instanceof VendorError ? error.failure : "unanswered";
    if (failure === "unanswered") unansweredSince ??= deps.clock();
    await release(deps, claim, unansweredSince ? "INTENT" : "REFUSED", failure === "refused" ? 1 : 0);
    throw error;
  }
  await deps.faultPoint?.("effect sent");
  return await confirm(deps, claim, reference);
}

async function claimEffect(
  deps: Deps,
  taskId: number,
  { vendor, operation, key }: EffectKey,
): Promise<Claim | { confirmed: string | null }> {
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
      .select(["id", "state", "reference", "sent_at", "leased_until"])
      .where("vendor", "=", vendor)
      .where("operation", "=", operation)
      .where("key", "=", key)
      .forUpdate()
      .executeTakeFirstOrThrow();
    if (row.state === "CONFIRMED") return { confirmed: row.reference };
    if (row.leased_until && row.leased_until > deps.clock()) {
      throw new Wait(row.leased_until, "EFFECT_HELD", { operation });
    }
    const claimed = await trx
      .updateTable("clockwork.effects")
      .set((eb) => ({
        state: "INTENT",
        settled_at: null,
        attempt: eb("attempt", "+", 1),
        task_id: taskId,
        leased_until: leaseEnd(),
      }))
      .where("id", "=", row.id)
      .returning(["id", "attempt", "refusals"])
      .executeTakeFirstOrThrow();
    return { ...claimed, unansweredSince: row.state === "INTENT" ? row.sent_at : null };
  });
}

/** The vendor's id of an effect that was sent without a reply; null when it was not done, or a repeat does no harm. */
async function findUnanswered(deps: Deps, effect: Effect, sentAt: Date): Promise<string | null> {
  const { vendor, operation } = effect;
  if (effect.find) {
    const visibleAt = new Date(sentAt.getTime() + effect.visibleAfterSeconds * 1000);
    if (deps.clock() < visibleAt) throw new Wait(visibleAt, "EFFECT_SETTLING", { vendor, operation });
    return await effect.find();
  }
  // A person is asked. Their resend means "it was not done", which is why the row becomes REFUSED.
  const forgottenAt = sentAt.getTime() + (effect.idempotentForSeconds ?? 0) * 1000;
  if (deps.clock().getTime() >= forgottenAt) throw new Permanent("OUTCOME_UNKNOWN", { vendor, operation });
  return null;
}

function isOutcomeUnknown(error: unknown): boolean {
  return error instanceof Permanent && error.reason.code === "OUTCOME_UNKNOWN";
}

/** The last statement before the send: a run that slept past its lease finds here that it lost its claim. */
async function fence(deps: Deps, claim: Claim, { operation }: EffectKey): Promise<void> {
  const renewed = await deps.db
    .updateTable("clockwork.effects")
    .set({ sent_at: sql`clockwork.now()`, leased_until: leaseEnd() })
    .where("id", "=", claim.id)
    .where("attempt", "=", claim.attempt)
    .where("state", "=", "INTENT")
    .where("leased_until", ">", sql<Date>`clockwork.now()`)
    .returning("id")
    .executeTakeFirst();
  if (!renewed) throw new Wait(deps.clock(), "EFFECT_HELD", { operation });
  await deps.faultPoint?.("effect fenced");
}

/** Ends the lease of this run's own claim: a later run may have taken over. */
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

const confirmation = (db: Database | Trx, reference: string | null) =>
  db
    .updateTable("clockwork.effects")
    .set({ state: "CONFIRMED", reference, leased_until: null, settled_at: sql`clockwork.now()` })
    .where("state", "<>", "CONFIRMED");

/**
 * The first confirmation stands. A run that comes later (a zombie whose lease was over) gets the reference that
 * stands. Its own result is then a duplicate, which the vendor's own events bring to light.
 */
async function confirm(deps: Deps, claim: Claim, reference: string | null): Promise<string | null> {
  const confirmed = await confirmation(deps.db, reference).where("id", "=", claim.id).executeTakeFirst();
  if (confirmed.numUpdatedRows > 0) {
    await deps.faultPoint?.("effect confirmed");
    return reference;
  }
  const first = await deps.db
    .selectFrom("clockwork.effects")
    .select("reference")
    .where("id", "=", claim.id)
    .executeTakeFirstOrThrow();
  if (first.reference !== reference) {
    deps.log("effect_made_twice", { effect: claim.id, standing: first.reference, second: reference });
  }
  return first.reference;
}

/**
 * Confirms an effect because the vendor's own message showed its result. A run that is sending it right now then makes a
 * duplicate.
 */
export async function confirmEffect(
  trx: Trx,
  { vendor, operation, key }: EffectKey,
  reference: string,
): Promise<void> {
  await confirmation(trx, reference).where("vendor", "=", vendor).where("operation", "=", operation)
    .where("key", "=", key).execute();
}
