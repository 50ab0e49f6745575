import { DAY_MS, dayIn } from "../../src/shared/day.ts";
import { PRODUCTS } from "../sandbox/clinic.ts";
import { seeded } from "../sandbox/random.ts";
import { startVendors } from "../sandbox/vendors.ts";
import { importAll, serveCrowd } from "./serve-crowd.ts";

// The finder's vendors: many active refills.

/** The age of the refills. */
const BEGAN_DAYS_AGO = 10;

/** Of a hundred prescriptions ten end soon, and one lacks its days' supply. */
function termsOf(n: number): { validUntil: string; daysSupply: number | null } {
  const days = n % 10 === 0 ? 34 : 300;
  const validUntil = dayIn(new Date(Date.now() + days * DAY_MS), "UTC");
  return { validUntil, daysSupply: n % 100 === 7 ? null : 30 };
}

let offset = -BEGAN_DAYS_AGO * DAY_MS;
const vendors = await startVendors({
  now: () => new Date(Date.now() + offset),
  random: seeded(1),
  webhooksUrl: "http://127.0.0.1:1",
});
const { stripe, health } = vendors;
// Nobody is subscribed yet: these customers send no webhooks.
health.state.subscriptions.clear();
const product = PRODUCTS[0];
stripe.addPrice({ id: "price_morning_month", interval: "month", intervalCount: 1, amount: 4900 });
const address = { line: ["1 Example Street"], city: "Lexington", state: "KY", postalCode: "40507" };
importAll((n) => {
  const { customer, subscription } = stripe.importCustomer({
    email: `c${n}@example.com`,
    priceId: "price_morning_month",
  });
  const patientId = health.createPatient({ name: "Ada Example", address });
  const prescriptionId = health.writePrescription({
    patientId,
    rxnorm: product.rxnorm,
    drug: "Example",
    repeats: 11,
    ...termsOf(n),
  });
  for (let fill = 0; fill < 2; fill++) {
    health.recordDispense({ patientId, prescriptionId, pharmacyOrderId: `${n}:${fill}` });
  }
  return [customer.id, patientId, subscription?.id ?? ""];
});
offset = 0;
serveCrowd(vendors);
