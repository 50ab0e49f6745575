import { expect, test } from "vitest";
import { makeWorld } from "../support/world.ts";

test("a paid charge becomes one delivered parcel, and the CRM hears each fact once", async () => {
  const world = await makeWorld();
  const { clinic, vendors, db } = world;
  await clinic.openShop();
  const person = await clinic.signUp("Ada Example");
  clinic.prescribe(person, "price_morning_month");
  const { invoiceId } = clinic.subscribe(person, "price_morning_month");
  await world.drainAll();
  for (let i = 0; i < 5; i++) {
    await world.pass({ hours: 1 });
    clinic.workPharmacy();
    await world.drainAll();
  }
  const orders = await db.selectFrom("tracker.orders").selectAll().execute();
  expect(orders).toMatchObject([{ state: "DELIVERED", invoice_id: invoiceId }]);
  expect(vendors.pharmacy.liveOrders(orders[0]!.reference)).toHaveLength(1);
  expect(vendors.crm.heard(person.crmPersonId).map((event) => event.name)).toEqual([
    "order_placed",
    "order_shipped",
    "order_delivered",
  ]);
});
