import { sql } from "kysely";
import { asClockwork, type Database } from "../../src/shared/db/database.ts";
import { drain } from "../../src/shared/queue/drain.ts";
import type { Vendors } from "../../src/shared/queue/step.ts";
import { insertTasks } from "../../src/shared/queue/tasks.ts";
import { drainDeps } from "../sandbox/world.ts";
import { type Crowd, withCrowd } from "./crowd.ts";
import { expectCounts, figures, makeStopwatch, memoryNow, none } from "./measure.ts";
import type { BenchContext, Section } from "./section.ts";

// The nightly drift check over many customers, beside a floor measured in turns with it: only reading the same pages
// (the same calls, nothing compared). One customer in a hundred has drifted; putting them right is a line of its own.
// The vendors are another process, so that the memory shown is ours.

const PAGE = 100;
/** Pages of the check and of the floor in each turn. */
const TURN = { pages: 20, floorPages: 5 };
const DRIFTED_IN = 100;

async function runDrift({ db, customers, progress }: BenchContext): Promise<string> {
  return await withCrowd({
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
  }, async (crowd) => {
    // The second looks wait until they are measured.
    await sql`update clockwork.settings set drift_settle_minutes = 1440`.execute(db);
    await sql`update clockwork.vendors set rate_per_second = 100000`.execute(db);
    return await measure(db, crowd, customers);
  });
}

async function measure(db: Database, crowd: Crowd, customers: number): Promise<string> {
  const deps = drainDeps({ db, env: crowd.env });
  const tallies = { floor: none(), customers: none(), logins: none(), repairs: none() };
  const time = makeStopwatch(crowd.calls);
  const memory = [memoryNow()];
  const readPages = makeFloor(db, deps.vendors);
  for (
    const [step, vendor, tally] of [
      ["drift.customers", "stripe", tallies.customers],
      ["drift.logins", "login", tallies.logins],
    ] as const
  ) {
    await insertTasks(db, [{ step, key: "bench", vendor, data: {} }]);
    // The run's first task reads nothing, and its last page has the customers that no list had.
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
  const drifted = Math.ceil(customers / DRIFTED_IN);
  await expectCounts(
    db,
    sql`
    select (select count(*) from tracker.check_runs where state = 'DONE')::int as runs,
      (select sum(seen) from tracker.check_runs)::int as seen,
      (select count(*) from tracker.drift where repaired_at is not null)::int as repaired,
      (select count(*) from tracker.drift)::int as drifted,
      (select count(*) from clockwork.tasks where status not in ('DONE', 'CANCELLED'))::int as open`,
    { runs: 2, seen: customers * 6, repaired: drifted, drifted, open: 0 },
  );
  return figures(tallies.floor, ["stripe", "crm", "login"], [
    ["only reading the pages (floor)", tallies.floor],
    [`Stripe, CRM and registry compared, ${customers} customers`, tallies.customers],
    [`logins compared, ${customers} customers`, tallies.logins],
    [`looked at again and repaired, ${drifted} customers`, tallies.repairs],
  ], memory);
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

export const drift: Section = { name: "drift", run: runDrift };
