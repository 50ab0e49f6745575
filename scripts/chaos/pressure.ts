import { setTimeout as sleep } from "node:timers/promises";
import { type Check, check } from "../proof/check.ts";
import { makeLife } from "../stack/life.ts";
import type { Stack } from "../stack/stack.ts";
import { examine, workOff } from "./aftermath.ts";
import { startLifeSupport } from "./life-support.ts";
import { type Stage, type Vendor, VENDORS } from "./stage.ts";
import { connectAsSuperuser, watchTasks } from "./watch.ts";

/** The measures of a pressure, a line each, and its checks. */
interface Pressure {
  figures: Record<string, number | string>;
  checks: Check[];
}

async function countTasks(stack: Stack, where = "true"): Promise<number> {
  const { rows } = await stack.pool.query<{ count: number }>(
    `select count(*)::int as count from clockwork.tasks where ${where}`,
  );
  return rows[0]?.count ?? 0;
}

/** Tasks that could run now, or that a drain is running. */
async function backlog(stack: Stack): Promise<number> {
  return await countTasks(
    stack,
    "(status = 'PENDING' and run_after <= clockwork.now()) or status = 'QUEUED'",
  );
}

async function settledSoFar(stack: Stack): Promise<number> {
  return await countTasks(stack, "attempts > 0 and status not in ('PENDING', 'QUEUED')");
}

/** `count` customers buy, and one drain after the other works it off. Gives tasks per second. */
async function drainRate({ stack, crowd }: Stage, count: number): Promise<number> {
  crowd.charge(count);
  while (stack.vendors.waiting() > 0) await stack.vendors.flush();
  const before = await settledSoFar(stack);
  const elapsed = stopwatch();
  await makeLife({ stack, progress: () => {} }).work();
  return ((await settledSoFar(stack)) - before) / elapsed();
}

/** A drain may fall to half its rate, and no further. */
function checkPace(name: string, scope: string, before: number, now: number): Check {
  const pace: Check = { ...check(name), scope };
  if (now < before / 2) pace.unexplained.push(`the drain fell to ${now.toFixed(0)} tasks/s`);
  return pace;
}

/** A forgotten transaction holds vacuum back: dead rows pile up, and the drain must not slow down with them. */
export async function playVacuum(stage: Stage, batch: number): Promise<Pressure> {
  const { stack, crowd, progress } = stage;
  await drainRate(stage, Math.ceil(batch / 4)); // warm
  const before = await drainRate(stage, batch);
  progress(`without it: ${before.toFixed(0)} tasks/s`);
  const idle = await connectAsSuperuser(stack);
  await idle.query("begin isolation level repeatable read");
  await idle.query("select count(*) from clockwork.tasks");
  const rates: number[] = [];
  for (let left = crowd.people.length; left > 0; left = crowd.charge(0)) {
    rates.push(await drainRate(stage, batch));
    progress(`with it: ${rates.at(-1)?.toFixed(0)} tasks/s`);
  }
  const { rows } = await stack.pool.query<{ name: string; dead: number }>(`
    select schemaname || '.' || relname as name, n_dead_tup::int as dead from pg_stat_user_tables
    where (schemaname, relname) in (('pgboss', 'job_common'), ('clockwork', 'tasks'), ('clockwork', 'vendors'),
      ('clockwork', 'effects')) order by 1`);
  // The median of the last three: one batch alone says more about the machine's other work.
  const last = rates.slice(-3).sort((a, b) => a - b).at(1) ?? rates.at(-1) ?? 0;
  const pace = checkPace(
    "the drain holds its pace while a transaction holds vacuum back",
    `${before.toFixed(0)} tasks/s before, ${last.toFixed(0)} at the end`,
    before,
    last,
  );
  await idle.query("rollback");
  await idle.end();
  return {
    figures: {
      "tasks/s before": round(before),
      "tasks/s with it": rates.map(round).join(", "),
      ...Object.fromEntries(rows.map(({ name, dead }) => [`dead rows of ${name}`, dead])),
    },
    checks: [pace, ...(await finish(stage))],
  };
}

/** One and a half times the drain's rate, for a while. */
export async function playSustained(stage: Stage, seconds: number): Promise<Pressure> {
  const { stack, crowd, random, progress } = stage;
  const tenth = Math.ceil(crowd.people.length / 10);
  await drainRate(stage, Math.ceil(tenth / 4));
  const rate = await drainRate(stage, tenth);
  const tasksPerCharge = (await countTasks(stack)) / crowd.charged();
  const perSecond = (1.5 * rate) / tasksPerCharge;
  progress(`the drain does ${rate.toFixed(0)} tasks/s; ${perSecond.toFixed(1)} charges/s are 1.5 times that`);
  const watch = watchTasks(stack);
  const support = await startLifeSupport(stack, random);
  const elapsed = stopwatch();
  let done = 0;
  let deepest = 0;
  while (elapsed() < seconds && crowd.charge(0) > 0) {
    await sleep(250);
    const due = Math.floor(elapsed() * perSecond) - done;
    crowd.charge(due);
    done += due;
    deepest = Math.max(deepest, await backlog(stack));
  }
  const fedFor = elapsed();
  const under = watch.settled() / fedFor;
  while (stack.vendors.waiting() > 0 || (await backlog(stack)) > 0) await sleep(250);
  const workedOffAfter = elapsed() - fedFor;
  await support.stop();
  await watch.stop();
  const pace = checkPace(
    "the drain holds its pace under 1.5 times its rate",
    `${rate.toFixed(0)} tasks/s alone, ${under.toFixed(0)} under pressure`,
    rate,
    under,
  );
  return {
    figures: {
      "tasks/s alone": round(rate),
      "tasks/s under pressure": round(under),
      "charges/s fed": round(perSecond),
      "seconds fed": round(fedFor),
      "deepest backlog": deepest,
      "worked off after (s)": round(workedOffAfter),
    },
    checks: [pace, ...(await finish(stage))],
  };
}

/** So many webhooks at once. */
export async function playBurst(stage: Stage, events: number): Promise<Pressure> {
  const { stack, crowd, mail, random, progress } = stage;
  while (stack.vendors.waiting() < events && crowd.charge(1) > 0);
  const waiting = stack.vendors.waiting();
  progress(`${waiting} webhooks wait to be sent`);
  const support = await startLifeSupport(stack, random);
  const elapsed = stopwatch();
  while ((mail.answers.get(200) ?? 0) < waiting) await sleep(50);
  const taken = elapsed();
  progress(`taken after ${taken.toFixed(1)} s`);
  while ((await backlog(stack)) > 0 || stack.vendors.waiting() > 0) await sleep(500);
  const workedOff = elapsed();
  await support.stop();
  return {
    figures: {
      webhooks: waiting,
      "taken after (s)": round(taken),
      "taken per second": round(waiting / taken),
      "worked off after (s)": round(workedOff),
      "tasks/s": round((await settledSoFar(stack)) / workedOff),
    },
    checks: await finish(stage),
  };
}

/** Calls per second: as many as we make at most, and as many as the vendor takes. */
const RATES = { stripe: [40, 44], health: [50, 55], pharmacy: [30, 33], crm: [50, 55] } as const;
const OUTAGE_STEP_MINUTES = 30;

/** The pharmacy is down for a day while the clinic goes on selling; then backlog and new charges meet the vendors' limits. */
export async function playOutage(stage: Stage): Promise<Pressure> {
  const { stack, crowd, random, progress } = stage;
  const { pharmacy } = stack.vendors;
  const life = makeLife({ stack, progress });
  const steps = (24 * 60) / OUTAGE_STEP_MINUTES;
  pharmacy.faults.add({ kind: "status", status: 503 });
  for (let step = 0; step < steps; step++) {
    crowd.charge(Math.ceil((0.7 * crowd.people.length) / steps));
    await life.work();
    await life.pass({ minutes: OUTAGE_STEP_MINUTES });
  }
  const probes = [...pharmacy.faults.met.values()].reduce((sum, met) => sum + met, 0);
  const others = await countTasks(stack, "vendor <> 'pharmacy' and status in ('PENDING', 'QUEUED')");
  const waited = await backlog(stack);
  progress(`the day is over: the pharmacy was called ${probes} times, ${waited} tasks wait`);
  pharmacy.faults.clear();
  const callsBefore = new Map(VENDORS.map((vendor) => [vendor, callsOf(stack, vendor)]));
  for (const vendor of VENDORS) {
    const [ours, theirs] = RATES[vendor];
    await stack.pool.query("update clockwork.vendors set rate_per_second = $2 where vendor = $1", [
      vendor,
      ours,
    ]);
    stack.vendors[vendor].faults.limitRate(theirs);
  }
  await stack.clock.pass({ minutes: 11 }); // the longest hold
  const support = await startLifeSupport(stack, random);
  const elapsed = stopwatch();
  for (let left = crowd.charge(0); left > 0 || (await backlog(stack)) > 0;) {
    left = crowd.charge(2); // the clinic goes on selling
    await sleep(500);
  }
  const workedOff = elapsed();
  await support.stop();
  const limits = check("429s are under 1 % of calls while the backlog is worked off");
  const shares: string[] = [];
  for (const vendor of VENDORS) {
    const calls = callsOf(stack, vendor) - (callsBefore.get(vendor) ?? 0);
    const { overRate } = stack.vendors[vendor].faults;
    shares.push(`${vendor} ${overRate} of ${calls}`);
    if (overRate > 0.01 * calls) limits.unexplained.push(`${vendor} refused ${overRate} of ${calls} calls`);
    stack.vendors[vendor].faults.limitRate(null);
  }
  limits.scope = shares.join(", ");
  await stack.pool.query("update clockwork.vendors set rate_per_second = 100000");
  const flood = check("a day without the pharmacy floods nobody");
  const stopped = await countTasks(stack, "status = 'MANUAL_INTERVENTION'");
  flood.scope =
    `${probes} calls to it in 24 h, ${stopped} tasks for a person, ${others} tasks of others waited`;
  if (stopped > 0) flood.unexplained.push(`${stopped} tasks went to a person`);
  if (others > 0) flood.unexplained.push(`${others} tasks of other vendors waited with it`);
  return {
    figures: { "waited for the pharmacy": waited, "worked off after (s)": round(workedOff) },
    checks: [limits, flood, ...(await finish(stage))],
  };
}

function callsOf(stack: Stack, vendor: Vendor): number {
  return [...stack.vendors[vendor].faults.calls.values()].reduce((sum, calls) => sum + calls, 0);
}

async function finish({ stack, crowd, mail, progress }: Stage): Promise<Check[]> {
  await workOff(stack, crowd, progress);
  return await examine(stack, crowd, mail);
}

/** Gives the seconds since now. */
function stopwatch(): () => number {
  const startedAt = performance.now();
  return () => (performance.now() - startedAt) / 1000;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
