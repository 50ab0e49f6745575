import type { Pool } from "pg";
import { MEDICAL_CANARIES, type Person, type PriceId } from "../sandbox/clinic.ts";
import type { LocalVendors } from "../sandbox/vendors.ts";
import type { Mail } from "../sandbox/mail.ts";

/** A customer without Checkout: the first prescription begins the subscription. */
export interface Beginner {
  person: Person;
  price: PriceId;
}

/** A row of `clockwork.tasks`, as far as the checks need it. */
interface TaskRow {
  id: string;
  step: string;
  key: string;
  status: string;
  reason_code: string | null;
  reason: string | null;
  /** The reason is in `clockwork.reasons`. */
  catalogued: boolean;
  /** `run_after` lies ahead. */
  waits: boolean;
  caused_by: string | null;
  vendor: string;
}

interface OrderRow {
  id: string;
  state: string;
  reference: string;
  pharmacy_order_id: string | null;
}

/** The checks' material: the vendors' own state, people's decisions, and Clockwork's tables. */
export interface Evidence {
  now: Date;
  vendors: Pick<LocalVendors, "stripe" | "health" | "pharmacy" | "crm">;
  mail: Pick<Mail, "snapshotOf">;
  people: readonly Person[];
  beginners: readonly Beginner[];
  endedByPharmacy: ReadonlySet<string>;
  decisions: ReadonlyMap<string, 0 | 1>;
  tasks: readonly TaskRow[];
  orders: readonly OrderRow[];
  /** Why the pharmacy's queue was held during its outage, and the vendors that are not well at the end. */
  hold: { seen: string | null; unwell: readonly string[] };
  functionLines: readonly string[];
  /** Tables (`schema.table`) in which a row holds one of the canaries, with how many rows. */
  leaks: ReadonlyMap<string, number>;
  /** Tables that were searched for canaries. */
  searched: number;
}

/**
 * Reads all evidence as it is now.
 * @param known the players' part, which cannot be read
 */
export async function gather(
  { vendors, pool, clock, functionLog }:
    & Pick<Evidence, "vendors">
    & { pool: Pool; clock: { now(): Date }; functionLog: { lines: readonly string[] } },
  { holdSeen = null, ...known }:
    & Pick<Evidence, "mail" | "people">
    & Partial<Pick<Evidence, "beginners" | "endedByPharmacy" | "decisions">>
    & { holdSeen?: string | null },
): Promise<Evidence> {
  return {
    beginners: [],
    endedByPharmacy: new Set(),
    decisions: new Map(),
    ...known,
    now: clock.now(),
    vendors,
    tasks: await readTasks(pool),
    orders: await readOrders(pool),
    hold: { seen: holdSeen, unwell: await readUnwell(pool) },
    functionLines: functionLog.lines,
    ...(await findLeaks(pool, MEDICAL_CANARIES)),
  };
}

async function readTasks(pool: Pool): Promise<TaskRow[]> {
  const { rows } = await pool.query<TaskRow>(`
    select tasks.id, step, key, status, reason_code, reason, caused_by, vendor,
      exists (select from clockwork.reasons where reasons.code = tasks.reason_code) as catalogued,
      run_after > clockwork.now() as waits
    from clockwork.tasks order by tasks.id`);
  return rows;
}

async function readOrders(pool: Pool): Promise<OrderRow[]> {
  const { rows } = await pool.query<OrderRow>(
    "select id, state, reference, pharmacy_order_id from tracker.orders order by id",
  );
  return rows;
}

/** Vendors that are held or failing. */
async function readUnwell(pool: Pool): Promise<string[]> {
  const { rows } = await pool.query<{ vendor: string; state: string }>(
    "select vendor, state from ops.vendors where state <> 'well' order by vendor",
  );
  return rows.map(({ vendor, state }) => `${vendor} is ${state}`);
}

/** Searches every column of every row that Clockwork keeps. */
export async function findLeaks(
  pool: Pool,
  canaries: readonly string[],
): Promise<{ leaks: Map<string, number>; searched: number }> {
  const { rows: tables } = await pool.query<{ name: string }>(`
    select format('%I.%I', schemaname, tablename) as name from pg_tables
    where schemaname in ('clockwork', 'tracker', 'pgboss') or (schemaname, tablename) = ('registry', 'customers')
    order by 1`);
  const leaks = new Map<string, number>();
  for (const { name } of tables) {
    const { rows } = await pool.query<{ count: string }>(
      `select count(*) from ${name} as t where exists (select from unnest($1::text[]) as c where strpos(t::text, c) > 0)`,
      [canaries],
    );
    const count = Number(rows[0]?.count ?? 0);
    if (count > 0) leaks.set(name, count);
  }
  return { leaks, searched: tables.length };
}
