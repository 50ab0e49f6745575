import { sql } from "kysely";
import { heard } from "../support/act.ts";
import type { World } from "../support/world.ts";
import { isoDay, type Person, type PriceId, productOf } from "../../scripts/sandbox/clinic.ts";

/** So many days go by: cron winds each night's work, and the drain does it. */
export async function live(world: World, days: number): Promise<void> {
  for (let day = 0; day < days; day++) {
    await world.pass({ days: 1 });
    await night(world);
  }
}

/** What cron does in a night, and the drain after it. */
export async function night(world: World): Promise<void> {
  // The renewals' work alone: what else the nights do is proved elsewhere.
  await sql`update clockwork.nightly_work set is_on = step = 'renewal.find'`.execute(world.db);
  await sql`select clockwork.start_nightly_work()`.execute(world.db);
  await world.drainAll();
  await sql`select clockwork.start_due_renewals()`.execute(world.db);
  await world.drainAll();
}

export async function renewals(world: World) {
  return await world.db.selectFrom("tracker.renewals").selectAll().orderBy("id").execute();
}

/** What `ops.renewals` says of a customer's refills. */
export async function explained(world: World, customerId: number) {
  return await world.db.selectFrom("ops.renewals").selectAll().where("customer_id", "=", customerId)
    .orderBy("subscription_id").execute();
}

/** The issues of a customer in `ops.prescription_issues`; of all when none is given. */
export async function issues(world: World, customerId?: number): Promise<string[]> {
  const rows = await world.db.selectFrom("ops.prescription_issues").select("issue")
    .$if(customerId !== undefined, (query) => query.where("customer_id", "=", customerId ?? 0))
    .execute();
  return rows.map(({ issue }) => issue ?? "");
}

/** A day so far from a moment (a world begins at the present). */
export function dayIn(days: number, from = new Date()): string {
  return isoDay(new Date(from.getTime() + days * 86_400_000));
}

export function toldOf(world: World, person: Person): string[] {
  return heard(world, person.crmPersonId).filter((name) => name.startsWith("renewal_"));
}

/** Somebody who has refilled for long: nothing is charged or shipped to make them. */
export interface Refiller extends Person {
  subscriptionId: string;
  prescriptionId: string;
}

let refillers = 0;

/** A customer with an active refill that began 30 days ago, and a prescription of 12 fills for it. */
export async function refiller(
  world: World,
  { price = "price_morning_month", fills = 12, validUntil = dayIn(300) }: {
    price?: PriceId;
    fills?: number;
    validUntil?: string;
  } = {},
): Promise<Refiller> {
  const { stripe, health, pharmacy, crm, login } = world.vendors;
  refillers += 1;
  const email = `refiller.${refillers}@example.com`;
  const crmPersonId = `refiller-${refillers}`;
  crm.createPerson(crmPersonId, { email, phone: "+18595550100" });
  const { customer, subscription } = stripe.importCustomer({ email, priceId: price });
  if (!subscription) throw new Error("no subscription");
  const month = 30 * 86_400;
  Object.assign(subscription, { created: subscription.created - month });
  const address = { line: ["1 Example Street"], city: "Lexington", state: "KY", postalCode: "40507" };
  const healthPatientId = health.createPatient({ name: "Ada Example", address });
  const pharmacyPatientId = pharmacy.createPatient({ externalId: healthPatientId });
  const loginUserId = login.signUp(email);
  const { id: customerId } = await world.db.insertInto("registry.customers").values({
    email,
    stripe_customer_id: customer.id,
    health_patient_id: healthPatientId,
    pharmacy_patient_id: pharmacyPatientId,
    crm_person_id: crmPersonId,
    login_user_id: loginUserId,
  }).returning("id").executeTakeFirstOrThrow();
  const prescriptionId = health.writePrescription({
    patientId: healthPatientId,
    rxnorm: productOf(price).rxnorm,
    drug: "Example",
    repeats: fills - 1,
    validUntil,
    daysSupply: 30,
  });
  return {
    customerId,
    email,
    stripeCustomerId: customer.id,
    healthPatientId,
    pharmacyPatientId,
    crmPersonId,
    loginUserId,
    subscriptionId: subscription.id,
    prescriptionId,
  };
}

/** The subscription as the sandbox keeps it, to be bent. */
export function atStripe(world: World, { subscriptionId }: { subscriptionId: string }) {
  const subscription = world.vendors.stripe.state.subscriptions.get(subscriptionId);
  if (!subscription) throw new Error("no subscription");
  return subscription;
}

/** The prescription as the sandbox keeps it, to be bent. */
export function inRecord(world: World, { prescriptionId }: { prescriptionId: string }) {
  const prescription = world.vendors.health.state.prescriptions.get(prescriptionId);
  if (!prescription) throw new Error("no prescription");
  return prescription;
}

/** A dispense of the prescription, bent by `changes`. */
export function dispense(
  world: World,
  { healthPatientId: patientId, prescriptionId }: Refiller,
  changes: object = {},
): void {
  const { health } = world.vendors;
  const id = health.recordDispense({ patientId, prescriptionId, pharmacyOrderId: crypto.randomUUID() });
  Object.assign(health.state.dispenses.get(id) ?? {}, changes);
}
