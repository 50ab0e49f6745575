import { seeded } from "../sandbox/server.ts";
import { PRODUCTS } from "../sandbox/clinic.ts";
import { startVendors } from "../sandbox/vendors.ts";

// The vendors with many customers, in a process of their own, so that their memory is not ours. Started by
// `startCrowd`; it says where it is reached, sends the keys of the customers, and answers `calls` with its counts.

const DAY_MS = 86_400_000;
const KEYS_AT_ONCE = 5000;
/** Refills began so long ago. */
const BEGAN_DAYS_AGO = 10;

/** What a customer's prescription is like: of a hundred, ten end soon and one lacks its days' supply. */
function termsOf(n: number): { validUntil: string; daysSupply: number | null } {
  const days = n % 10 === 0 ? 34 : 300;
  const validUntil = new Date(Date.now() + days * DAY_MS).toISOString().slice(0, 10);
  return { validUntil, daysSupply: n % 100 === 7 ? null : 30 };
}

const count = Number(process.argv[2]);
let offset = -BEGAN_DAYS_AGO * DAY_MS;
const vendors = await startVendors({
  now: () => new Date(Date.now() + offset),
  random: seeded(1),
  webhooksUrl: "http://127.0.0.1:1",
});
const { stripe, health } = vendors;
// Who was there before anybody listened is heard of by no webhook.
health.state.subscriptions.clear();
const product = PRODUCTS[0];
stripe.addPrice({ id: "price_morning_month", interval: "month", intervalCount: 1, amount: 4900 });
const address = { line: ["1 Example Street"], city: "Lexington", state: "KY", postalCode: "40507" };
let keys: [string, string, string][] = [];
for (let n = 0; n < count; n++) {
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
  keys.push([customer.id, patientId, subscription?.id ?? ""]);
  if (keys.length === KEYS_AT_ONCE || n === count - 1) {
    process.send?.({ keys });
    keys = [];
  }
}
offset = 0;
process.send?.({ env: vendors.env });
process.on("message", () => {
  const calls = Object.fromEntries(
    (["stripe", "health", "pharmacy", "crm"] as const).map((vendor) => [
      vendor,
      [...vendors[vendor].faults.calls.values()].reduce((sum, calls) => sum + calls, 0),
    ]),
  );
  process.send?.({ calls });
});
process.on("disconnect", () => process.exit(0));
