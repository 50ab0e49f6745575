import { describe, expect, test } from "vitest";
import { addTask, heard, setStatus, stopped, tasksOf } from "../support/act.ts";
import { countFaultPoints, killAt } from "../support/kill.ts";
import { makeWorld, type World } from "../support/world.ts";
import { recover } from "../proof/stories.ts";

async function subscribed() {
  const world = await makeWorld();
  await world.clinic.openShop();
  const person = await world.clinic.signUp("Ada Example");
  world.clinic.prescribe(person, "price_morning_month");
  const { subscriptionId } = world.clinic.subscribe(person, "price_morning_month");
  await world.drainAll();
  return { world, person, subscriptionId };
}

const told = (world: World, personId: string) =>
  world.vendors.crm.heard(personId).filter(({ name }) => name === "payment_failed");
const plan = async (world: World, personId: string) =>
  (await world.deps.vendors.crm.readProfiles([personId])).get(personId)?.planState;

describe("a payment that failed", { timeout: 120_000 }, () => {
  test("is told once for each try, with the day of the next one and no product, and the plan follows", async () => {
    const { world, person, subscriptionId } = await subscribed();
    world.vendors.stripe.outbox.faults.doubled = 1;
    const invoice = world.vendors.stripe.failPayment(subscriptionId);
    await world.drainAll();
    const next = expect.stringMatching(/^\d{4}-\d\d-\d\d$/);
    expect(told(world, person.crmPersonId).map(({ data }) => data)).toEqual([
      { attempt: 1, next_attempt_on: next },
    ]);
    expect(await plan(world, person.crmPersonId)).toBe("past_due");
    await world.pass({ days: 3 });
    world.vendors.stripe.retryPayment(invoice.id, { isLast: true });
    await world.drainAll();
    for (const { id } of await tasksOf(world, "owner.tell_payment_failed")) {
      if ((await world.task(id)).status === "DONE") await setStatus(world.db, id, "PENDING");
    }
    await world.drainAll();
    expect(told(world, person.crmPersonId).map(({ data }) => data)).toEqual([
      { attempt: 1, next_attempt_on: next },
      { attempt: 2, next_attempt_on: null },
    ]);
    expect(await stopped(world)).toEqual([]);
  });

  test("late news of the first try, after the second, tells the second alone", async () => {
    const { world, person, subscriptionId } = await subscribed();
    const invoice = world.vendors.stripe.failPayment(subscriptionId);
    world.vendors.stripe.retryPayment(invoice.id);
    world.vendors.stripe.outbox.faults.shuffled = true;
    await world.drainAll();
    expect(told(world, person.crmPersonId).map(({ data }) => data["attempt"])).toEqual([2]);
  });

  test.each(
    [
      ["paid", (w: World, _s: string, i: string) => w.vendors.stripe.payInvoice(i)],
      ["voided", (w: World, _s: string, i: string) => w.vendors.stripe.voidInvoice(i)],
      ["paused", (w: World, s: string) => w.vendors.stripe.pauseCollection(s)],
      ["cancelled", (w: World, s: string) => w.vendors.stripe.cancel(s)],
    ] as const,
  )("and is %s before anybody looked is not told", async (_name, act) => {
    const { world, person, subscriptionId } = await subscribed();
    const invoice = world.vendors.stripe.failPayment(subscriptionId);
    act(world, subscriptionId, invoice.id);
    await world.drainAll();
    expect(told(world, person.crmPersonId)).toEqual([]);
    expect(await stopped(world)).toEqual([]);
  });

  test("and is paid at the very moment of telling is not told", async () => {
    const { world, person, subscriptionId } = await subscribed();
    const invoice = world.vendors.stripe.failPayment(subscriptionId);
    let claims = 0;
    world.deps.faultPoint = async (name) => {
      if (name !== "effect claimed" || claims++ > 0) return;
      await Promise.resolve(world.vendors.stripe.payInvoice(invoice.id));
    };
    await world.drainAll();
    expect(claims).toBeGreaterThan(0);
    expect(told(world, person.crmPersonId)).toEqual([]);
    expect(await tasksOf(world, "owner.tell_payment_failed")).toMatchObject([{
      status: "CANCELLED",
      reason_code: "PAYMENT_NOT_TOLD",
    }]);
    expect(await plan(world, person.crmPersonId)).toBe("active");
  });

  test("of somebody nobody knows is for a person; of no subscription, for nobody", async () => {
    const { world, person, subscriptionId } = await subscribed();
    await world.db.updateTable("registry.customers").set({ stripe_customer_id: null }).execute();
    world.vendors.stripe.failPayment(subscriptionId);
    await world.drainAll();
    const [asked] = await stopped(world);
    expect(asked).toMatchObject({ step: "owner.tell_payment_failed", reason_code: "UNKNOWN_CUSTOMER" });
    await world.db.updateTable("registry.customers").set({ stripe_customer_id: person.stripeCustomerId })
      .execute();
    await setStatus(world.db, asked?.id ?? 0, "PENDING");
    await world.drainAll();
    expect(told(world, person.crmPersonId)).toHaveLength(1);
    await addTask(world.db, "stripe.invoice.payment_failed", { object_id: "in_nobody" }, "stripe");
    await world.drainAll();
    expect(await stopped(world)).toMatchObject([{ reason_code: "INVOICE_NOT_FOUND" }]);
  });

  test("wherever the drain is killed, is told once", { timeout: 300_000 }, async () => {
    const calm = await subscribed();
    const count = countFaultPoints(calm.world);
    calm.world.vendors.stripe.failPayment(calm.subscriptionId);
    await recover(calm.world);
    const points = count();
    expect(points).toBeGreaterThan(20);
    const stride = process.env["CLOCKWORK_EVERY_POINT"] ? 1 : 9;
    for (let nth = 2; nth <= points; nth += stride) {
      const { world, person, subscriptionId } = await subscribed();
      const killed = killAt(world, nth);
      world.vendors.stripe.failPayment(subscriptionId);
      await recover(world);
      const names = heard(world, person.crmPersonId).filter((name) => name === "payment_failed");
      expect(names, `killed at ${nth}, ${killed.met()}`).toEqual(["payment_failed"]);
      await world.close();
    }
  });
});
