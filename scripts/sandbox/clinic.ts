import { dayIn } from "../../src/shared/day.ts";
import type { Database } from "../../src/shared/db/database.ts";
import { sql } from "kysely";
import { CUSTOMER_IDENTIFIER, STRIPE_REFERENCE } from "../../src/shared/registry/references.ts";
import { PHOTON_CANARY } from "./photon/events.ts";
import type { CardState } from "./stripe/cards.ts";
import type { LocalVendors } from "./vendors.ts";

/** The clinic's products: our name, the code of their prescriptions, and the pharmacy's treatment. */
export const PRODUCTS = [
  { name: "Morning tablets", rxnorm: "1000001", treatment: "med_1001", daysSupply: 30 },
  { name: "Evening tablets", rxnorm: "1000002", treatment: "med_1002", daysSupply: 30 },
  { name: "Weekly pen", rxnorm: "1000003", treatment: "med_1003", daysSupply: 28 },
] as const;

/** The Stripe prices of the products. A charge pays for a fill a month; `amount` in cents. */
export const PRICES = [
  priceOf("price_morning_month", "Morning tablets", 4900),
  priceOf("price_morning_quarter", "Morning tablets", 12900, 3),
  priceOf("price_evening_month", "Evening tablets", 5900),
  priceOf("price_pen_month", "Weekly pen", 19900),
] as const;
export type PriceId = (typeof PRICES)[number]["id"];

function priceOf<Id extends string>(
  id: Id,
  product: (typeof PRODUCTS)[number]["name"],
  amount: number,
  months = 1,
) {
  return { id, product, interval: "month", intervalCount: months, amount, fills: months } as const;
}

const DRUG = "CANARY-DRUG";
const INSTRUCTIONS = "CANARY-INSTRUCTIONS take as the prescriber said";
const STREET = "CANARY-STREET Example Street";

/** Parts of texts that only the clinic and its pharmacy may read. Anywhere in Clockwork each is a leak. */
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

export type Clinic = ReturnType<typeof makeClinic>;

/** The acts of people at the clinic and of its customers: each happens at a vendor, never in Clockwork's tables. */
export function makeClinic(db: Database, vendors: LocalVendors, now: () => Date) {
  const { stripe, health, pharmacy } = vendors;
  let signUps = 0;
  return {
    /**
     * Puts products and prices into the registry, except the prices in `without`. Those in `defaults` are their
     * products' default: a first prescription begins a subscription at it.
     */
    async openShop(without: readonly PriceId[] = [], defaults: readonly PriceId[] = []): Promise<void> {
      for (const product of PRODUCTS) {
        const { id } = await db
          .insertInto("registry.products")
          .values({ name: product.name })
          .returning("id")
          .executeTakeFirstOrThrow();
        const prices = PRICES.filter((price) =>
          price.product === product.name && !without.includes(price.id)
        );
        await db
          .insertInto("registry.product_keys")
          .values([
            { system: "rxnorm", key: product.rxnorm, product_id: id },
            { system: "pharmacy_treatment", key: product.treatment, product_id: id },
            ...prices.map((price) => ({
              system: "stripe_price" as const,
              key: price.id,
              product_id: id,
              fills_per_charge: price.fills,
              is_default: defaults.includes(price.id),
            })),
          ])
          .execute();
      }
      for (const price of PRICES) if (!stripe.state.prices.has(price.id)) stripe.addPrice(price);
    },

    /** A sign-up: the person at every vendor, and their keys in the registry, except the forgotten one. */
    async signUp(
      name: string,
      forgotten?: "stripe_customer_id" | "health_patient_id",
      card: CardState = "default",
    ): Promise<Person> {
      signUps += 1;
      const email = `${name.toLowerCase().replaceAll(" ", ".")}.${signUps}@example.com`;
      const crmPersonId = `person-${signUps}`;
      const phone = `+1859555${String(signUps).padStart(4, "0")}`;
      vendors.crm.createPerson(crmPersonId, { email, phone });
      const loginUserId = vendors.login.signUp(email);
      // The row comes first: records made after it name it, except the one with the forgotten key.
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

    /** At sign-up: chooses the price at which a first prescription begins a subscription. */
    async choosePrice(person: Person, price: PriceId): Promise<void> {
      await sql`select registry.choose_price(${person.customerId}, ${price})`.execute(db);
    },

    /** A prescriber writes a prescription; it reaches the health record and the pharmacy. Returns its id. */
    prescribe(
      person: Person,
      price: PriceId,
      { fills = 12, validUntil }: { fills?: number | null; validUntil?: string | null } = {},
    ): string {
      const product = productOf(price);
      const inAYear = isoDay(new Date(now().getTime() + 365 * 86_400_000));
      const expires = validUntil === undefined ? inAYear : validUntil;
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
        expirationDate: expires ?? inAYear,
        instructions: INSTRUCTIONS,
      });
      return prescriptionId;
    },

    /** A first charge. `chargeId` is null for a $0 invoice. */
    subscribe(person: Person, price: PriceId) {
      const subscription = stripe.subscribe({
        customerId: person.stripeCustomerId,
        priceIds: [{ price, quantity: 1 }],
      });
      const invoiceId = String(subscription.latest_invoice);
      return { subscriptionId: subscription.id, invoiceId, chargeId: stripe.invoiceChargeId(invoiceId) };
    },

    /**
     * The pharmacy moves each of its orders one state on, except those that it `leaves`; a shipped fill is recorded in
     * the health record. Returns the number of moved orders.
     */
    workPharmacy(limit = Infinity, leaves: (orderId: string) => boolean = () => false): number {
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

type RegistryKey = `${
  | "stripe_customer"
  | "health_patient"
  | "pharmacy_patient"
  | "crm_person"
  | "login_user"}_id`;

/** The company's own sign-up. Returns the row's number. */
export async function register(
  db: Database,
  keys: { [name in "email" | RegistryKey]?: string },
): Promise<number> {
  const named = Object.entries(keys).map(([name, value]) => sql`${sql.ref(name)} => ${value}`);
  const { rows: [made] } = await sql<{ id: number }>`
    select registry.register_customer(${sql.join(named)}) as id`.execute(db);
  if (!made) throw new Error("no customer was registered");
  return made.id;
}

/** The pharmacy's link to the health record: a shipped fill becomes a MedicationDispense. */
function recordFill({ pharmacy, health }: LocalVendors, orderId: string): void {
  const order = pharmacy.state.orders.get(orderId);
  for (const fill of order?.fills ?? []) {
    const prescription = pharmacy.state.prescriptions.get(fill.prescriptionId);
    const prescriptionId = prescription?.externalId ?? "";
    const filed = health.state.prescriptions.get(prescriptionId);
    const patientId = filed?.subject?.reference.replace("Patient/", "");
    if (patientId) health.recordDispense({ patientId, prescriptionId, pharmacyOrderId: orderId });
  }
}

/** The product that a price sells. */
export function productOf(price: string) {
  const name = PRICES.find(({ id }) => id === price)?.product;
  const product = PRODUCTS.find((one) => one.name === name);
  if (!product) throw new Error(`no product for ${price}`);
  return product;
}

/** The date at a moment as the clinic's people write it. The clinic lies in the default zone of `clockwork.settings`. */
export function isoDay(date: Date): string {
  return dayIn(date, "America/New_York");
}
