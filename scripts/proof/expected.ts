import { isoDay, PRICES, productOf } from "../sandbox/clinic.ts";
import type { PhotonOrder } from "../sandbox/photon/state.ts";
import type { Invoice } from "../sandbox/stripe/objects.ts";
import type { Evidence } from "./evidence.ts";

/** One fill, paid or unpaid, judged by the vendors' own state and by people's decisions. */
export interface Fill {
  /** `<invoice line>:<fill>`, with which every reference of it begins. */
  base: string;
  patientId: string;
  product: string;
  due: Date;
  /** Orders at the pharmacy with one of its references that are neither canceled nor in error. */
  live: PhotonOrder[];
  verdict: Verdict;
}

/**
 * The live orders that a fill should have.
 * - `ship`: exactly one, if there is a prescription for it.
 * - `decided`: as many as people left.
 * - `paused`: at most one, and only if it was placed before.
 * - `never`: none, or one that had left the pharmacy before `since`.
 */
type Verdict =
  | { kind: "ship" }
  | { kind: "decided"; live: 0 | 1; why: string }
  | { kind: "paused"; since: Date; why: string }
  | { kind: "never"; since: Date | null; why: string };

/** Every fill of every invoice at Stripe, by Stripe's, the health record's and the pharmacy's own state. */
export function expectedFills(evidence: Evidence): Fill[] {
  const { stripe } = evidence.vendors;
  const people = new Map(evidence.people.map((person) => [person.stripeCustomerId, person]));
  const live = liveOrders(evidence);
  const fills: Fill[] = [];
  for (const invoice of stripe.state.invoices.values()) {
    for (const line of invoice.lines.data) {
      const details = line.parent?.subscription_item_details;
      const price = PRICES.find(({ id }) => id === line.pricing?.price_details.price);
      if (!details || details.proration || !price || !line.quantity) continue;
      const count = price.fills * line.quantity;
      const start = line.period.start * 1000;
      const length = line.period.end * 1000 - start;
      for (let index = 0; index < count; index++) {
        const base = `${line.id}:${index + 1}`;
        const due = new Date(start + Math.round((length * index) / count));
        fills.push({
          base,
          patientId: people.get(invoice.customer)?.healthPatientId ?? "",
          product: productOf(price.id).rxnorm,
          due,
          live: live.get(base) ?? [],
          verdict: verdictOn(evidence, { invoice, line, base, due }),
        });
      }
    }
  }
  return fills;
}

/** Live orders by the fill they are for. */
export function liveOrders({ vendors }: Evidence): Map<string, PhotonOrder[]> {
  const live = [...vendors.pharmacy.state.orders.values()]
    .filter(({ state }) => state !== "CANCELED" && state !== "ERROR");
  return Map.groupBy(live, ({ externalId }) => baseOf(externalId ?? ""));
}

/** `il_1:2:1` is attempt 1 of fill 2 of line il_1. */
export function baseOf(reference: string): string {
  return reference.split(":").slice(0, 2).join(":");
}

interface PaidFor {
  invoice: Invoice;
  line: Invoice["lines"]["data"][number];
  base: string;
  due: Date;
}

function verdictOn(evidence: Evidence, paidFor: PaidFor): Verdict {
  const { invoice, base, due } = paidFor;
  if (invoice.status !== "paid") return { kind: "never", since: null, why: `invoice is ${invoice.status}` };
  const back = moneyBack(evidence, paidFor);
  if (back) return { kind: "never", ...back };
  if (due > evidence.now) return { kind: "never", since: null, why: "not due yet" };
  const decided = evidence.decisions.get(base);
  if (decided !== undefined) return { kind: "decided", live: decided, why: "a person decided" };
  const ended = [...evidence.vendors.pharmacy.state.orders.values()].some((order) =>
    baseOf(order.externalId ?? "") === base && evidence.endedByPharmacy.has(order.id)
  );
  if (ended) return { kind: "decided", live: 0, why: "the pharmacy ended it and nobody decided yet" };
  const paused = pausedSince(evidence, invoice.parent?.subscription_details.subscription ?? "");
  // A fill that was due well before the pause has shipped by then.
  const stoppedInTime = paused && due.getTime() + IN_TIME_MS > paused.since.getTime();
  return stoppedInTime ? { kind: "paused", ...paused } : { kind: "ship" };
}

/** The longest outage of the story, and more. */
const IN_TIME_MS = 24 * 3_600_000;

/** The moment since which the money for the line is back, or on its way back. */
function moneyBack(
  evidence: Evidence,
  { invoice, line }: PaidFor,
): { since: Date; why: string } | null {
  const { state } = evidence.vendors.stripe;
  const charge = state.charges.get(state.invoiceChargeId(invoice.id) ?? "");
  const at = (times: number[]) => new Date(Math.max(...times) * 1000);
  const disputes = [...state.disputes.values()].filter((one) => one.charge === charge?.id);
  const dispute = disputes.at(-1);
  if (dispute && dispute.status !== "won") return { since: at([dispute.created]), why: "disputed" };
  if (charge?.refunded) {
    const refunds = [...state.refunds.values()].filter((one) => one.charge === charge.id);
    return { since: at(refunds.map((one) => one.created)), why: "refunded" };
  }
  const notes = [...state.creditNotes.values()].filter((note) => note.invoice === invoice.id);
  const credits = notes.flatMap(({ created, lines }) =>
    lines.data.filter((one) => one.invoice_line_item === line.id).map(({ amount }) => ({ created, amount }))
  );
  const credited = credits.reduce((sum, { amount }) => sum + amount, 0);
  return credited >= line.amount
    ? { since: at(credits.map(({ created }) => created)), why: "credited" }
    : null;
}

/** The moment since which a subscription does not run, by Stripe's own events. Null: it runs. */
function pausedSince(evidence: Evidence, subscriptionId: string): { since: Date; why: string } | null {
  const { state } = evidence.vendors.stripe;
  const subscription = state.subscriptions.get(subscriptionId);
  if (!subscription) return { since: new Date(0), why: "no subscription" };
  if (subscription.status === "active" && !subscription.pause_collection) return null;
  if (subscription.status === "past_due") return null;
  const stops = [
    "customer.subscription.paused",
    "customer.subscription.deleted",
    "customer.subscription.updated",
  ];
  const events = [...state.events.values()].filter((event) =>
    stops.includes(event.type) && event.data.object["id"] === subscriptionId
  );
  const since = new Date((events.at(-1)?.created ?? 0) * 1000);
  return { since, why: subscription.pause_collection ? "collection paused" : subscription.status };
}

/** The moment at which the pharmacy shipped an order, from the health record's dispense. */
export function shippedAt({ vendors }: Evidence, orderId: string): Date | null {
  for (const dispense of vendors.health.state.dispenses.values()) {
    if (!dispense.identifier?.some(({ value }) => value === orderId)) continue;
    const at = dispense["whenHandedOver"];
    return typeof at === "string" ? new Date(at) : null;
  }
  return null;
}

/** Fills that the patient's valid prescriptions for the product allow, used ones included. */
export function fillsAuthorised({ vendors, now }: Evidence, patientId: string, rxnorm: string): number {
  let sum = 0;
  for (const prescription of vendors.health.state.prescriptions.values()) {
    if (prescription.subject?.reference !== `Patient/${patientId}` || prescription.status !== "active") {
      continue;
    }
    if (!JSON.stringify(prescription["medicationCodeableConcept"] ?? null).includes(`"${rxnorm}"`)) continue;
    const end = prescription.dispenseRequest?.validityPeriod?.end;
    const repeats = prescription.dispenseRequest?.["numberOfRepeatsAllowed"];
    if (!end || typeof repeats !== "number" || end < isoDay(now)) continue;
    sum += 1 + repeats;
  }
  return sum;
}
