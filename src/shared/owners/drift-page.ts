import type { Database, Trx } from "../db/database.ts";
import { countPage, startRun } from "../checks/runs.ts";
import { UNDER_WAY } from "../queue/find.ts";
import { openTasks } from "../queue/open.ts";
import { type FollowUp, reason } from "../queue/reasons.ts";
import { MIRRORED_FACTS } from "../queue/step-data.ts";
import type { Outcome, StepContext } from "../queue/step.ts";
import { wakeTasks } from "../queue/wake.ts";
import type { StripeCustomer } from "../vendors/stripe/client.ts";
import type { ContactReading } from "./contact.ts";
import { differs, markRepaired, openDriftOf } from "./drift.ts";
import { comparedIn, type Difference, differencesOf } from "./mirrors.ts";
import type { MirroredFact } from "./owners.ts";
import type { Plan } from "./plan.ts";

/** Who is gone through at a time, and asked about at the CRM in one call. */
export const CUSTOMERS_AT_ONCE = 100;

/** Whose mirrors a pass of the check compares, by the vendor whose list it goes through. */
export const PASSES = {
  stripe: ["stripe", "crm", "registry"],
  login: ["login"],
} as const satisfies Record<string, readonly Difference["system"][]>;
export type Pass = keyof typeof PASSES;

/** The step of a pass. */
export type DriftStep = "drift.customers" | "drift.logins";

/** By which key the registry knows whom a pass lists. */
export const KEY_OF = { stripe: "stripe_customer_id", login: "login_user_id" } as const satisfies Record<
  Pass,
  keyof RegistryRow
>;

export interface RegistryRow {
  id: number;
  email: string | null;
  stripe_customer_id: string | null;
  crm_person_id: string | null;
  login_user_id: string | null;
}
export const REGISTRY_COLUMNS = [
  "id",
  "email",
  "stripe_customer_id",
  "crm_person_id",
  "login_user_id",
] as const;

/** A customer whom the pass met, with what the list showed of them. */
export interface Met {
  row: RegistryRow;
  plan: Plan | null;
  stripe: Pick<StripeCustomer, "email" | "phone"> | null;
  login: ContactReading["login"];
}

interface Suspect {
  customerId: number;
  fact: MirroredFact;
}

/** What a page came to. Nothing is written yet. */
export interface PageLook {
  seen: number;
  unlinked: number;
  suspects: Suspect[];
  /** `tracker.drift` rows whose mirror is right again. */
  repaired: number[];
}

/** Compares everybody on a page with the owners, in one call to the CRM. */
export async function comparePage(ctx: StepContext, pass: Pass, met: readonly Met[]): Promise<PageLook> {
  const people = met.flatMap(({ row }) => row.crm_person_id ?? []);
  const profiles = people.length === 0 ? new Map() : await ctx.vendors.crm.readProfiles(people);
  const open = Map.groupBy(
    await openDriftOf(ctx.deps.db, met.map(({ row }) => row.id)),
    (drift) => drift.customer_id,
  );
  const look: PageLook = { seen: 0, unlinked: 0, suspects: [], repaired: [] };
  const systems: readonly string[] = PASSES[pass];
  for (const { row, plan, stripe, login } of met) {
    const crm = row.crm_person_id === null ? undefined : profiles.get(row.crm_person_id);
    if (crm === undefined) {
      look.unlinked += 1;
      // Whom the CRM does not know any more is asked about; who never had a key there is asked for when it is needed.
      if (row.crm_person_id !== null) look.suspects.push({ customerId: row.id, fact: "contact" });
      continue;
    }
    const reading = { crm, plan, stripe, login, registryEmail: row.email, now: ctx.now() };
    look.seen += comparedIn(reading, systems);
    const differences = MIRRORED_FACTS.flatMap((fact) => differencesOf(fact, reading))
      .filter(({ system }) => systems.includes(system));
    const drifted = new Set(differences.filter((one) => !one.awaitsConfirmation).map(({ fact }) => fact));
    look.suspects.push(...[...drifted].map((fact) => ({ customerId: row.id, fact })));
    const right = (open.get(row.id) ?? []).filter((one) =>
      systems.includes(one.system) && !differs(one, differences)
    );
    look.repaired.push(...right.map(({ id }) => id));
  }
  return look;
}

/** Where in its run a page stands. */
export interface PagePlace {
  pass: Pass;
  runId: number;
  page: number;
}

/**
 * A run's first task only writes the run down, so that a night on which a vendor is away is seen as a run without an end.
 * Pages of former runs that stopped at a person run again, find out that they are not needed, and end.
 */
export function beginRun(ctx: StepContext, step: DriftStep, pass: Pass): Outcome {
  return {
    kind: "done",
    commit: async (trx) => {
      const runId = await startRun(trx, { work: "drift", vendor: pass, taskId: ctx.task.id });
      await wakeTasks(trx, { step, has: "run_id" });
      return [{ step, data: { run_id: runId, page: 0 } }];
    },
  };
}

/** True when this page is the one its run waits for. Another one reads nothing. */
export async function isAwaited(db: Database, { pass, runId, page }: PagePlace): Promise<boolean> {
  const run = await db.selectFrom("tracker.check_runs").select("id")
    .where("id", "=", runId).where("work", "=", "drift").where("vendor", "=", pass)
    .where("state", "=", "RUNNING").where("pages", "=", page)
    .executeTakeFirst();
  return run !== undefined;
}

/**
 * Counts the page and gives what follows from it: a second look at whatever differs, once news of it had time to come,
 * and the page that `next` names; without one the run has come to its end. A page that was counted before, or whose run
 * is over, changes nothing.
 */
export async function commitPage(
  trx: Trx,
  ctx: StepContext,
  { pass, runId, page }: PagePlace,
  look: PageLook,
  met: readonly Met[],
  next: ((run: { run_id: number; page: number }) => FollowUp) | null,
): Promise<FollowUp[]> {
  const count = { seen: look.seen, missing: 0, repaired: 0, unlinked: look.unlinked };
  if (!(await countPage(trx, runId, page, count, next === null))) return [];
  await noteLooks(trx, pass, runId, met.map(({ row }) => row.id));
  await markRepaired(trx, look.repaired);
  const followUps = await secondLooks(trx, ctx, runId, look.suspects);
  if (next) followUps.push(next({ run_id: runId, page: page + 1 }));
  return followUps;
}

async function noteLooks(
  trx: Trx,
  vendor: Pass,
  runId: number,
  customerIds: readonly number[],
): Promise<void> {
  if (customerIds.length === 0) return;
  await trx.insertInto("tracker.drift_looks")
    .values([...new Set(customerIds)].map((customer_id) => ({ customer_id, vendor, run_id: runId })))
    .onConflict((conflict) =>
      conflict.columns(["customer_id", "vendor"]).doUpdateSet((eb) => ({ run_id: eb.ref("excluded.run_id") }))
    )
    .execute();
}

async function secondLooks(
  trx: Trx,
  ctx: StepContext,
  runId: number,
  suspects: readonly Suspect[],
): Promise<FollowUp[]> {
  if (suspects.length === 0) return [];
  // The other pass may be asking for the same customers right now: whoever comes second must see what the first asked for.
  await trx.selectFrom("registry.customers").select("id")
    .where("id", "in", suspects.map(({ customerId }) => customerId)).orderBy("id").forNoKeyUpdate().execute();
  const waiting = await openTasks(trx, {
    step: "drift.look",
    about: { customer_id: suspects.map(({ customerId }) => customerId) },
    status: UNDER_WAY,
  });
  const asked = new Set(waiting.map(({ data }) => `${data["customer_id"]} ${data["fact"]}`));
  const { drift_settle_minutes } = await trx.selectFrom("clockwork.settings").select("drift_settle_minutes")
    .executeTakeFirstOrThrow();
  const runAfter = new Date(ctx.now().getTime() + drift_settle_minutes * 60_000);
  return suspects.filter(({ customerId, fact }) => !asked.has(`${customerId} ${fact}`)).map((
    suspect,
  ): FollowUp => ({
    step: "drift.look",
    data: { customer_id: suspect.customerId, fact: suspect.fact, run_id: runId },
    runAfter,
    why: reason("CHANGE_UNDER_WAY"),
  }));
}

/** The rows of the registry whom a system knows by these keys. */
export async function rowsBy(
  db: Database,
  column: (typeof KEY_OF)[Pass],
  keys: readonly string[],
): Promise<Map<string, RegistryRow>> {
  if (keys.length === 0) return new Map();
  const rows = await db.selectFrom("registry.customers").select(REGISTRY_COLUMNS)
    .where(column, "in", [...keys]).execute();
  return new Map(rows.flatMap((row) => {
    const key = row[column];
    return key === null ? [] : [[key, row] as const];
  }));
}
