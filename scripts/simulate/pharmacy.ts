import { isoDay } from "../sandbox/clinic.ts";
import { prescriptionState } from "../sandbox/photon/state.ts";
import type { Customer, Filed, Refill } from "./customer.ts";
import { DAY_MS, type Dice } from "./dice.ts";
import { daysSupplyOf, type PriceId, productOf } from "./shop.ts";
import { count, later, note, type Stage, surprise } from "./stage.ts";

/** Terms as prescribers write them, by weight: some run out of fills first, some expire first. */
const USUAL_TERMS: readonly (readonly [number, { fills: number; days: number }])[] = [
  [3, { fills: 12, days: 365 }],
  [3, { fills: 6, days: 180 }],
  [2, { fills: 4, days: 365 }],
  [2, { fills: 3, days: 90 }],
  [1, { fills: 12, days: 120 }],
  [1, { fills: 2, days: 365 }],
];
const QUARTERLY_TERMS: typeof USUAL_TERMS = [
  [3, { fills: 4, days: 365 }],
  [1, { fills: 2, days: 200 }],
  [1, { fills: 4, days: 180 }],
];

const DRUG = "CANARY-DRUG";
/** Zones in which health records write the end of a prescription. */
const OFFSETS = ["-08:00", "-05:00", "+00:00", "+10:30"] as const;

/** A last day, as health records write it: mostly a date, which ends with the pharmacy's day; some with time and offset. */
function lastDay(dice: Dice, at: Date): string {
  const day = isoDay(at);
  return dice.chance(0.8) ? day : `${day}T23:59:59${dice.pick(OFFSETS)}`;
}

/** A prescriber writes a prescription for the price's product. It reaches the pharmacy too, some days late. */
export function prescribe(stage: Stage, customer: Customer, price: PriceId): void {
  const { world: { vendors, now } } = stage;
  const { dice, person } = customer;
  const daysSupply = daysSupplyOf(price);
  const { fills, days } = dice.weighted(daysSupply > 60 ? QUARTERLY_TERMS : USUAL_TERMS);
  const product = productOf(price);
  const end = new Date(now().getTime() + days * DAY_MS);
  // Some leave out the end: nobody notices until somebody needs it.
  const isIncomplete = dice.chance(0.02);
  const healthId = vendors.health.writePrescription({
    patientId: person.healthPatientId,
    rxnorm: product.rxnorm,
    drug: `${DRUG} ${product.name}`,
    repeats: fills - 1,
    validUntil: isIncomplete ? null : lastDay(dice, end),
    daysSupply,
  });
  const filed: Filed = { healthId, pharmacyId: null, product: product.name, daysSupply };
  customer.prescriptions.push(filed);
  surprise(
    stage,
    customer,
    isIncomplete ? "a prescription is written without an end" : "a prescription is written",
    `${product.name}, ${fills} fills, ${days} days`,
  );
  if (!isIncomplete) beginCycle(customer, filed);
  const reaches = () => {
    filed.pharmacyId = vendors.pharmacy.writePrescription({
      patientId: person.pharmacyPatientId,
      externalId: healthId,
      treatmentId: product.treatment,
      fillsAllowed: fills,
      daysSupply,
      expirationDate: isoDay(end),
      instructions: DRUG,
    });
    for (const refill of customer.refills) payBack(stage, customer, refill);
  };
  if (dice.chance(0.7)) reaches();
  else later(stage, dice.between(0, 3), reaches);
}

/** A prescription was written in full or got fills or time: only that ends a cycle, and the next may be asked about. */
export function beginCycle(customer: Customer, { product }: Filed): void {
  for (const refill of customer.refills) {
    if (productOf(refill.priceId).name === product) refill.askedForThis = 0;
  }
}

/** A fill for a charge. Without a usable prescription the fill is owed. */
export function fill(stage: Stage, customer: Customer, refill: Refill): void {
  const filed = usable(stage, customer, refill);
  if (filed) return handOut(stage, customer, filed);
  refill.owed += 1;
  note(stage, customer, "a charge that nothing can be filled for", refill.priceId);
}

/** A fill that no charge pays for: a lost parcel, a journey. */
export function extraFill(stage: Stage, customer: Customer, refill: Refill): void {
  const filed = usable(stage, customer, refill);
  if (!filed) return;
  surprise(stage, customer, "an extra fill");
  handOut(stage, customer, filed);
}

export function payBack(stage: Stage, customer: Customer, refill: Refill): void {
  while (refill.owed > 0) {
    const filed = usable(stage, customer, refill);
    if (!filed) return;
    refill.owed -= 1;
    note(stage, customer, "a fill that was owed");
    handOut(stage, customer, filed);
  }
}

/** The pharmacist's choice: valid there and in the health record, the one that expires first. */
function usable({ world: { vendors, now } }: Stage, { prescriptions }: Customer, refill: Refill) {
  const { name } = productOf(refill.priceId);
  const found = prescriptions.flatMap((filed) => {
    const copy = vendors.pharmacy.state.prescriptions.get(filed.pharmacyId ?? "");
    if (filed.product !== name || !copy || prescriptionState(copy, now()) !== "ACTIVE") return [];
    return vendors.health.state.prescriptions.get(filed.healthId)?.status === "active"
      ? [{ filed, until: copy.expirationDate }]
      : [];
  });
  return found.toSorted((a, b) => (a.until < b.until ? -1 : 1))[0]?.filed;
}

/** The pharmacy counts at once; the health record hears of it then, or some days later. */
function handOut(stage: Stage, customer: Customer, filed: Filed): void {
  const { world: { vendors, now }, tally } = stage;
  if (!filed.pharmacyId) return;
  vendors.pharmacy.handOut(filed.pharmacyId);
  count(tally, "fills");
  const at = now();
  const pharmacyOrderId = `counter-${customer.number}-${at.getTime()}-${customer.dice.whole(0, 1e9)}`;
  const record = () => {
    if (!vendors.health.state.prescriptions.has(filed.healthId)) return;
    // Known from now on, and to the engine when its news or the next night comes.
    customer.surprisedAt = now();
    vendors.health.recordDispense({
      patientId: customer.person.healthPatientId,
      prescriptionId: filed.healthId,
      pharmacyOrderId,
      at,
    });
  };
  const days = customer.dice.weighted([[6, 0], [2, 1], [2, 6]]);
  if (days === 0) record();
  else later(stage, customer.dice.between(days - 1, days), record);
}
