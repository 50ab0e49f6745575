import { cancel, pause, refillEarly, resumeByHand, stay, subscribe, switchDose } from "./billing.ts";
import type { Customer, Filed, Refill } from "./customer.ts";
import { DAY_MS, makeDice } from "./dice.ts";
import { isoDay } from "../sandbox/clinic.ts";
import { beginCycle, extraFill, payBack, prescribe } from "./pharmacy.ts";
import { type PriceId, PRICES, productOf } from "./shop.ts";
import { count, later, note, type Stage, surprise } from "./stage.ts";

type Act = (stage: Stage, customer: Customer, refill: Refill) => void;

/** Acts on one of a customer's refills, and how often a year. */
const ACTS: readonly (readonly [timesAYear: number, act: Act])[] = [
  [0.5, pause],
  [0.1, leave],
  [0.2, changeDose],
  [0.25, refillEarly],
  [0.1, extraFill],
  [0.15, transfer],
  [0.05, extend],
  [0.02, vanish],
  [0.1, renewUnasked],
  [1, resumeByHand],
];

/** The prices that people start with, by weight. */
const CHOICES: readonly (readonly [number, PriceId])[] = [
  [20, "price_morning_month"],
  [10, "price_stronger_month"],
  [20, "price_pen_4_weeks"],
  [10, "price_next_pen_4_weeks"],
  [15, "price_evening_month"],
  [35, "price_evening_quarter"],
];

/** A customer signs up, gets a prescription and subscribes; from then on life happens to them. */
export async function signUp(stage: Stage, number: number, seed: number): Promise<void> {
  const { world: { db, vendors, now } } = stage;
  const dice = makeDice(seed, "customer", number);
  const email = `customer.${number}@example.com`;
  const crmPersonId = `person-${number}`;
  vendors.crm.createPerson(crmPersonId, { email, phone: `+1859${String(5_550_000 + number)}` });
  const { id: stripeCustomerId } = vendors.stripe.createCustomer({ email });
  const healthPatientId = vendors.health.createPatient({
    name: `Customer ${number}`,
    address: { line: [`${number} Example Street`], city: "Lexington", state: "KY", postalCode: "40507" },
  });
  const pharmacyPatientId = vendors.pharmacy.createPatient({ externalId: healthPatientId });
  const loginUserId = vendors.login.signUp(email);
  const { id: customerId } = await db.insertInto("registry.customers").values({
    email,
    stripe_customer_id: stripeCustomerId,
    health_patient_id: healthPatientId,
    pharmacy_patient_id: pharmacyPatientId,
    crm_person_id: crmPersonId,
    login_user_id: loginUserId,
  }).returning("id").executeTakeFirstOrThrow();
  const customer: Customer = {
    number,
    person: {
      customerId,
      email,
      stripeCustomerId,
      healthPatientId,
      pharmacyPatientId,
      crmPersonId,
      loginUserId,
    },
    dice,
    refills: [],
    prescriptions: [],
    story: [],
    surprisedAt: now(),
  };
  stage.customers.push(customer);
  note(stage, customer, "signed up");
  const price = dice.weighted(CHOICES);
  prescribe(stage, customer, price);
  subscribe(stage, customer, price);
  // A few press the button twice, a day apart, and pay twice until a person sees it.
  if (dice.chance(0.01)) {
    later(stage, 1, () => void subscribe(stage, customer, price));
  }
  // Some refill two things, each on days of its own.
  if (dice.chance(0.06)) {
    const other = dice.pick(PRICES.filter(({ product }) => product === "Evening tablets")).id;
    if (!price.startsWith("price_evening")) {
      later(stage, dice.between(1, 20), () => {
        prescribe(stage, customer, other);
        subscribe(stage, customer, other);
      });
    }
  }
  for (const [timesAYear, act] of ACTS) repeat(stage, customer, timesAYear * stage.busy, act);
}

function repeat(stage: Stage, customer: Customer, timesAYear: number, act: Act): void {
  stage.agenda.at(stage.world.now().getTime() + customer.dice.wait(timesAYear), () => {
    const wanted = customer.refills.filter(({ wish }) => wish === "refill");
    if (wanted.length > 0) act(stage, customer, customer.dice.pick(wanted));
    repeat(stage, customer, timesAYear, act);
  });
}

/** Cancels, at once or for the period's end. Half of the customers come back some months later. */
function leave(stage: Stage, customer: Customer, refill: Refill): void {
  const { dice } = customer;
  cancel(stage, customer, refill, dice.chance(0.5));
  if (dice.chance(0.2)) {
    later(stage, dice.between(0.5, 20), () => stay(stage, customer, refill));
  }
  if (!dice.chance(0.5)) return;
  later(stage, dice.between(20, 160), () => {
    if (refill.wish !== "ended") return;
    note(stage, customer, "comes back");
    // With the rest of the old prescription, or with a new one.
    if (dice.chance(0.4)) prescribe(stage, customer, refill.priceId);
    subscribe(stage, customer, refill.priceId);
  });
}

/** The new dose's prescription comes before, with, or after the switch. */
function changeDose(stage: Stage, customer: Customer, refill: Refill): void {
  const { dice } = customer;
  const old = activeFor(stage, customer, refill);
  if (!switchDose(stage, customer, refill)) return;
  for (const filed of old) if (dice.chance(0.5)) end(stage, customer, filed, "stopped");
  if (dice.chance(0.1)) return; // nobody writes it until somebody asks
  later(stage, dice.weighted([[3, 0], [2, 2], [1, 9]]), () => prescribe(stage, customer, refill.priceId));
}

/** Another pharmacy takes over: the prescription ends here, and a new one is written there, soon or later. */
function transfer(stage: Stage, customer: Customer, refill: Refill): void {
  const { dice } = customer;
  const old = activeFor(stage, customer, refill);
  if (old.length === 0) return;
  note(stage, customer, "a transfer");
  for (const filed of old) end(stage, customer, filed, dice.pick(["cancelled", "stopped", "completed"]));
  if (dice.chance(0.1)) return;
  later(stage, dice.weighted([[3, 0.1], [2, 3], [1, 8]]), () => prescribe(stage, customer, refill.priceId));
}

/** The same prescription gets more time and more fills. */
function extend(stage: Stage, customer: Customer, refill: Refill): void {
  const { world: { vendors, now } } = stage;
  const filed = activeFor(stage, customer, refill).at(-1);
  if (!filed?.pharmacyId) return;
  const copy = vendors.pharmacy.state.prescriptions.get(filed.pharmacyId);
  if (!copy) return;
  const end = isoDay(new Date(now().getTime() + 365 * DAY_MS));
  copy.fillsAllowed += 4;
  copy.fillsRemaining += 4;
  copy.expirationDate = end;
  vendors.health.updatePrescription(filed.healthId, { validUntil: end, repeats: copy.fillsAllowed - 1 });
  beginCycle(customer, filed);
  surprise(stage, customer, "a prescription is extended");
  payBack(stage, customer, refill);
}

/** Somebody deletes the prescription from the health record. */
function vanish(stage: Stage, customer: Customer, refill: Refill): void {
  const [filed] = activeFor(stage, customer, refill);
  if (!filed) return;
  stage.world.vendors.health.deleteResource("MedicationRequest", filed.healthId);
  surprise(stage, customer, "a prescription is deleted");
}

function renewUnasked(stage: Stage, customer: Customer, refill: Refill): void {
  note(stage, customer, "renewed without being asked");
  prescribe(stage, customer, refill.priceId);
}

function activeFor(stage: Stage, customer: Customer, refill: Refill): Filed[] {
  const { health } = stage.world.vendors;
  const { name } = productOf(refill.priceId);
  return customer.prescriptions.filter((filed) =>
    filed.product === name && health.state.prescriptions.get(filed.healthId)?.status === "active"
  );
}

function end(stage: Stage, customer: Customer, filed: Filed, status: string): void {
  const { health, pharmacy } = stage.world.vendors;
  health.updatePrescription(filed.healthId, { status });
  if (filed.pharmacyId) pharmacy.cancelPrescription(filed.pharmacyId);
  surprise(stage, customer, "a prescription ends", status);
}

/** The days from the mail until the customer has the prescription renewed, by weight. Null: never, unasked. */
const DELAYS: readonly (readonly [number, readonly [least: number, most: number] | null])[] = [
  [45, [0.5, 7]],
  [25, [7, 20]],
  [12, [20, 33]],
  [8, [33, 60]],
  [10, null],
];

/** The customer's response to the CRM's mail. */
export function respond(stage: Stage, customer: Customer, refill: Refill): void {
  const { dice } = customer;
  const days = dice.weighted(DELAYS);
  if (!days) {
    count(stage.tally, "mails forgotten");
    return;
  }
  const known = customer.prescriptions.length;
  later(stage, dice.between(...days), () => {
    if (refill.wish === "ended" || customer.prescriptions.length > known) return;
    if (dice.chance(0.04)) cancel(stage, customer, refill, dice.chance(0.5));
    else {
      prescribe(stage, customer, refill.priceId);
      // The old one is mostly left to run out, and sometimes ended by the prescriber of the new one.
      if (dice.chance(0.2)) {
        const [old] = activeFor(stage, customer, refill);
        if (old && old !== customer.prescriptions.at(-1)) end(stage, customer, old, "completed");
      }
    }
  });
}
