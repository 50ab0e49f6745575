import { sql } from "kysely";
import type { FollowUp } from "../../src/shared/queue/reasons.ts";
import type { Step } from "../../src/shared/queue/step.ts";
import { ownerCheckAddress } from "../../src/shared/steps/owner/check-address.ts";
import { ownerPropagatePlan } from "../../src/shared/steps/owner/propagate-plan.ts";
import { subscriptionLook } from "../../src/shared/steps/subscription/look.ts";
import { STEPS } from "../../src/shared/steps/table.ts";
import { seeded } from "../sandbox/random.ts";
import {
  makeWorld as makeWholeWorld,
  type World as WholeWorld,
  type WorldOptions,
} from "../sandbox/world.ts";
import { PreparedClient } from "./prepared-client.ts";

/** The world of a clinic over years, with its renewals alone. */
export interface World extends WholeWorld {
  /** As pg_cron does every five minutes. */
  startNightlyWork(): Promise<void>;
  startDueRenewals(): Promise<void>;
}

const CONNECTIONS = 8;
/** Some moments bring more work than a test's. */
const ROUNDS = 200;

export async function makeWorld(
  { seed, ...options }: Required<Pick<WorldOptions, "url" | "beginsAt" | "takes">> & { seed: number },
): Promise<World> {
  const world = await makeWholeWorld({
    ...options,
    random: seeded(seed),
    served: false, // two years are a million requests
    connections: CONNECTIONS,
    Client: PreparedClient,
    steps: STEPS.map(leavingOut),
  });
  const { db } = world;
  await sql`update clockwork.vendors set concurrency = 16`.execute(db);
  // The renewals' nights alone: the completeness checks would miss the webhooks that are not delivered here.
  await sql`update clockwork.nightly_work set is_on = step = 'renewal.find'`.execute(db);
  return {
    ...world,
    async startNightlyWork() {
      await sql`select clockwork.start_nightly_work()`.execute(db);
    },
    async startDueRenewals() {
      await sql`select clockwork.start_due_renewals()`.execute(db);
    },
    drainAll: () => world.drainAll({ rounds: ROUNDS, untilNothingIsDue: true }),
  };
}

/** The CRM's mirror of the plan, first subscriptions and orders' addresses: many tasks, and no part of renewals. */
const LEFT_OUT = new Set(
  [ownerPropagatePlan, subscriptionLook, ownerCheckAddress].flatMap(({ handles }) => handles),
);

/** The step without the follow-ups that are left out. */
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
