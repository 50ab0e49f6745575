import { sql } from "kysely";
import { z } from "zod";
import { asClockwork, type Database } from "../../src/shared/db/database.ts";
import type { Env } from "../../src/shared/env.ts";
import { drain } from "../../src/shared/queue/drain.ts";
import type { DrainDeps } from "../../src/shared/queue/turn.ts";
import { insertTasks } from "../../src/shared/queue/tasks.ts";
import { renewalFind } from "../../src/shared/steps/renewal/find.ts";
import { PRODUCTS } from "../sandbox/clinic.ts";
import { drainDeps } from "../sandbox/world.ts";
import { type Crowd, withCrowd } from "./crowd.ts";
import { expectCounts, figures, makeStopwatch, memoryNow, none } from "./measure.ts";
import type { BenchContext, Section } from "./section.ts";

// The finder over many active refills, in turns with two things to compare it with: only reading the same pages (the
// same calls, nothing done with the answers), and asking about one customer after another. The vendors are another
// process, so that the memory shown is ours.

const PAGE = 100;
/** The finder's pages, the floor's pages and the checks one by one, of each turn. */
const TURN = { pages: 25, floorPages: 5, checks: 25 };

/** The crowd. */
interface Refills {
  /** Subscriptions, in the order in which they began. */
  subscriptionIds: string[];
  /** By Stripe customer. */
  patients: Map<string, string>;
}

async function runFinder({ db, customers, progress }: BenchContext): Promise<string> {
  await openShop(db);
  const refills: Refills = { subscriptionIds: [], patients: new Map() };
  return await withCrowd({
    db,
    process: "refills-process.ts",
    customers,
    columns: [["stripe_customer_id", "text"], ["health_patient_id", "text"]],
    onKeys: (keys) => {
      for (const [stripe = "", patient = "", subscription = ""] of keys) {
        refills.subscriptionIds.push(subscription);
        refills.patients.set(stripe, patient);
      }
    },
    progress: (line) => progress(`finder: ${line}`),
  }, (crowd) => measure(db, crowd, refills, customers, progress));
}

async function openShop(db: Database): Promise<void> {
  const { name, rxnorm } = PRODUCTS[0];
  const { id } = await db.insertInto("registry.products").values({ name }).returning("id")
    .executeTakeFirstOrThrow();
  await db.insertInto("registry.product_keys").values([
    { system: "rxnorm", key: rxnorm, product_id: id },
    { system: "stripe_price", key: "price_morning_month", product_id: id, fills_per_charge: 1 },
  ]).execute();
}

async function measure(
  db: Database,
  crowd: Crowd,
  refills: Refills,
  customers: number,
  progress: (line: string) => void,
): Promise<string> {
  const deps = drainDeps({ db, env: crowd.env });
  const tallies = { ours: none(), floor: none(), single: none() };
  const time = makeStopwatch(crowd.calls);
  await insertTasks(db, [{ step: "renewal.find", key: "bench", vendor: "stripe", data: {} }]);
  const memory = [memoryNow()];
  const pages = Math.ceil(customers / PAGE);
  const readPages = makeFloor(crowd.env, refills);
  for (let done = 0; done < pages; done += TURN.pages) {
    const now = Math.min(TURN.pages, pages - done);
    await time(
      tallies.ours,
      Math.min(now * PAGE, customers - done * PAGE),
      () => drain({ ...deps, budget: { milliseconds: 600_000, tasks: now * renewalFind.weight } }),
    );
    await time(
      tallies.floor,
      Math.min(TURN.floorPages, now) * PAGE,
      () => readPages(Math.min(TURN.floorPages, now)),
    );
    await time(tallies.single, TURN.checks, () => checkOneByOne(deps, refills, done));
    memory.push(memoryNow());
    if ((done / TURN.pages) % 8 === 0) progress(`finder: ${done * PAGE} of ${customers} refills`);
  }
  await expectCounts(
    db,
    sql`
    select (select count(*) from tracker.refills) as refills, (select count(*) from tracker.renewals) as renewals,
      (select count(*) from clockwork.tasks where status = 'MANUAL_INTERVENTION') as asked,
      (select count(*) from clockwork.tasks where status in ('PENDING', 'QUEUED')) as open`,
    {
      refills: customers,
      renewals: Math.ceil(customers / 10),
      asked: Math.floor((customers + 92) / 100),
      open: 0,
    },
  );
  const { ours, floor, single } = tallies;
  return figures(floor, ["stripe", "health", "pharmacy", "crm"], [
    ["only reading the pages (floor)", floor],
    [`the finder, ${ours.customers} refills`, ours],
    [`asking one by one, ${single.customers} refills`, single],
  ], memory);
}

/** The same pages read by hand, from the newest on, and over again from the start at the end. */
function makeFloor(env: Env, { patients }: Refills): (pages: number) => Promise<void> {
  const list = z.object({
    data: z.array(z.object({ id: z.string(), customer: z.string() })),
    has_more: z.boolean(),
  });
  let after = "";
  let token = "";
  const read = async (url: string, bearer: string | undefined) => {
    const response = await fetch(url, { headers: { authorization: `Bearer ${bearer}` } });
    if (!response.ok) throw new Error(`the floor was answered ${response.status}`);
    const body: unknown = await response.json();
    return body;
  };
  return async (pages) => {
    token ||= await logIn(env);
    for (let page = 0; page < pages; page++) {
      const { data, has_more } = list.parse(
        await read(`${env.STRIPE_API_URL}/v1/subscriptions?limit=${PAGE}${after}`, env.STRIPE_API_KEY),
      );
      after = has_more ? `&starting_after=${data.at(-1)?.id}` : "";
      const subject = encodeURIComponent(
        data.map(({ customer }) => `Patient/${patients.get(customer)}`).join(","),
      );
      for (const type of ["MedicationRequest", "MedicationDispense"]) {
        await read(`${env.MEDPLUM_BASE_URL}/fhir/R4/${type}?subject=${subject}&_count=1000`, token);
      }
    }
  };
}

async function logIn(env: Env): Promise<string> {
  const response = await fetch(`${env.MEDPLUM_BASE_URL}/oauth2/token`, {
    method: "POST",
    body: new URLSearchParams({
      grant_type: "client_credentials",
      client_id: env.MEDPLUM_CLIENT_ID ?? "",
      client_secret: env.MEDPLUM_CLIENT_SECRET ?? "",
    }),
  });
  return z.object({ access_token: z.string() }).parse(await response.json()).access_token;
}

/** A `renewal.check` for each of a few subscriptions, while the finder's next page waits. */
async function checkOneByOne(deps: DrainDeps, { subscriptionIds }: Refills, done: number): Promise<void> {
  await delayFinder(deps.db, "1 day");
  const from = (done * PAGE) % Math.max(1, subscriptionIds.length - TURN.checks);
  const some = subscriptionIds.slice(from, from + TURN.checks);
  await insertTasks(
    deps.db,
    some.map((id) => ({
      step: "renewal.check",
      key: `${id}:${done}`,
      vendor: "health",
      data: { subscription_id: id },
    })),
  );
  await drain({ ...deps, budget: { milliseconds: 600_000, tasks: 100_000 } });
  await delayFinder(deps.db, "0");
}

async function delayFinder(db: Database, delay: string): Promise<void> {
  await asClockwork(db, "bench", async (trx) => {
    await sql`update clockwork.tasks set run_after = clockwork.now() + ${delay}::interval
      where step = 'renewal.find' and status = 'PENDING'`.execute(trx);
  });
}

export const finder: Section = { name: "finder", run: runFinder };
