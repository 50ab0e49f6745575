import { describe, expect, test } from "vitest";
import { planOf } from "../../src/shared/owners/plan.ts";
import type { StripeSubscription } from "../../src/shared/vendors/stripe/client.ts";
import { setStatus, stopped, tasksOf } from "../support/act.ts";
import { makeWorld, type World } from "../support/world.ts";

async function subscribed() {
  const world = await makeWorld();
  await world.clinic.openShop();
  const person = await world.clinic.signUp("Ada Example");
  world.clinic.prescribe(person, "price_morning_month");
  const { subscriptionId } = world.clinic.subscribe(person, "price_morning_month");
  await world.drainAll();
  return { world, person, subscriptionId };
}

const plan = async (world: World, personId: string) =>
  (await world.deps.vendors.crm.readProfiles([personId])).get(personId);

describe("the CRM's mirror of the plan", () => {
  test(
    "follows Stripe: both kinds of pause, a failed charge, a cancellation at the period's end, and the end",
    {
      timeout: 120_000,
    },
    async () => {
      const { world, person, subscriptionId } = await subscribed();
      const { stripe } = world.vendors;
      const next = /^\d{4}-\d\d-\d\d$/;
      const told = async (act: () => unknown) => {
        act();
        await world.drainAll();
        const { planState, nextRefillOn } = (await plan(world, person.crmPersonId)) ?? {};
        return [planState, nextRefillOn];
      };
      expect(await told(() => {})).toEqual(["active", expect.stringMatching(next)]);
      expect(await told(() => stripe.pause(subscriptionId))).toEqual(["paused", null]);
      expect(await told(() => stripe.resume(subscriptionId))).toEqual([
        "active",
        expect.stringMatching(next),
      ]);
      expect(await told(() => stripe.pauseCollection(subscriptionId))).toEqual(["paused", null]);
      expect(await told(() => stripe.resumeCollection(subscriptionId))).toEqual([
        "active",
        expect.stringMatching(next),
      ]);
      expect(await told(() => stripe.failPayment(subscriptionId))).toEqual([
        "past_due",
        expect.stringMatching(next),
      ]);
      const invoice = String(stripe.state.subscriptions.get(subscriptionId)?.latest_invoice);
      expect(await told(() => stripe.payInvoice(invoice))).toEqual(["active", expect.stringMatching(next)]);
      expect(await told(() => stripe.cancelAtPeriodEnd(subscriptionId))).toEqual(["ending", null]);
      expect(await told(() => stripe.cancel(subscriptionId))).toEqual(["cancelled", null]);
      // Whether the fill that waits for a prescription ships is asked elsewhere.
      expect((await stopped(world)).filter(({ step }) => step !== "order.decide")).toEqual([]);
    },
  );

  test("active, paused, active in a burst, shuffled and doubled, ends as active; what is equal is not written", async () => {
    const { world, person, subscriptionId } = await subscribed();
    const before = world.vendors.crm.writes(person.crmPersonId);
    world.vendors.stripe.outbox.faults.doubled = 1;
    world.vendors.stripe.outbox.faults.shuffled = true;
    world.vendors.stripe.pause(subscriptionId);
    world.vendors.stripe.resume(subscriptionId);
    await world.drainAll();
    expect(await plan(world, person.crmPersonId)).toMatchObject({ planState: "active" });
    expect(world.vendors.crm.writes(person.crmPersonId)).toBe(before);
    for (const { id } of await tasksOf(world, "owner.propagate_plan")) {
      await setStatus(world.db, id, "PENDING");
    }
    await world.drainAll();
    expect(world.vendors.crm.writes(person.crmPersonId)).toBe(before);
  });

  test("somebody's edit in the CRM is put right by the next news, and a person the CRM lacks is asked about", async () => {
    const { world, person, subscriptionId } = await subscribed();
    await world.deps.vendors.crm.updateProfile(
      person.crmPersonId,
      { planState: "cancelled", nextRefillOn: null },
      world.now(),
    );
    await world.pass({ minutes: 1 });
    world.vendors.stripe.pause(subscriptionId);
    await world.drainAll();
    expect(await plan(world, person.crmPersonId)).toMatchObject({ planState: "paused" });
    await world.db.updateTable("registry.customers").set({ crm_person_id: "nobody" }).execute();
    world.vendors.stripe.resume(subscriptionId);
    await world.drainAll();
    const [asked] = await stopped(world);
    expect(asked).toMatchObject({ reason_code: "CRM_PERSON_UNKNOWN" });
    await world.db.updateTable("registry.customers").set({ crm_person_id: person.crmPersonId }).execute();
    await setStatus(world.db, asked?.id ?? 0, "PENDING");
    await world.drainAll();
    expect(await plan(world, person.crmPersonId)).toMatchObject({ planState: "active" });
  });
});

describe("planOf", () => {
  const subscription = (changes: Partial<StripeSubscription>): StripeSubscription => ({
    id: "sub_1",
    customerId: "cus_1",
    status: "active",
    collectionPaused: false,
    pausedBecause: null,
    endsAt: null,
    createdAt: new Date("2026-01-01"),
    endedAt: null,
    metadata: {},
    nextRefillAt: new Date("2026-03-08T04:30:00Z"),
    billingAnchor: new Date("2026-01-01"),
    isScheduled: false,
    hasPendingUpdate: false,
    items: [],
    ...changes,
  });
  const of = (...all: Partial<StripeSubscription>[]) => planOf(all.map(subscription), "America/New_York");

  test("the next refill is the earliest of what goes on, on the pharmacy's calendar", () => {
    expect(of({}, { nextRefillAt: new Date("2026-03-05T12:00:00Z"), status: "paused" }))
      .toEqual({ planState: "active", nextRefillOn: "2026-03-07" });
  });

  test("our own pause is not the customer's, and one that goes on outweighs one that does not", () => {
    const paused = { collectionPaused: true };
    const ours = { ...paused, metadata: { clockwork_paused_for_renewal: "7" } };
    expect(of(ours).planState).toBe("renewal_needed");
    expect(of(paused).planState).toBe("paused");
    expect(of(paused, {}).planState).toBe("active");
    expect(of({ status: "past_due" }, {}).planState).toBe("past_due");
    expect(of({ status: "hibernating" })).toEqual({ planState: "unknown", nextRefillOn: null });
    expect(of()).toEqual({ planState: "cancelled", nextRefillOn: null });
  });
});
