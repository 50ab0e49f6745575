import type { Person, PriceId } from "../sandbox/clinic.ts";
import type { Stack } from "../stack/stack.ts";

/** The clinic's customers. They buy in any weather. */
export interface Crowd {
  people: readonly Person[];
  /** The next `count` customers subscribe, some with a refund or a late prescription. Gives the number of those left. */
  charge(count: number): number;
  /** Charges so far. */
  charged(): number;
  /**
   * The pharmacy moves up to `limit` of its orders on, but none that should be cancelled. A real one takes hours to
   * ship; here it would ship before Clockwork could hear of a refund or of a second order.
   */
  workPharmacy(limit?: number): number;
  /** Missing prescriptions are written, and some customers with an order at the pharmacy get a refund. */
  changeMinds(): void;
}

const REFUNDED_SHARE = 0.04;
const REGRETTED_SHARE = 0.06;
const DISPUTED_SHARE = 0.02;
const LATE_SHARE = 0.04;
const QUARTERLY_SHARE = 0.05;

/** Signs up `count` people. */
export async function gatherCrowd(stack: Stack, count: number, random: () => number): Promise<Crowd> {
  const { clinic, vendors: { stripe } } = stack;
  await clinic.openShop();
  const people: Person[] = [];
  for (let i = 0; i < count; i++) people.push(await clinic.signUp(`Customer ${i + 1}`));
  const late: { person: Person; price: PriceId }[] = [];
  /** Charges by pharmacy patient, each refunded once its order is placed. */
  const regretted = new Map<string, string>();
  /** Pharmacy patients with a refund or a dispute. */
  const unpaid = new Set<string>();
  let next = 0;

  function chargeOne(person: Person): void {
    const price: PriceId = random() < QUARTERLY_SHARE ? "price_morning_quarter" : "price_evening_month";
    const fate = random();
    const isLate = fate < LATE_SHARE;
    if (!isLate) clinic.prescribe(person, price);
    else late.push({ person, price });
    const { chargeId } = clinic.subscribe(person, price);
    if (isLate || chargeId === null) return;
    if (fate < LATE_SHARE + REFUNDED_SHARE) stripe.refund(chargeId);
    else if (fate < LATE_SHARE + REFUNDED_SHARE + REGRETTED_SHARE) {
      regretted.set(person.pharmacyPatientId, chargeId);
    } else if (fate < LATE_SHARE + REFUNDED_SHARE + REGRETTED_SHARE + DISPUTED_SHARE) {
      stripe.dispute(chargeId);
    } else return;
    unpaid.add(person.pharmacyPatientId);
  }

  return {
    people,
    charged: () => next,
    charge(wanted) {
      for (let left = wanted; left > 0 && next < people.length; left--) {
        const person = people[next];
        next += 1;
        if (person) chargeOne(person);
      }
      return people.length - next;
    },
    workPharmacy(limit) {
      const { orders } = stack.vendors.pharmacy.state;
      const live = new Map<string, number>();
      for (const { externalId, state } of orders.values()) {
        if (externalId && state !== "CANCELED") live.set(externalId, (live.get(externalId) ?? 0) + 1);
      }
      return clinic.workPharmacy(limit, (id) => {
        const order = orders.get(id);
        return unpaid.has(order?.patientId ?? "") || (live.get(order?.externalId ?? "") ?? 0) > 1;
      });
    },
    changeMinds() {
      for (const { patientId } of stack.vendors.pharmacy.state.orders.values()) {
        const chargeId = regretted.get(patientId);
        if (chargeId && regretted.delete(patientId)) stripe.refund(chargeId);
      }
      for (const { person, price } of late.splice(0)) clinic.prescribe(person, price);
    },
  };
}
