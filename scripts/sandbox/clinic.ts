import { dayIn } from "../../src/shared/day.ts";
import type { Database } from "../../src/shared/db/database.ts";
import { sql } from "kysely";
import { CUSTOMER_IDENTIFIER, STRIPE_REFERENCE } from "../../src/shared/registry/references.ts";
import { PHOTON_CANARY } from "./photon/events.ts";
import type { CardState } from "./stripe/cards.ts";
import type { LocalVendors } from "./vendors.ts";

/** What the little clinic sells: our name, the code it is prescribed under, and its Stripe prices. */
export const PRODUCTS = [
  { name: "Morning tablets", rxnorm: "1000001", treatment: "med_1001", daysSupply: 30 },
  { name: "Evening tablets", rxnorm: "1000002", treatment: "med_1002", daysSupply: 30 },
  { name: "Weekly pen", rxnorm: "1000003", treatment: "med_1003", daysSupply: 28 },
] as const;

export const PRICES = [
  {
    id: "price_morning_month",
    product: "Morning tablets",
    interval: "month",
    intervalCount: 1,
    amount: 4900,
    fills: 1,
  },
  {
    id: "price_morning_quarter",
    product: "Morning tablets",
    interval: "month",
    intervalCount: 3,
    amount: 12900,
    fills: 3,
  },
  {
    id: "price_evening_month",
    product: "Evening tablets",
    interval: "month",
    intervalCount: 1,
    amount: 5900,
    fills: 1,
  },
  {
    id: "price_pen_month",
    product: "Weekly pen",
    interval: "month",
    intervalCount: 1,
    amount: 19900,
    fills: 1,
  },
] as const;
export type PriceId = (typeof PRICES)[number]["id"];

const DRUG = "CANARY-DRUG";
const INSTRUCTIONS = "CANARY-INSTRUCTIONS take as the prescriber said";
const STREET = "CANARY-STREET Example Street";

/** Each is part of something only the clinic and its pharmacy may read. Wherever one turns up in Clockwork, it leaked. */
export const MEDICAL_CANARIES: readonly string[] = [
  "CANARY-DRUG",
  "CANARY-INSTRUCTIONS",
  "CANARY-STREET",
  PHOTON_CANARY.slice(0, 30),
  "Long-term treatment with",
  "asked about interactions",
  "once a day with food",
];

export interface Person {
  customerId: number;
  email: string;
  stripeCustomerId: string;
  healthPatientId: string;
  pharmacyPatientId: string;
  crmPersonId: string;
  loginUserId: string;
}

/** What people at the clinic and its customers do: each act happens at a vendor, never in Clockwork's tables. */
export interface Clinic {
  /**
   * Puts products and prices into the registry, all but the prices in `without`; those in `defaults` are their
   * products' default: there a first prescription begins a subscription.
   */
  openShop(without?: readonly PriceId[], defaults?: readonly PriceId[]): Promise<void>;
  /** A sign-up: the person at every vendor, and their keys in the registry (but the key that somebody forgot). */
  signUp(
    name: string,
    forgotten?: "stripe_customer_id" | "health_patient_id",
    card?: CardState,
  ): Promise<Person>;
  /** At sign-up: the price at which their first prescription is to begin a subscription. */
  choosePrice(person: Person, price: PriceId): Promise<void>;
  /** A prescriber writes a prescription; it reaches the health record and the pharmacy. */
  prescribe(
    person: Person,
    price: PriceId,
    terms?: { fills?: number | null; validUntil?: string | null },
  ): string;
  /** A first charge. Gives the subscription, its invoice and the charge. */
  subscribe(
    person: Person,
    price: PriceId,
  ): { subscriptionId: string; invoiceId: string; chargeId: string | null };
  /** The pharmacy moves each of its orders one state on; a shipped fill is recorded in the health record. Gives how many moved. */
  workPharmacy(limit?: number, leaves?: (orderId: string) => boolean): number;
}

export function makeClinic(db: Database, vendors: LocalVendors, now: () => Date): Clinic {
  const { stripe, health, pharmacy } = vendors;
  let signUps = 0;
  return {
    async openShop(without = [], defaults = []) {
      for (const product of PRODUCTS) {
        const { id } = await db
          .insertInto("registry.products")
          .values({ name: product.name })
          .returning("id")
          .executeTakeFirstOrThrow();
        await db
          .insertInto("registry.product_keys")
          .values([
            { system: "rxnorm", key: product.rxnorm, product_id: id },
            { system: "pharmacy_treatment", key: product.treatment, product_id: id },
            ...PRICES.filter((price) => price.product === product.name && !without.includes(price.id)).map((
              price,
            ) => ({
              system: "stripe_price" as const,
              key: price.id,
              product_id: id,
              fills_per_charge: price.fills,
              is_default: defaults.includes(price.id),
            })),
          ])
          .execute();
      }
      for (const { id, interval, intervalCount, amount } of PRICES) {
        if (!stripe.state.prices.has(id)) stripe.addPrice({ id, interval, intervalCount, amount });
      }
    },

    async signUp(name, forgotten, card = "default") {
      signUps += 1;
      const email = `${name.toLowerCase().replaceAll(" ", ".")}.${signUps}@example.com`;
      const crmPersonId = `person-${signUps}`;
      const phone = `+1859555${String(signUps).padStart(4, "0")}`;
      vendors.crm.createPerson(crmPersonId, { email, phone });
      const loginUserId = vendors.login.signUp(email);
      // The row first, so that whatever is made after it can name it; what somebody forgot names nobody.
      const own = { crm_person_id: crmPersonId, login_user_id: loginUserId };
      const customerId = await register(db, { email, ...own });
      const stripeCustomer = stripe.createCustomer({
        email,
        phone,
        card,
        ...(forgotten === "stripe_customer_id"
          ? {}
          : { metadata: { [STRIPE_REFERENCE]: String(customerId) } }),
      });
      const healthPatientId = health.createPatient({
        name,
        address: { line: [`${signUps} ${STREET}`], city: "Lexington", state: "KY", postalCode: "40507" },
        telecom: { email },
        identifiers: forgotten === "health_patient_id"
          ? []
          : [{ system: CUSTOMER_IDENTIFIER, value: String(customerId) }],
      });
      const pharmacyPatientId = pharmacy.createPatient({ externalId: healthPatientId });
      await register(db, {
        ...own,
        ...(forgotten === "stripe_customer_id" ? {} : { stripe_customer_id: stripeCustomer.id }),
        ...(forgotten === "health_patient_id" ? {} : { health_patient_id: healthPatientId }),
        pharmacy_patient_id: pharmacyPatientId,
      });
      return {
        customerId,
        email,
        stripeCustomerId: stripeCustomer.id,
        healthPatientId,
        pharmacyPatientId,
        crmPersonId,
        loginUserId,
      };
    },

    async choosePrice(person, price) {
      await sql`select registry.choose_price(${person.customerId}, ${price})`.execute(db);
    },

    prescribe(person, price, { fills = 12, validUntil } = {}) {
      const product = productOf(price);
      const expires = validUntil === undefined
        ? isoDay(new Date(now().getTime() + 365 * 86_400_000))
        : validUntil;
      const prescriptionId = health.writePrescription({
        patientId: person.healthPatientId,
        rxnorm: product.rxnorm,
        drug: `${DRUG} ${product.name}`,
        repeats: fills === null ? null : fills - 1,
        validUntil: expires,
        daysSupply: product.daysSupply,
      });
      pharmacy.writePrescription({
        patientId: person.pharmacyPatientId,
        externalId: prescriptionId,
        treatmentId: product.treatment,
        fillsAllowed: fills ?? 12,
        daysSupply: product.daysSupply,
        expirationDate: expires ?? isoDay(new Date(now().getTime() + 365 * 86_400_000)),
        instructions: INSTRUCTIONS,
      });
      return prescriptionId;
    },

    subscribe(person, price) {
      const subscription = stripe.subscribe({
        customerId: person.stripeCustomerId,
        priceIds: [{ price, quantity: 1 }],
      });
      const invoiceId = String(subscription.latest_invoice);
      return { subscriptionId: subscription.id, invoiceId, chargeId: stripe.invoiceChargeId(invoiceId) };
    },

    workPharmacy(limit = Infinity, leaves = () => false) {
      let moved = 0;
      for (const order of pharmacy.state.orders.values()) {
        if (moved >= limit) break;
        if (leaves(order.id)) continue;
        const state = pharmacy.advance(order.id);
        if (state === null) continue;
        moved += 1;
        if (state === "SHIPPED") recordFill(vendors, order.id);
      }
      return moved;
    },
  };
}

/** As the company's own sign-up does it. Gives the row's number. */
export async function register(
  db: Database,
  { email, stripe_customer_id, health_patient_id, pharmacy_patient_id, crm_person_id, login_user_id }: {
    email?: string;
    stripe_customer_id?: string;
    health_patient_id?: string;
    pharmacy_patient_id?: string;
    crm_person_id?: string;
    login_user_id?: string;
  },
): Promise<number> {
  const { rows: [made] } = await sql<{ id: number }>`
    select registry.register_customer(
      email => ${email ?? null}, stripe_customer_id => ${stripe_customer_id ?? null},
      health_patient_id => ${health_patient_id ?? null}, pharmacy_patient_id => ${
    pharmacy_patient_id ?? null
  },
      crm_person_id => ${crm_person_id ?? null}, login_user_id => ${login_user_id ?? null}) as id
  `.execute(db);
  if (!made) throw new Error("no customer was registered");
  return made.id;
}

/** The pharmacy's link to the health record: a shipped fill becomes a MedicationDispense. */
function recordFill({ pharmacy, health }: LocalVendors, orderId: string): void {
  const order = pharmacy.state.orders.get(orderId);
  for (const fill of order?.fills ?? []) {
    const prescription = pharmacy.state.prescriptions.get(fill.prescriptionId);
    const reference = prescription?.externalId;
    const filed = reference ? health.state.prescriptions.get(reference) : undefined;
    const patientId = filed?.subject?.reference.replace("Patient/", "");
    if (reference && patientId) {
      health.recordDispense({ patientId, prescriptionId: reference, pharmacyOrderId: orderId });
    }
  }
}

/** What a price sells. */
export function productOf(price: string) {
  const name = PRICES.find(({ id }) => id === price)?.product;
  const product = PRODUCTS.find((one) => one.name === name);
  if (!product) throw new Error(`no product for ${price}`);
  return product;
}

/** The day as the vendors' calendars have it, in UTC. */
export function isoDay(date: Date): string {
  return dayIn(date, "UTC");
}
