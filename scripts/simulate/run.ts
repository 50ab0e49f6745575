import { sql } from "kysely";
import { makeAgenda } from "./agenda.ts";
import { makeBreaks } from "./breaks.ts";
import { makeChecks } from "./checks.ts";
import { DAY_MS, HOUR_MS, makeDice } from "./dice.ts";
import { type OpenOnDay, readFunnel, readOpen } from "./funnel.ts";
import { signUp } from "./life.ts";
import { makeOpsPerson } from "./ops-person.ts";
import { type SimulationReport, storyOf } from "./report.ts";
import { openShop } from "./shop.ts";
import type { Stage } from "./stage.ts";
import { makeWeather } from "./weather.ts";
import { makeWorld } from "./world.ts";

export interface SimulationOptions {
  /** A database with all migrations, for this run alone. */
  url: string;
  seed: number;
  customers: number;
  days: number;
  /** How much happens to people and to vendors; 1 is a usual life. */
  busy?: number;
  onDay?: (day: number) => void;
}

/** The first evening, so that the first change of clocks is two months away. */
const BEGINS = "2027-01-04T22:00:00Z";
const ZONES = ["America/New_York", "America/Los_Angeles", "Europe/Berlin", "Australia/Lord_Howe"] as const;
/** Most customers sign up within this time, the late ones over three quarters of all days. */
const ARRIVALS_DAYS = 30;
const LATE_ARRIVALS = 0.4;
/** Stripe keeps events for a month. */
const EVENTS_KEPT_DAYS = 30;

/** The working moments of a day, in hours after midnight in the pharmacy's zone, give or take. */
const MOMENTS = [2.1, 14] as const;

/** One clinic lives so many days, and each of them is checked. Needs the database to itself, and does not clean up. */
export async function runSimulation(options: SimulationOptions): Promise<SimulationReport> {
  const startedAt = performance.now();
  const { url, seed, customers, days, busy = 1, onDay } = options;
  const begins = new Date(BEGINS);
  const dice = makeDice(seed, "world");
  const timeZone = ZONES[seed % ZONES.length] ?? ZONES[0];
  const world = await makeWorld({
    url,
    seed,
    beginsAt: begins,
    // Charges without the flow of orders: the simulated pharmacy fills them by itself.
    takes: (body) => !/"type":"(invoice\.(?!upcoming)|charge\.)/.test(body),
  });
  try {
    await sql`update clockwork.settings set pharmacy_time_zone = ${timeZone}`.execute(world.db);
    await openShop(world.db, world.vendors);
    const tally = new Map<string, number>();
    const stage: Stage = {
      world,
      agenda: makeAgenda(),
      customers: [],
      refills: new Map(),
      busy,
      timeZone,
      tally,
      breaks: makeBreaks(world.now),
    };
    const weather = makeWeather({
      dice: makeDice(seed, "weather"),
      vendors: world.vendors,
      begins,
      days,
      busy,
      tally,
    });
    const checks = makeChecks(stage);
    const ops = makeOpsPerson(stage, makeDice(seed, "ops"));
    for (let number = 1; number <= customers; number++) {
      const within = dice.chance(LATE_ARRIVALS) ? days * 0.75 : Math.min(ARRIVALS_DAYS, days / 4);
      stage.agenda.at(begins.getTime() + dice.between(0, within) * DAY_MS, () => signUp(stage, number, seed));
    }

    let nightAt: Date | null = null;
    const open: OpenOnDay[] = [];
    for (let day = 1; day <= days && !stage.breaks.isEnough(); day++) {
      const midnight = begins.getTime() + day * DAY_MS;
      for (const hour of MOMENTS) {
        const at = new Date(midnight + (hour + dice.between(0, 1)) * HOUR_MS);
        await world.moveTo(at);
        weather.set(at);
        await stage.agenda.happen(at);
        await tick(world.startNightlyWork, weather.ticks(at));
        await tick(world.startDueRenewals, weather.ticks(at));
        await world.drainAll();
        await checks.hear();
      }
      nightAt = (await lastFullNight(stage)) ?? nightAt;
      checks.examine(nightAt, await ops.read());
      open.push(await readOpen(world.db));
      forget(stage);
      onDay?.(day);
    }
    const { list, checks: checked } = stage.breaks;
    const { tasks, calls } = world.counts();
    return {
      ok: list.length === 0,
      seed,
      customers,
      days: open.length,
      timeZones: [timeZone],
      seconds: (performance.now() - startedAt) / 1000,
      checked: Object.fromEntries(checked),
      happened: { ...Object.fromEntries(tally), "tasks settled": tasks, "calls to vendors": calls },
      funnel: await readFunnel(world.db),
      open,
      breaks: list.map((one) => ({
        ...one,
        seed,
        customers,
        story: storyOf(stage.customers.find(({ number }) => number === one.customer)),
      })),
    };
  } finally {
    await world.close();
  }
}

async function tick(work: () => Promise<void>, { times, atOnce }: { times: number; atOnce: boolean }) {
  if (atOnce) await Promise.all(Array.from({ length: times }, work));
  else for (let time = 0; time < times; time++) await work();
}

/** The begin of the last night. Null while some of its work, or any due work, is not done. */
async function lastFullNight({ world: { db } }: Stage): Promise<Date | null> {
  const { rows } = await sql<{ night_at: Date | null; open: number }>`
    select
      (select max(created_at) from clockwork.tasks where step = 'renewal.find' and key like 'night:%') as night_at,
      (select count(*) from clockwork.tasks
       where status = 'QUEUED' or (status = 'PENDING' and (step like 'renewal.%' or run_after <= clockwork.now())))::int as open
  `.execute(db);
  const [row] = rows;
  return row && row.open === 0 ? row.night_at : null;
}

function forget({ world: { vendors: { stripe }, now } }: Stage): void {
  const before = now().getTime() / 1000 - EVENTS_KEPT_DAYS * 86_400;
  for (const event of stripe.state.events.values()) {
    if (event.created >= before) break;
    stripe.state.events.delete(event.id);
  }
}
