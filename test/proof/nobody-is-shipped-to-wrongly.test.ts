import { beforeEach, describe, expect, test } from "vitest";
import type { Person } from "../../scripts/sandbox/clinic.ts";
import { liveAtPharmacy, orders, setStatus, stopped, tasksOf } from "../support/act.ts";
import { makeWorld, type World } from "../support/world.ts";

let world: World;
let person: Person;
beforeEach(async () => {
  world = await makeWorld();
  await world.clinic.openShop();
  person = await world.clinic.signUp("Ada Example");
});

/** The pharmacy's order, whatever became of it, as its people edit it. */
function atPharmacy(index = 0) {
  const order = [...world.vendors.pharmacy.state.orders.values()][index];
  if (!order) throw new Error("the pharmacy has no such order");
  return order;
}

/** The pharmacy takes an ended order up again and moves it to `SHIPPED`. */
async function mendAndShip(index = 0) {
  const order = atPharmacy(index);
  order.state = "PENDING";
  order.fulfillment = null;
  for (let i = 0; i < 3; i++) world.vendors.pharmacy.advance(order.id);
  await world.drainAll();
}

async function payAndPlace() {
  world.clinic.prescribe(person, "price_pen_month");
  const paid = world.clinic.subscribe(person, "price_pen_month");
  await world.drainAll();
  return { ...paid, chargeId: paid.chargeId ?? "" };
}

describe("a refunded customer's parcel", () => {
  test("a refund of an order that failed at the pharmacy cancels it there, for it can be mended and ship", async () => {
    const { chargeId } = await payAndPlace();
    world.vendors.pharmacy.fail(atPharmacy().id);
    await world.drainAll();
    world.vendors.stripe.refund(chargeId);
    await world.drainAll();
    expect(atPharmacy().state).toBe("CANCELED");
  });

  test("when it ships although the charge was refunded while it had failed, a person is told", async () => {
    const { chargeId } = await payAndPlace();
    world.vendors.pharmacy.fail(atPharmacy().id);
    await world.drainAll();
    world.vendors.stripe.refund(chargeId);
    await world.drainAll();
    await mendAndShip();
    expect(await orders(world)).toMatchObject([{ state: "SHIPPED" }]);
    expect((await stopped(world)).map((task) => task.reason_code)).toContainEqual(
      expect.stringMatching(/ALREADY_SHIPPED|SHIPPED_AFTER_CANCEL/),
    );
  });

  test("an order called off because its charge is refunded is marked as not to ship, so that a late parcel is seen", async () => {
    world.clinic.prescribe(person, "price_pen_month");
    const { chargeId } = world.clinic.subscribe(person, "price_pen_month");
    world.vendors.pharmacy.faults.add({ operation: "create order", kind: "late_commit", times: 1 });
    await world.drainAll();
    // The refund's own event comes late: the order's own look at the charge is first.
    const silent = world.vendors.stripe.outbox.faults;
    silent.silent = true;
    world.vendors.stripe.refund(chargeId ?? "");
    for (let i = 0; i < 4; i++) {
      await world.pass({ minutes: 2 });
      await world.drainAll();
    }
    expect(await orders(world)).toMatchObject([{ state: "CANCELLED" }]);
    silent.silent = false;
    await world.drainAll();
    // Now the pharmacy carries out the lost create, and the first word we hear of it is that it shipped.
    world.vendors.pharmacy.outbox.faults.silent = true;
    await world.vendors.pharmacy.faults.commitLate();
    for (let i = 0; i < 3; i++) world.vendors.pharmacy.advance(atPharmacy().id);
    world.vendors.pharmacy.outbox.faults.silent = false;
    await world.drainAll();
    expect(await orders(world)).toMatchObject([{ state: "SHIPPED" }]);
    expect(await stopped(world)).toMatchObject([{ reason_code: "SHIPPED_AFTER_CANCEL" }]);
  });

  test("an order that the pharmacy takes up again after our cancel is cancelled again, or a person is told, before it ships", async () => {
    const { chargeId } = await payAndPlace();
    world.vendors.stripe.refund(chargeId);
    await world.drainAll();
    atPharmacy().state = "PENDING";
    world.vendors.pharmacy.place(atPharmacy().id);
    await world.drainAll();
    const isCancelled = atPharmacy().state === "CANCELED";
    expect(isCancelled || (await stopped(world)).length > 0).toBe(true);
  });

  test("a cancel that the pharmacy answers with a live order is not taken for done", async () => {
    const { chargeId } = await payAndPlace();
    const real = world.deps.vendors.pharmacy;
    world.deps.vendors = {
      ...world.deps.vendors,
      // It takes the request and goes on: the answer shows the order as it stands.
      pharmacy: {
        ...real,
        cancelOrder: async (id) => (await real.getOrder(id)) ?? Promise.reject(new Error("no order")),
      },
    };
    world.vendors.stripe.refund(chargeId);
    await world.drainAll();
    expect(liveAtPharmacy(world)).toHaveLength(1);
    expect((await orders(world))[0]?.state).not.toBe("CANCELLED");
  });

  test("a refund that no credit note explains is asked about although another line has a credit note", async () => {
    world.clinic.prescribe(person, "price_morning_month");
    world.clinic.prescribe(person, "price_evening_month");
    const subscription = world.vendors.stripe.subscribe({
      customerId: person.stripeCustomerId,
      priceIds: [{ price: "price_morning_month", quantity: 1 }, {
        price: "price_evening_month",
        quantity: 1,
      }],
    });
    await world.drainAll();
    const invoiceId = String(subscription.latest_invoice);
    const [first] = await orders(world);
    world.vendors.stripe.creditNote(invoiceId, { lineId: first?.invoice_line_id ?? "", amount: 4900 });
    await world.drainAll();
    expect((await orders(world)).map((order) => order.state)).toEqual(["CANCELLED", "PLACED"]);
    // All but a cent of the other line goes back, by hand.
    world.vendors.stripe.refund(world.vendors.stripe.invoiceChargeId(invoiceId) ?? "", 5899);
    await world.drainAll();
    expect(await stopped(world)).toMatchObject([{ reason_code: "PARTIAL_REFUND" }]);
  });
});

describe("two parcels for one fill", () => {
  test("when the pharmacy ships an order that it had cancelled and that was replaced, a person is told", async () => {
    await payAndPlace();
    world.vendors.pharmacy.cancelByPharmacy(atPharmacy().id);
    await world.drainAll();
    await setStatus(world.db, (await stopped(world))[0]?.id ?? 0, "PENDING");
    await world.drainAll();
    expect(await orders(world)).toMatchObject([{ state: "CANCELLED" }, { state: "PLACED", attempt: 2 }]);
    await mendAndShip();
    expect(await orders(world)).toMatchObject([{ state: "SHIPPED" }, { attempt: 2 }]);
    expect(await stopped(world)).not.toEqual([]);
  });
});

describe("what counts as a valid prescription", () => {
  /** Writes a prescription to both, and then edits the resource in the health record. */
  function prescribeWith(edit: Record<string, unknown>) {
    const id = world.clinic.prescribe(person, "price_morning_month");
    const filed: object | undefined = world.vendors.health.state.prescriptions.get(id);
    if (filed) Object.assign(filed, edit);
    return id;
  }

  test("one whose validity has not begun does not count yet", async () => {
    prescribeWith({
      dispenseRequest: {
        validityPeriod: { start: "2098-01-01", end: "2099-01-01" },
        numberOfRepeatsAllowed: 3,
        expectedSupplyDuration: { value: 30, code: "d" },
      },
    });
    world.clinic.subscribe(person, "price_morning_month");
    await world.drainAll();
    expect(liveAtPharmacy(world)).toEqual([]);
  });

  test("an order not to give the drug (doNotPerform) does not count", async () => {
    prescribeWith({ doNotPerform: true });
    world.clinic.subscribe(person, "price_morning_month");
    await world.drainAll();
    expect(liveAtPharmacy(world)).toEqual([]);
  });

  test("of two valid ones the pharmacy's copy decides: the order does not wait for ever for the one it cannot fill", async () => {
    const first = world.clinic.prescribe(person, "price_morning_month", { validUntil: "2098-01-01" });
    world.clinic.prescribe(person, "price_morning_month", { validUntil: "2099-01-01" });
    for (const copy of world.vendors.pharmacy.state.prescriptions.values()) {
      if (copy.externalId === first) world.vendors.pharmacy.cancelPrescription(copy.id);
    }
    world.clinic.subscribe(person, "price_morning_month");
    await world.drainAll();
    await world.pass({ days: 2 });
    await world.drainAll();
    expect(await orders(world)).toMatchObject([{ state: "PLACED" }]);
  });

  test("a product that no prescription can be for (no rxnorm key) is a person's matter, not a wait without end", async () => {
    await world.db.deleteFrom("registry.product_keys").where("system", "=", "rxnorm").execute();
    world.clinic.prescribe(person, "price_morning_month");
    world.clinic.subscribe(person, "price_morning_month");
    await world.drainAll();
    expect((await tasksOf(world, "order.place"))[0]).toMatchObject({
      status: "MANUAL_INTERVENTION",
      reason_code: "PRODUCT_HAS_NO_CODE",
    });
  });
});
