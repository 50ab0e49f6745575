import type { Selectable } from "kysely";
import type { Database, Trx } from "../db/database.ts";
import type { RegistryCustomers } from "../db/types.ts";
import { countPage, startRun } from "../checks/runs.ts";
import { UNDER_WAY } from "../queue/find.ts";
import { openTasks } from "../queue/open.ts";
import { type FollowUp, reason } from "../queue/reasons.ts";
import { MIRRORED_FACTS } from "../queue/step-data.ts";
import type { Outcome, StepContext } from "../queue/step.ts";
import { wakeTasks } from "../queue/wake.ts";
import type { CrmProfile } from "../vendors/crm.ts";
import type { ContactReading } from "./contact.ts";
import { differs, markRepaired, openDriftOf } from "./drift.ts";
import { comparedIn, differencesOf } from "./mirrors.ts";
import type { Difference, MirroredFact } from "./owners.ts";
import type { Plan } from "./plan.ts";

/** Customers on a page of the registry, and in one call to the CRM. */
export const CUSTOMERS_AT_ONCE = 100;

/** The systems whose mirrors a run of the check compares, by the vendor whose list it goes through. */
const COMPARED = {
  stripe: ["stripe", "crm", "registry"],
  login: ["login"],
} as const satisfies Record<string, readonly Difference["system"][]>;
type ListedVendor = keyof typeof COMPARED;

/** The step of a run. */
export type DriftStep = "drift.customers" | "drift.logins";

export const REGISTRY_COLUMNS = [
  "id",
  "email",
  "stripe_customer_id",
  "crm_person_id",
  "login_user_id",
] as const;
export type RegistryRow = Pick<Selectable<RegistryCustomers>, (typeof REGISTRY_COLUMNS)[number]>;

/** The key by which the registry knows the customers of a vendor's list. */
export const KEY_OF = { stripe: "stripe_customer_id", login: "login_user_id" } as const satisfies Record<
  ListedVendor,
  keyof RegistryRow
>;

/** A customer on a page, as the vendor's list shows them. */
export interface Met {
  row: RegistryRow;
  plan: Plan | null;
  stripe: ContactReading["stripe"];
  login: ContactReading["login"];
}

interface Suspect {
  customerId: number;
  fact: MirroredFact;
}

/** The outcome of comparing a page. Nothing is written yet. */
interface ComparedPage {
  /** Mirrors that were compared. */
  seen: number;
  /** Customers that could be compared with nothing. */
  unlinked: number;
  suspects: Suspect[];
  /** `tracker.drift` rows whose mirror is right again. */
  repaired: number[];
}

/** Compares the customers on a page with the owners, in one call to the CRM. */
export async function comparePage(
  ctx: StepContext,
  vendor: ListedVendor,
  met: readonly Met[],
): Promise<ComparedPage> {
  const people = met.flatMap(({ row }) => row.crm_person_id ?? []);
  const profiles = people.length === 0
    ? new Map<string, CrmProfile>()
    : await ctx.vendors.crm.readProfiles(people);
  const open = await openDriftOf(ctx.deps.db, met.map(({ row }) => row.id));
  const compared: ComparedPage = { seen: 0, unlinked: 0, suspects: [], repaired: [] };
  const systems: readonly string[] = COMPARED[vendor];
  for (const { row, ...listed } of met) {
    const crm = row.crm_person_id === null ? undefined : profiles.get(row.crm_person_id);
    if (crm === undefined) {
      compared.unlinked += 1;
      // A key that the CRM does not know is asked about; a missing key is asked for when a step needs it.
      if (row.crm_person_id !== null) compared.suspects.push({ customerId: row.id, fact: "contact" });
      continue;
    }
    const reading = { ...listed, crm, registryEmail: row.email, now: ctx.now() };
    compared.seen += comparedIn(reading, systems);
    const differences = MIRRORED_FACTS.flatMap((fact) => differencesOf(fact, reading))
      .filter(({ system }) => systems.includes(system));
    const drifted = new Set(differences.filter((one) => !one.awaitsConfirmation).map(({ fact }) => fact));
    compared.suspects.push(...[...drifted].map((fact) => ({ customerId: row.id, fact })));
    const right = open.filter((one) =>
      one.customer_id === row.id && systems.includes(one.system) && !differs(one, differences)
    );
    compared.repaired.push(...right.map(({ id }) => id));
  }
  return compared;
}

/** A page, counted from 0, of a run (`tracker.check_runs`). */
export interface RunPage {
  vendor: ListedVendor;
  runId: number;
  page: number;
}

/**
 * A run's first task only begins the run, so that a vendor that is away all night leaves a run without an end. Pages of
 * former runs that stopped at a person are woken: they end, since no run waits for them.
 */
export function beginRun(ctx: StepContext, step: DriftStep, vendor: ListedVendor): Outcome {
  return {
    kind: "done",
    commit: async (trx) => {
      const runId = await startRun(trx, { work: "drift", vendor, taskId: ctx.task.id });
      await wakeTasks(trx, { step, has: "run_id" });
      return [{ step, data: { run_id: runId, page: 0 } }];
    },
  };
}

/** True when the run waits for this page. Any other page reads nothing. */
export async function isAwaited(db: Database, { vendor, runId, page }: RunPage): Promise<boolean> {
  const run = await db.selectFrom("tracker.check_runs").select("id")
    .where("id", "=", runId).where("work", "=", "drift").where("vendor", "=", vendor)
    .where("state", "=", "RUNNING").where("pages", "=", page)
    .executeTakeFirst();
  return run !== undefined;
}

/**
 * Counts the page, and returns a second look at each suspect, once its news had time to come, and the page that `next`
 * makes. Without `next` the run ends. A page that was counted before, or whose run is over, changes nothing.
 */
export async function commitPage(
  trx: Trx,
  ctx: StepContext,
  { vendor, runId, page }: RunPage,
  compared: ComparedPage,
  met: readonly Met[],
  next: ((run: { run_id: number; page: number }) => FollowUp) | null,
): Promise<FollowUp[]> {
  const count = { seen: compared.seen, missing: 0, repaired: 0, unlinked: compared.unlinked };
  if (!(await countPage(trx, runId, page, count, next === null))) return [];
  const customers = new Set(met.map(({ row }) => row.id));
  if (customers.size > 0) {
    await trx.insertInto("tracker.drift_looks")
      .values([...customers].map((customer_id) => ({ customer_id, vendor, run_id: runId })))
      .onConflict((conflict) =>
        conflict.columns(["customer_id", "vendor"]).doUpdateSet((eb) => ({
          run_id: eb.ref("excluded.run_id"),
        }))
      )
      .execute();
  }
  await markRepaired(trx, compared.repaired);
  const followUps = await secondLooks(trx, ctx, runId, compared.suspects);
  if (next) followUps.push(next({ run_id: runId, page: page + 1 }));
  return followUps;
}

async function secondLooks(
  trx: Trx,
  ctx: StepContext,
  runId: number,
  suspects: readonly Suspect[],
): Promise<FollowUp[]> {
  const customerIds = suspects.map(({ customerId }) => customerId);
  if (customerIds.length === 0) return [];
  // The other vendor's run may ask for the same customers now: the lock lets the later of the two see the first's looks.
  await trx.selectFrom("registry.customers").select("id")
    .where("id", "in", customerIds).orderBy("id").forNoKeyUpdate().execute();
  const about = { customer_id: customerIds };
  const waiting = await openTasks(trx, { step: "drift.look", about, status: UNDER_WAY });
  const asked = new Set(waiting.map(({ data }) => `${data["customer_id"]} ${data["fact"]}`));
  const { drift_settle_minutes } = await trx.selectFrom("clockwork.settings").select("drift_settle_minutes")
    .executeTakeFirstOrThrow();
  const runAfter = new Date(ctx.now().getTime() + drift_settle_minutes * 60_000);
  return suspects.filter(({ customerId, fact }) => !asked.has(`${customerId} ${fact}`))
    .map(({ customerId, fact }): FollowUp => ({
      step: "drift.look",
      data: { customer_id: customerId, fact, run_id: runId },
      runAfter,
      why: reason("CHANGE_UNDER_WAY"),
    }));
}

/** Rows of `registry.customers`, by the key that the system knows them by. */
export async function rowsBy(
  db: Database,
  column: (typeof KEY_OF)[ListedVendor],
  keys: readonly string[],
): Promise<Map<string, RegistryRow>> {
  if (keys.length === 0) return new Map();
  const rows = await db.selectFrom("registry.customers").select(REGISTRY_COLUMNS)
    .where(column, "in", [...keys]).execute();
  return new Map(rows.map((row) => [row[column] ?? "", row]));
}
