import { sql } from "kysely";
import { describe, expect, test } from "vitest";
import { seeded, shuffle } from "../../scripts/sandbox/random.ts";
import { makeBoss } from "../../src/shared/queue/boss.ts";
import { drain } from "../../src/shared/queue/drain.ts";
import { STEPS } from "../../src/shared/steps/table.ts";
import { effects, orders, setStatus } from "../support/act.ts";
import { makeWorld, type World } from "../support/world.ts";
import { recover, STORIES } from "./stories.ts";

/** The steps the stories below came by, over all tests of this file. */
const met = new Set<string>();

async function remember(world: World): Promise<void> {
  for (const { step } of await world.db.selectFrom("clockwork.tasks").select("step").distinct().execute()) {
    met.add(step);
  }
}

/** How often the CRM was told of an order, repeats included. */
function ordersHeard(world: World): number {
  return world.vendors.crm.receipts.filter(({ name }) => name?.startsWith("order_")).length;
}

/** Gives each task that is due a twin: the same step and data under another key. */
async function doubleWhatIsDue(world: World): Promise<void> {
  await sql`
    insert into clockwork.tasks (step, data, key, vendor, customer_id, invoice_id)
    select step, data, key || ':twin', vendor, customer_id, invoice_id from clockwork.tasks
    where status = 'PENDING' and run_after <= clockwork.now() and key not like '%:twin'
    on conflict do nothing
  `.execute(world.db);
}

describe.each(STORIES)("$name", (story) => {
  test("with each task doubled, and two drains at it at once", { timeout: 240_000 }, async () => {
    const world = await makeWorld();
    const drainAll = world.drainAll;
    world.drainAll = async () => {
      for (let i = 0; i < 12; i++) {
        await world.vendors.flush();
        await doubleWhatIsDue(world);
        const other = { ...world.deps, boss: makeBoss(world.db) };
        // The queue lease would make one of them stand back; correctness must not rest on it.
        await sql`update clockwork.vendors set leased_by = null, leased_until = null`.execute(world.db);
        const [one, two] = await Promise.all([drain(world.deps), drain(other)]);
        if (one.settled + two.settled + one.lost + two.lost === 0 && world.vendors.waiting() === 0) break;
      }
      await drainAll();
    };
    await story.before(world);
    for (const moment of story.moments) {
      await moment(world);
      await recover(world);
    }
    const { rows } = await sql<
      { count: number }
    >`select count(*) from clockwork.tasks where key like '%:twin'`.execute(world.db);
    expect(rows[0]?.count).toBeGreaterThan(2);
    // A doubled question to a person is asked twice; one answer is enough, so the twin is dropped.
    await sql`update clockwork.tasks set status = 'CANCELLED' where status = 'MANUAL_INTERVENTION'`.execute(
      world.db,
    );
    await story.after(world);
    await remember(world);
  });

  test.each([0, 45])(
    "with every task resent in random order, %i days later",
    { timeout: 240_000 },
    async (days) => {
      const world = await makeWorld();
      await story.before(world);
      for (const moment of story.moments) {
        await moment(world);
        await recover(world);
      }
      world.vendors.stripe.forgetIdempotencyKeys();
      await world.pass({ days });
      const [ordersBefore, effectsBefore, postsBefore] = [
        await orders(world),
        await effects(world),
        ordersHeard(world),
      ];
      const done = await world.db.selectFrom("clockwork.tasks").select("id").where("status", "=", "DONE")
        .execute();
      for (const { id } of shuffle(done, seeded(days))) {
        await setStatus(world.db, id, "PENDING");
        await world.drainAll();
      }
      await recover(world);
      await story.after(world);
      expect(await orders(world)).toEqual(
        ordersBefore.map((order) => ({ ...order, released_at: expect.toSatisfy(() => true) })),
      );
      // Weeks later a prescription may have come due: asking to renew it is no repeat.
      const states = (all: Awaited<ReturnType<typeof effects>>) =>
        all.filter(({ key }) => !key.startsWith("renewal:")).map((
          { vendor, operation, key, state, reference },
        ) => ({
          vendor,
          operation,
          key,
          state,
          reference,
        }));
      expect(states(await effects(world))).toEqual(states(effectsBefore));
      expect(ordersHeard(world)).toBe(postsBefore);
      await remember(world);
    },
  );
});

test("a vendor that never answers one call, while it answers others: a person, and a resend ends the story", {
  timeout: 240_000,
}, async () => {
  const world = await makeWorld();
  const [story] = STORIES;
  await story?.before(world);
  world.vendors.pharmacy.faults.add({ operation: "list prescriptions", kind: "status", status: 500 });
  await story?.moments[0]?.(world);
  for (let i = 0; i < 40; i++) {
    // Other calls go well in between, so that no pause is opened and each failure is this task's own.
    await sql`update clockwork.vendors set failures_in_a_row = 0, paused_until = null`.execute(world.db);
    await world.drainAll();
    await world.pass({ minutes: 31 });
  }
  const stop = await world.db.selectFrom("clockwork.tasks").selectAll().where(
    "status",
    "=",
    "MANUAL_INTERVENTION",
  ).executeTakeFirstOrThrow();
  expect(stop).toMatchObject({ step: "order.place", reason_code: "VENDOR_UNANSWERED", attempts: 21 });
  world.vendors.pharmacy.faults.clear();
  await setStatus(world.db, stop.id, "PENDING");
  for (const moment of story?.moments.slice(1) ?? []) {
    await recover(world);
    await moment(world);
  }
  await recover(world);
  await story?.after(world);
});

test("every step of ours was in it", () => {
  // What these stories do not come by has the same proofs of its own, named here.
  const elsewhere = [
    "webhook.unreadable", // test/steps/pharmacy-order-event.test.ts
    "order.cancel_duplicate", // test/steps/order-place.test.ts, test/proof/vendor-faults.test.ts
    "stripe.charge.dispute.created", // test/steps/money-back.test.ts, as is all that goes to order.review
    "stripe.charge.dispute.updated",
    "stripe.charge.dispute.closed",
    "stripe.refund.created",
    "stripe.refund.updated",
    "stripe.refund.failed",
    "stripe.credit_note.created",
    "stripe.credit_note.voided",
    "order.decide",
    "stripe.invoice.voided",
    "stripe.invoice.marked_uncollectible",
    "stripe.customer.subscription.resumed", // test/steps/order-place.test.ts
    "stripe.customer.subscription.updated",
    "health.medicationrequest.update", // as …create
    "pharmacy.prescription.active", // as …created
    "stripe.invoice.upcoming", // test/renewals/renewals.test.ts, as is all that follows
    "stripe.customer.subscription.paused",
    "stripe.customer.subscription.deleted",
    "pharmacy.prescription.depleted",
    "pharmacy.prescription.canceled",
    "drift.customers", // test/drift
    "drift.logins",
    "drift.look",
    "renewal.find",
    "renewal.advance",
    "renewal.tell_crm",
    "renewal.pause_billing",
    "renewal.resume_billing",
    "completeness.stripe", // test/checks
    "completeness.health",
    "completeness.pharmacy",
    "completeness.endpoint",
    "crm.profile.changed", // test/owners/contact.test.ts, as are the next two
    "stripe.customer.updated",
    "owner.propagate_contact",
    "owner.propagate_login", // test/owners/login.test.ts
    "stripe.invoice.payment_failed", // test/steps/payment-failed.test.ts
    "owner.tell_payment_failed",
    "health.patient.update", // test/owners/address.test.ts, as are the next two; …create is as …update
    "owner.check_address",
    "order.readdress",
    "completeness.invoices",
    "product.count_stripe", // test/products/count.test.ts: each page counted once, killed anywhere, resent
    "product.count_pharmacy",
    "product.check_key",
    "product.retire", // test/products/retire.test.ts: killed anywhere, doubled, resent weeks later
    "product.move_subscription",
    "stripe.customer.deleted", // test/registry/merging.test.ts, as are deletions and merges at the health record
    "health.patient.delete",
    "customer.merge",
    "stripe.checkout.session.completed", // test/registry/linking.test.ts, any-order.test.ts
    "stripe.payment_method.attached", // test/subscriptions/first-prescription.test.ts
    "customer.link",
    "customer.linked",
    "pharmacy.order.rerouted", // test/ingest/fixtures.test.ts; one step for all pharmacy.order events
    "pharmacy.order.error",
  ];
  const missing = STEPS.flatMap((step) => step.handles).filter((name) =>
    !met.has(name) && !elsewhere.includes(name)
  );
  expect(missing).toEqual([]);
});
