import { sql } from "kysely";
import { asClockwork, type Database } from "../../src/shared/db/database.ts";
import { drain } from "../../src/shared/queue/drain.ts";
import type { Vendors } from "../../src/shared/queue/step.ts";
import { insertTasks } from "../../src/shared/queue/tasks.ts";
import { drainDeps } from "../sandbox/world.ts";
import { type Crowd, startCrowd } from "./crowd.ts";
import {
  makeStopwatch,
  type Memory,
  memoryNow,
  memoryTable,
  none,
  rateTable,
  type Tally,
} from "./measure.ts";
import type { BenchContext, Section } from "./section.ts";

// The nightly drift check over many customers, beside a floor measured in turns with it: only reading the same pages
// (the same calls, nothing compared). One customer in a hundred has drifted; putting them right is a line of its own.
// The vendors are another process, so that the memory shown is ours.

const PAGE = 100;
/** Pages of the check and of the floor in each turn. */
const TURN = { pages: 20, floorPages: 5 };
const DRIFTED_IN = 100;

async function runDrift({ db, customers, progress }: BenchContext): Promise<string> {
  const crowd = await startCrowd({
    db,
    process: "members-process.ts",
    customers,
    columns: [
      ["stripe_customer_id", "text"],
      ["crm_person_id", "text"],
      ["login_user_id", "uuid"],
      ["email", "text"],
    ],
    progress: (line) => progress(`drift: ${line}`),
  });
  try {
    // The second looks wait until they are measured.
    await sql`update clockwork.settings set drift_settle_minutes = 1440`.execute(db);
    await sql`update clockwork.vendors set rate_per_second = 100000`.execute(db);
    return await measure(db, crowd, customers);
  } finally {
    crowd.stop();
  }
}

async function measure(db: Database, crowd: Crowd, customers: number): Promise<string> {
  const deps = drainDeps({ db, env: crowd.env });
  const tallies = { floor: none(), customers: none(), logins: none(), repairs: none() };
  const time = makeStopwatch(() => crowd.calls());
  const memory = [memoryNow()];
  const readPages = makeFloor(db, deps.vendors);
  for (
    const [step, vendor, tally] of [
      ["drift.customers", "stripe", tallies.customers],
      ["drift.logins", "login", tallies.logins],
    ] as const
  ) {
    await insertTasks(db, [{ step, key: "bench", vendor, data: {} }]);
    // The run's first task reads nothing, and its last page is of those whom no list had.
    const pages = Math.ceil(customers / PAGE) + 2;
    for (let done = 0; done < pages; done += TURN.pages) {
      const tasks = Math.min(TURN.pages, pages - done);
      await time(
        tally,
        Math.max(0, Math.min(TURN.pages * PAGE, customers - done * PAGE)),
        () => drain({ ...deps, budget: { milliseconds: 600_000, tasks } }),
      );
      await time(tallies.floor, TURN.floorPages * PAGE, () => readPages(TURN.floorPages));
      memory.push(memoryNow());
    }
  }
  await asClockwork(db, "bench", async (trx) => {
    await sql`update clockwork.tasks set run_after = clockwork.now() where status = 'PENDING'`.execute(trx);
  });
  await time(
    tallies.repairs,
    Math.ceil(customers / DRIFTED_IN),
    () => drain({ ...deps, budget: { milliseconds: 600_000, tasks: 1_000_000 } }),
  );
  await expectAllRight(db, customers);
  return report(tallies, memory, customers);
}

/** The same pages read by hand: Stripe's customers, then their profiles. Over again from the start at the end. */
function makeFloor(db: Database, vendors: Vendors): (pages: number) => Promise<void> {
  let cursor: string | null = null;
  return async (pages) => {
    for (let page = 0; page < pages; page++) {
      const listed = await vendors.stripe.listCustomers(cursor);
      cursor = listed.next;
      const rows = await db.selectFrom("registry.customers").select("crm_person_id")
        .where("stripe_customer_id", "in", listed.entries.map(({ id }) => id)).execute();
      await vendors.crm.readProfiles(rows.flatMap((row) => row.crm_person_id ?? []));
    }
  };
}

/** A figure for work that was not done is worth nothing. */
async function expectAllRight(db: Database, customers: number): Promise<void> {
  const { rows: [found] } = await sql<Record<string, unknown>>`
    select (select count(*) from tracker.check_runs where state = 'DONE')::int as runs,
      (select sum(seen) from tracker.check_runs)::int as seen,
      (select count(*) from tracker.drift where repaired_at is not null)::int as repaired,
      (select count(*) from tracker.drift)::int as drifted,
      (select count(*) from clockwork.tasks where status not in ('DONE', 'CANCELLED'))::int as open
  `.execute(db);
  const drifted = Math.ceil(customers / DRIFTED_IN);
  const expected = { runs: 2, seen: customers * 6, repaired: drifted, drifted, open: 0 };
  if (JSON.stringify(found) !== JSON.stringify(expected)) {
    throw new Error(`the drift check left ${JSON.stringify(found)}, not ${JSON.stringify(expected)}`);
  }
}

function report(
  { floor, customers, logins, repairs }: Record<"floor" | "customers" | "logins" | "repairs", Tally>,
  memory: readonly Memory[],
  count: number,
): string {
  const rates = rateTable(floor, ["stripe", "crm", "login"], [
    ["only reading the pages (floor)", floor],
    [`Stripe, CRM and registry compared, ${count} customers`, customers],
    [`logins compared, ${count} customers`, logins],
    [`looked at again and put right, ${repairs.customers} customers`, repairs],
  ]);
  return `${rates}\n\n${memoryTable(memory)}`;
}

export const drift: Section = { name: "drift", run: runDrift };
