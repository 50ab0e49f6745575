import { sql } from "kysely";
import { expect } from "vitest";
import { stopped } from "../support/act.ts";
import type { World } from "../support/world.ts";
import { atStripe, dayIn, type Refiller, refiller, renewals, toldOf } from "../renewals/support.ts";
import type { Story } from "./stories.ts";

const refillers = new WeakMap<World, Refiller>();
const refillerOf = (world: World): Refiller => {
  const who = refillers.get(world);
  if (!who) throw new Error("nobody refills");
  return who;
};

/** A customer whose prescription expires in so many days; a renewal is opened as soon as it is written. */
const withRefiller = (days: number) => async (world: World): Promise<void> => {
  await world.clinic.openShop();
  // The other nightly work has its own proofs.
  await sql`update clockwork.nightly_work set is_on = step = 'renewal.find'`.execute(world.db);
  refillers.set(world, await refiller(world, { validUntil: dayIn(days) }));
  await world.drainAll();
};

/** So many days later cron winds its work, twice: the drain has not begun. */
const later = (days: number) => async (world: World): Promise<void> => {
  await world.pass({ days });
  for (let tick = 0; tick < 2; tick++) {
    await sql`select clockwork.start_nightly_work()`.execute(world.db);
    await sql`select clockwork.start_due_renewals()`.execute(world.db);
  }
};

const prescribe = (world: World) => void world.clinic.prescribe(refillerOf(world), "price_morning_month");

async function expectEnd(world: World, end: object, told: string[]): Promise<void> {
  expect(await renewals(world)).toMatchObject([end]);
  expect(toldOf(world, refillerOf(world))).toEqual(told);
  expect((await stopped(world)).filter(({ step }) => step.startsWith("renewal."))).toEqual([]);
}

/** How often collection was paused or resumed, by what Stripe told of it. */
function turnsOfBilling(world: World): number {
  let turns = 0;
  for (const { type, data } of world.vendors.stripe.state.events.values()) {
    const before = data.previous_attributes;
    if (type !== "customer.subscription.updated" || !before || !("pause_collection" in before)) continue;
    if (JSON.stringify(before["pause_collection"]) !== JSON.stringify(data.object["pause_collection"])) {
      turns += 1;
    }
  }
  return turns;
}

export const RENEWAL_STORIES: readonly Story[] = [
  {
    name: "a prescription that ends is asked for, reminded and renewed",
    before: withRefiller(36),
    moments: [later(7), later(16), prescribe],
    async after(world) {
      await expectEnd(world, { state: "RENEWED", reminders: 1, lapsed_at: null }, [
        "renewal_due",
        "renewal_reminder",
        "renewal_renewed",
      ]);
      expect(turnsOfBilling(world)).toBe(0);
    },
  },
  {
    name: "a prescription that lapses pauses the billing, and a renewal resumes it",
    before: withRefiller(1),
    moments: [later(3), later(1), prescribe],
    async after(world) {
      await expectEnd(world, {
        state: "RENEWED",
        billing_paused_at: expect.any(Date),
        billing_resumed_at: expect.any(Date),
      }, ["renewal_due", "renewal_lapsed", "renewal_renewed"]);
      expect(atStripe(world, refillerOf(world))).toMatchObject({ pause_collection: null, metadata: {} });
      expect(turnsOfBilling(world)).toBe(2);
    },
  },
  {
    name: "a customer who cancels in the middle of a campaign hears that it is over, and nothing more",
    before: withRefiller(34),
    moments: [
      later(5),
      (world) => void world.vendors.stripe.cancel(refillerOf(world).subscriptionId),
      later(1),
    ],
    async after(world) {
      await expectEnd(world, { state: "CANCELLED" }, ["renewal_due", "renewal_cancelled"]);
    },
  },
  {
    name: "a customer who pauses in the middle of a campaign hears nothing more, and is not paused by us",
    before: withRefiller(34),
    moments: [
      later(5),
      (world) => void world.vendors.stripe.pause(refillerOf(world).subscriptionId),
      later(35),
    ],
    async after(world) {
      await expectEnd(world, { state: "CONTACTED", billing_paused_at: null }, ["renewal_due"]);
      expect(atStripe(world, refillerOf(world))).toMatchObject({ status: "paused", pause_collection: null });
    },
  },
];
