import { beforeEach, describe, expect, test } from "vitest";
import type { Person } from "../../scripts/sandbox/clinic.ts";
import {
  addTask,
  answer,
  heard,
  liveAtPharmacy,
  liveOn,
  orders,
  setStatus,
  stopped,
  tasksOf,
} from "../support/act.ts";
import { makeWorld, type World } from "../support/world.ts";

let world: World;
let person: Person;
let paid: { subscriptionId: string; invoiceId: string; chargeId: string };
beforeEach(async () => {
  world = await makeWorld();
  await world.clinic.openShop();
  person = await world.clinic.signUp("Ada Example");
  world.clinic.prescribe(person, "price_pen_month");
  const { chargeId, ...rest } = world.clinic.subscribe(person, "price_pen_month");
  paid = { ...rest, chargeId: chargeId ?? "" };
});

/** The pharmacy moves the only order on until it has shipped. */
async function ship() {
  for (let i = 0; i < 3; i++) {
    world.clinic.workPharmacy();
    await world.drainAll();
  }
}

describe("a full refund", () => {
  test("of an order that has not shipped cancels it at the pharmacy, and the CRM hears it", async () => {
    await world.drainAll();
    world.vendors.stripe.refund(paid.chargeId);
    await world.drainAll();
    expect(liveAtPharmacy(world)).toEqual([]);
    expect(await orders(world)).toMatchObject([{ state: "CANCELLED", cancel_cause: "refunded" }]);
    expect(heard(world, person.crmPersonId)).toEqual(["order_placed", "order_cancelled"]);
    expect(await stopped(world)).toEqual([]);
  });

  test("of an order that has shipped goes to a person", async () => {
    await world.drainAll();
    await ship();
    world.vendors.stripe.refund(paid.chargeId);
    await world.drainAll();
    expect(await orders(world)).toMatchObject([{ state: "SHIPPED" }]);
    expect(await stopped(world)).toMatchObject([{ step: "order.cancel", reason_code: "ALREADY_SHIPPED" }]);
    await liveOn(world, 5);
    expect(await orders(world)).toMatchObject([{ state: "DELIVERED" }]);
    expect(await stopped(world)).toEqual([]);
  });

  test("of an order that waits for a prescription ends its wait", async () => {
    const other = await world.clinic.signUp("Ben Example");
    const { chargeId } = world.clinic.subscribe(other, "price_morning_month");
    await world.drainAll();
    world.vendors.stripe.refund(chargeId ?? "");
    await world.drainAll();
    const theirs = (await orders(world)).filter((order) => order.customer_id === other.customerId);
    expect(theirs).toMatchObject([{ state: "CANCELLED" }]);
    world.clinic.prescribe(other, "price_morning_month");
    await world.pass({ days: 2 });
    await world.drainAll();
    expect(liveAtPharmacy(world)).toHaveLength(1);
    expect(heard(world, other.crmPersonId)).toEqual(["order_cancelled"]);
  });

  test("while the create is without an answer: it is found first, then cancelled", async () => {
    world.vendors.pharmacy.faults.add({ operation: "create order", kind: "lose_answer", times: 1 });
    world.vendors.pharmacy.outbox.faults.silent = true;
    await world.drainAll();
    world.vendors.stripe.refund(paid.chargeId);
    await world.vendors.stripe.outbox.flush();
    await world.drain();
    expect(await orders(world)).toMatchObject([{ state: "READY" }]);
    for (let i = 0; i < 3; i++) {
      await world.pass({ minutes: 2 });
      await world.drain();
    }
    expect(liveAtPharmacy(world)).toEqual([]);
    expect(await orders(world)).toMatchObject([{ state: "CANCELLED" }]);
    world.vendors.pharmacy.outbox.faults.silent = false;
    await world.drainAll();
    expect(await orders(world)).toMatchObject([{ state: "CANCELLED" }]);
    expect(world.vendors.pharmacy.faults.calls.get("create order")).toBe(1);
    expect(await stopped(world)).toEqual([]);
  });

  test("while the create was lost on its way: it is never placed", async () => {
    world.vendors.pharmacy.faults.add({ operation: "create order", kind: "lose_request", times: 1 });
    await world.drainAll();
    world.vendors.stripe.refund(paid.chargeId);
    await world.drainAll();
    for (let i = 0; i < 4; i++) {
      await world.pass({ minutes: 2 });
      await world.drainAll();
    }
    expect(world.vendors.pharmacy.state.orders.size).toBe(0);
    expect(await orders(world)).toMatchObject([{ state: "CANCELLED" }]);
  });

  test("that the pharmacy carries out only after we gave it up: it is cancelled when it shows", async () => {
    world.vendors.pharmacy.faults.add({ operation: "create order", kind: "late_commit", times: 1 });
    await world.drainAll();
    world.vendors.stripe.refund(paid.chargeId);
    for (let i = 0; i < 4; i++) {
      await world.drainAll();
      await world.pass({ minutes: 2 });
    }
    expect(await orders(world)).toMatchObject([{ state: "CANCELLED", pharmacy_order_id: null }]);
    await world.vendors.pharmacy.faults.commitLate();
    await world.drainAll();
    expect(world.vendors.pharmacy.state.orders.size).toBe(1);
    expect(liveAtPharmacy(world)).toEqual([]);
  });

  test("at the very moment of placing: whoever comes second sees the other", async () => {
    // The order is about to be sent when the refund is worked off completely.
    let isRefunded = false;
    world.deps.faultPoint = async (name) => {
      if (isRefunded || name !== "effect claimed") return;
      isRefunded = true;
      world.vendors.stripe.refund(paid.chargeId);
      const [order] = await orders(world);
      await world.db.updateTable("tracker.orders")
        .set({ cancel_requested_at: world.now(), cancel_cause: "refunded" }).where("id", "=", order?.id ?? 0)
        .execute();
    };
    await world.drainAll();
    for (let i = 0; i < 3; i++) {
      await world.pass({ minutes: 2 });
      await world.drainAll();
    }
    expect(isRefunded).toBe(true);
    expect(world.vendors.pharmacy.state.orders.size).toBe(0);
    expect(await orders(world)).toMatchObject([{ state: "CANCELLED" }]);
  });

  test("the pharmacy's own word about our cancel asks nobody", async () => {
    await world.drainAll();
    world.vendors.stripe.refund(paid.chargeId);
    await world.drainAll();
    await liveOn(world, 2);
    expect(await tasksOf(world, "order.replace")).toEqual([]);
    expect(await stopped(world)).toEqual([]);
  });

  test("a cancel whose answer is lost is found to be done", async () => {
    await world.drainAll();
    world.vendors.pharmacy.faults.add({ operation: "cancel order", kind: "lose_answer", times: 1 });
    world.vendors.stripe.refund(paid.chargeId);
    await world.drainAll();
    await world.pass({ minutes: 2 });
    await world.drainAll();
    expect(await orders(world)).toMatchObject([{ state: "CANCELLED" }]);
    expect(world.vendors.pharmacy.faults.calls.get("cancel order")).toBe(1);
    expect(heard(world, person.crmPersonId)).toEqual(["order_placed", "order_cancelled"]);
  });
});

describe("part of the money", () => {
  test("without a line named: one question, and what is sent goes on until a person calls it off", async () => {
    await world.drainAll();
    world.vendors.stripe.refund(paid.chargeId, 500);
    await world.drainAll();
    const [stop, ...others] = await stopped(world);
    expect(stop).toMatchObject({ step: "order.decide", reason_code: "PARTIAL_REFUND" });
    expect(stop?.reason).toContain("5.00 USD of 199.00 USD went back");
    expect(others).toEqual([]);
    expect(liveAtPharmacy(world)).toHaveLength(1);
    await answer(world.db, stop?.id ?? 0, "call_off");
    await world.drainAll();
    expect(liveAtPharmacy(world)).toEqual([]);
    expect(await orders(world)).toMatchObject([{ state: "CANCELLED", cancel_cause: "person" }]);
    expect(await stopped(world)).toEqual([]);
  });

  test("without a line named: a person lets it ship, and is not asked again about the same money", async () => {
    await world.drainAll();
    world.vendors.stripe.refund(paid.chargeId, 500);
    await world.drainAll();
    await answer(world.db, (await stopped(world))[0]?.id ?? 0, "ship");
    await world.drainAll();
    await addTask(world.db, "order.review", { invoice_id: paid.invoiceId }, "stripe");
    await world.drainAll();
    expect(await stopped(world)).toEqual([]);
    world.vendors.stripe.refund(paid.chargeId, 300);
    await world.drainAll();
    expect(await stopped(world)).toMatchObject([{ reason_code: "PARTIAL_REFUND" }]);
    await liveOn(world, 5);
    expect(await orders(world)).toMatchObject([{ state: "DELIVERED" }]);
  });

  test("while nobody answers, what is not sent is held; a person's word holds for all of it", async () => {
    const ben = await world.clinic.signUp("Ben Example");
    world.clinic.prescribe(ben, "price_morning_quarter");
    const { invoiceId, chargeId } = world.clinic.subscribe(ben, "price_morning_quarter");
    await world.drainAll();
    world.vendors.stripe.refund(chargeId ?? "", 8600);
    await world.drainAll();
    await liveOn(world, 5);
    for (let day = 0; day < 66; day += 6) {
      await world.pass({ days: 6 });
      await world.drainAll();
    }
    const states = async () =>
      (await orders(world)).filter((order) => order.invoice_id === invoiceId).map(({ state }) => state);
    expect(await states()).toEqual(["DELIVERED", "HELD", "HELD"]);
    const questions = (await stopped(world)).filter(({ step }) => step === "order.decide");
    expect(questions).toMatchObject([{ reason_code: "PARTIAL_REFUND" }]);
    await setStatus(world.db, questions[0]?.id ?? 0, "CANCELLED");
    await addTask(world.db, "order.review", { invoice_id: invoiceId }, "stripe");
    await world.drainAll();
    expect(await states()).toEqual(["DELIVERED", "CANCELLED", "CANCELLED"]);
  });

  test("a question that is run without an answer stays; one whose refund failed ends by itself", async () => {
    await world.drainAll();
    const refund = world.vendors.stripe.refund(paid.chargeId, 500);
    await world.drainAll();
    const [stop] = await stopped(world);
    await setStatus(world.db, stop?.id ?? 0, "PENDING");
    await world.drainAll();
    expect(await stopped(world)).toMatchObject([{ id: stop?.id, reason_code: "PARTIAL_REFUND" }]);
    refund.status = "failed";
    await addTask(world.db, "stripe.refund.failed", { object_id: refund.id }, "stripe");
    await world.drainAll();
    expect(await stopped(world)).toEqual([]);
  });

  test("with a credit note for one of two lines: that line's order is cancelled, the other ships", async () => {
    const other = await world.clinic.signUp("Ben Example");
    world.clinic.prescribe(other, "price_morning_month");
    world.clinic.prescribe(other, "price_evening_month");
    const subscription = world.vendors.stripe.subscribe({
      customerId: other.stripeCustomerId,
      priceIds: [{ price: "price_morning_month", quantity: 1 }, {
        price: "price_evening_month",
        quantity: 1,
      }],
    });
    await world.drainAll();
    const invoiceId = String(subscription.latest_invoice);
    const theirs = (await orders(world)).filter((order) => order.invoice_id === invoiceId);
    expect(theirs).toHaveLength(2);
    const lineId = theirs[0]?.invoice_line_id ?? "";
    world.vendors.stripe.creditNote(invoiceId, { lineId, amount: 4900 });
    await world.drainAll();
    const after = (await orders(world)).filter((order) => order.invoice_id === invoiceId);
    expect(after.map((order) => order.state)).toEqual(["CANCELLED", "PLACED"]);
    expect(await stopped(world)).toEqual([]);
  });
});

describe("disputes and voids", () => {
  test("a dispute cancels what has not shipped", async () => {
    await world.drainAll();
    world.vendors.stripe.dispute(paid.chargeId);
    await world.drainAll();
    expect(await orders(world)).toMatchObject([{ state: "CANCELLED", cancel_cause: "disputed" }]);
    expect(liveAtPharmacy(world)).toEqual([]);
  });

  test("a thin dispute names only the dispute: the charge is asked for", async () => {
    const thin = await makeWorld({ stripeEventKinds: ["thin"] });
    await thin.clinic.openShop();
    const ben = await thin.clinic.signUp("Ben Example");
    thin.clinic.prescribe(ben, "price_pen_month");
    const { chargeId } = thin.clinic.subscribe(ben, "price_pen_month");
    await thin.drainAll();
    thin.vendors.stripe.dispute(chargeId ?? "");
    await thin.drainAll();
    expect(await orders(thin)).toMatchObject([{ state: "CANCELLED", cancel_cause: "disputed" }]);
  });

  test("while a dispute is open, what is not sent is held; a dispute that is won lets it go on", async () => {
    const dispute = world.vendors.stripe.dispute(paid.chargeId);
    await world.drainAll();
    expect(await orders(world)).toMatchObject([{ state: "HELD" }]);
    expect(await stopped(world)).toMatchObject([{ step: "order.decide", reason_code: "CHARGE_DISPUTED" }]);
    world.vendors.stripe.closeDispute(dispute.id, "won");
    await world.drainAll();
    expect(await stopped(world)).toEqual([]);
    expect(liveAtPharmacy(world)).toHaveLength(1);
  });

  test("a dispute that is lost calls it off, and nobody is asked", async () => {
    const dispute = world.vendors.stripe.dispute(paid.chargeId);
    await world.drainAll();
    world.vendors.stripe.closeDispute(dispute.id, "lost");
    await world.drainAll();
    expect(await orders(world)).toMatchObject([{ state: "CANCELLED", cancel_cause: "disputed" }]);
    expect(await stopped(world)).toEqual([]);
  });

  test("a dispute about a parcel on its way is one question, which ends with the delivery", async () => {
    await world.drainAll();
    await ship();
    expect(await orders(world)).toMatchObject([{ state: "SHIPPED" }]);
    world.vendors.stripe.dispute(paid.chargeId);
    await world.drainAll();
    expect(await stopped(world)).toMatchObject([{ step: "order.decide", reason_code: "CHARGE_DISPUTED" }]);
    await liveOn(world, 5);
    expect(await orders(world)).toMatchObject([{ state: "DELIVERED" }]);
    expect(await stopped(world)).toEqual([]);
  });

  test("what a dispute called off is asked about when it is won: it ships after all, once", async () => {
    await world.drainAll();
    const dispute = world.vendors.stripe.dispute(paid.chargeId);
    await world.drainAll();
    expect(liveAtPharmacy(world)).toEqual([]);
    world.vendors.stripe.closeDispute(dispute.id, "won");
    await world.drainAll();
    const [stop, ...others] = await stopped(world);
    expect(stop).toMatchObject({ step: "order.replace", reason_code: "PAID_AFTER_ALL" });
    expect(others).toEqual([]);
    await answer(world.db, stop?.id ?? 0, "ship");
    await world.drainAll();
    await addTask(world.db, "order.review", { invoice_id: paid.invoiceId }, "stripe");
    await world.drainAll();
    expect(await orders(world)).toMatchObject([{ state: "CANCELLED" }, { state: "PLACED", attempt: 2 }]);
    expect(liveAtPharmacy(world)).toHaveLength(1);
    expect(await stopped(world)).toEqual([]);
  });

  test("an open invoice that is voided ships nothing and asks nobody", async () => {
    await world.drainAll();
    const open = world.vendors.stripe.failPayment(paid.subscriptionId);
    world.vendors.stripe.voidInvoice(open.id);
    await world.drainAll();
    expect(await orders(world)).toHaveLength(1);
    expect(await stopped(world)).toEqual([]);
    expect(await tasksOf(world, "stripe.invoice.voided")).toMatchObject([{ status: "DONE" }]);
  });
});
