import { sql } from "kysely";
import { makeVendors, webhookConnector, webhookSecrets } from "../../src/shared/connectors.ts";
import { connect, type Database } from "../../src/shared/db/database.ts";
import { parseEnv } from "../../src/shared/env.ts";
import { makeWebhooksApp } from "../../src/shared/http/webhooks-app.ts";
import { makeBoss } from "../../src/shared/queue/boss.ts";
import { drain, type DrainDeps } from "../../src/shared/queue/drain.ts";
import type { FollowUp } from "../../src/shared/queue/reasons.ts";
import type { Step } from "../../src/shared/queue/step.ts";
import { ownerPropagatePlan } from "../../src/shared/steps/owner/propagate-plan.ts";
import { ownerCheckAddress } from "../../src/shared/steps/owner/check-address.ts";
import { subscriptionLook } from "../../src/shared/steps/subscription/look.ts";
import { makeStepTable, STEPS } from "../../src/shared/steps/table.ts";
import { PlannedClient } from "./planned-client.ts";
import { FOLLOW_CLOCKWORKS_CLOCK } from "../sandbox/clock.ts";
import { isSomethingDue } from "../stack/due.ts";
import { type SandboxApp, seeded } from "../sandbox/server.ts";
import { type LocalVendors, startVendors } from "../sandbox/vendors.ts";

/**
 * Clockwork as it is (its steps, its drain, its SQL functions, a real database) among the vendors' sandboxes, in one
 * process and on a clock that is set from moment to moment.
 */
export interface World {
  db: Database;
  vendors: LocalVendors;
  now(): Date;
  /** Sets the clock, in SQL and in TypeScript alike. It runs on from there. */
  moveTo(at: Date): Promise<void>;
  /** What pg_cron does every five minutes. */
  startNightlyWork(): Promise<void>;
  startDueRenewals(): Promise<void>;
  /** Webhooks are delivered and the drain is ticked until neither finds anything that can be done now. */
  settle(): Promise<void>;
  /** Tasks that were settled so far, and calls that the vendors answered. */
  counts(): { tasks: number; calls: number };
  close(): Promise<void>;
}

const CONNECTIONS = 8;
/** A livelock must not look like a slow run. */
const MOST_ROUNDS = 200;

/** @param takes false for a webhook that does not belong to what is simulated: it is answered and goes nowhere */
export async function makeWorld(
  { url, seed, beginsAt, takes }: {
    url: string;
    seed: number;
    beginsAt: Date;
    takes: (body: string) => boolean;
  },
): Promise<World> {
  const { db, close } = connect(url, CONNECTIONS, PlannedClient);
  let offset = beginsAt.getTime() - Date.now();
  const now = () => new Date(Date.now() + offset);
  const steps = makeStepTable(STEPS.map(leavingOut));
  const vendors = await startVendors({
    now,
    random: seeded(seed),
    webhooksUrl: "http://clockwork.test/webhooks",
    fetch: async (input, init) => {
      if (typeof init?.body === "string" && !takes(init.body)) return new Response(null, { status: 200 });
      return await webhooks.request(input instanceof Request ? input : String(input), init);
    },
  });
  const env = parseEnv(vendors.env);
  const log: DrainDeps["log"] = () => {};
  const webhooks = makeWebhooksApp({
    db,
    steps,
    log,
    clock: () => Promise.resolve(now()),
    connector: webhookConnector,
    secrets: (vendor, source) => webhookSecrets(env, vendor, source),
  });
  const call = callsWithin(vendors);
  const deps: DrainDeps = {
    db,
    log,
    clock: now,
    boss: makeBoss(db),
    steps,
    vendors: makeVendors(env, () => call, now),
    every: () => () => {},
  };
  const setClock = async () => {
    await sql`update clockwork.settings set clock_offset = make_interval(secs => ${offset / 1000})`.execute(
      db,
    );
  };
  await sql.raw(FOLLOW_CLOCKWORKS_CLOCK).execute(db);
  // The sandboxes have no limits to respect.
  await sql`update clockwork.vendors set rate_per_second = 100000, concurrency = 16`.execute(db);
  // The renewals' nights alone: what is not delivered here on purpose is not to be found missing.
  await sql`update clockwork.nightly_work set is_on = step = 'renewal.find'`.execute(db);
  await setClock();
  let tasks = 0;
  return {
    db,
    vendors,
    now,
    async moveTo(at) {
      offset = at.getTime() - Date.now();
      await setClock();
    },
    async startNightlyWork() {
      await sql`select clockwork.start_nightly_work()`.execute(db);
    },
    async startDueRenewals() {
      await sql`select clockwork.start_due_renewals()`.execute(db);
    },
    async settle() {
      for (let round = 0; round < MOST_ROUNDS; round++) {
        await vendors.flush();
        if (!(await isSomethingDue(db))) return;
        const { settled } = await drain(deps);
        tasks += settled;
      }
      throw new Error("the simulation does not come to rest: the same work is done again and again");
    },
    counts: () => ({ tasks, calls: callsOf(vendors) }),
    async close() {
      await vendors.close();
      await close();
    },
  };
}

/** The CRM's mirror of the plan, first subscriptions and open orders' addresses: no part of renewals, but many tasks. */
const LEFT_OUT = new Set(
  [ownerPropagatePlan, subscriptionLook, ownerCheckAddress].flatMap(({ handles }) => handles),
);

/** What the step asks for, but for what is left out. */
function leavingOut(step: Step): Step {
  return {
    ...step,
    async run(ctx, data) {
      const outcome = await step.run(ctx, data);
      if (!("commit" in outcome) || !outcome.commit) return outcome;
      const { commit } = outcome;
      const isPlayed = (followUp: FollowUp) => !LEFT_OUT.has(followUp.step);
      return { ...outcome, commit: async (trx) => ((await commit(trx)) ?? []).filter(isPlayed) };
    },
  };
}

/** `fetch` that hands each request to its sandbox without a socket in between: two years are a million requests. */
function callsWithin({ env, stripe, health, pharmacy, crm }: LocalVendors): typeof fetch {
  const at = (url: string | undefined, app: SandboxApp) => [new URL(url ?? "").origin, app] as const;
  const apps = new Map<string, SandboxApp>([
    at(env["STRIPE_API_URL"], stripe.app),
    at(env["MEDPLUM_BASE_URL"], health.app),
    at(env["PHOTON_API_URL"], pharmacy.app),
    at(env["CUSTOMERIO_TRACK_URL"], crm.app),
  ]);
  return async (input, init) => {
    const request = new Request(input, init);
    const app = apps.get(new URL(request.url).origin);
    if (!app) throw new TypeError(`nobody answers at ${request.url}`);
    const response = await app.fetch(request, {});
    if (response.status === CONNECTION_BROKE) throw new TypeError("the connection broke");
    return response;
  };
}

/** What a sandbox answers where it would break the connection. */
const CONNECTION_BROKE = 499;

function callsOf({ stripe, health, pharmacy, crm }: LocalVendors): number {
  return [stripe, health, pharmacy, crm].reduce((sum, { faults }) => sum + faults.answered, 0);
}
