import { isoDay } from "../sandbox/clinic.ts";
import { PRICES, productOf } from "../sandbox/clinic.ts";
import type { PhotonOrder } from "../sandbox/photon/state.ts";
import type { Invoice } from "../sandbox/stripe/objects.ts";
import type { Evidence } from "./evidence.ts";

/** What the vendors' own state, and what people decided, say about one paid (or unpaid) fill. */
export interface Fill {
  /** `<invoice line>:<fill>`: every reference of it begins like this. */
  base: string;
  patientId: string;
  product: string;
  due: Date;
  /** Orders at the pharmacy with one of its references that are neither canceled nor in error. */
  live: PhotonOrder[];
  verdict: Verdict;
}

/**
 * - `ship`: exactly one live order, if there is a prescription for it.
 * - `decided`: people left exactly so many.
 * - `paused`: at most one, and only if it was placed before.
 * - `never`: none, or one that had left the pharmacy before `since`.
 */
export type Verdict =
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
          verdict: verdictOn(evidence, { invoice, lineId: line.id, lineAmount: line.amount, base, due }),
        });
      }
    }
  }
  return fills;
}

/** Live orders by the fill they are for. */
export function liveOrders({ vendors }: Evidence): Map<string, PhotonOrder[]> {
  const found = new Map<string, PhotonOrder[]>();
  for (const order of vendors.pharmacy.state.orders.values()) {
    if (order.state === "CANCELED" || order.state === "ERROR") continue;
    const base = baseOf(order.externalId ?? "");
    found.set(base, [...(found.get(base) ?? []), order]);
  }
  return found;
}

/** `il_1:2:1` is attempt 1 of fill 2 of line il_1. */
export function baseOf(reference: string): string {
  return reference.split(":").slice(0, 2).join(":");
}

interface Asked {
  invoice: Invoice;
  lineId: string;
  lineAmount: number;
  base: string;
  due: Date;
}

function verdictOn(evidence: Evidence, asked: Asked): Verdict {
  const { invoice, base, due } = asked;
  if (invoice.status !== "paid") return { kind: "never", since: null, why: `invoice is ${invoice.status}` };
  const back = moneyBack(evidence, asked);
  if (back) return { kind: "never", ...back };
  if (due > evidence.now) return { kind: "never", since: null, why: "not due yet" };
  const decided = evidence.decisions.get(base);
  if (decided !== undefined) return { kind: "decided", live: decided, why: "a person decided" };
  const ended = [...evidence.vendors.pharmacy.state.orders.values()].some((order) =>
    baseOf(order.externalId ?? "") === base && evidence.endedByPharmacy.has(order.id)
  );
  if (ended) return { kind: "decided", live: 0, why: "the pharmacy ended it and nobody decided yet" };
  const paused = pausedSince(evidence, invoice.parent.subscription_details.subscription);
  // What was due well before has shipped by then.
  const stoppedInTime = paused && due.getTime() + IN_TIME_MS > paused.since.getTime();
  return stoppedInTime ? { kind: "paused", ...paused } : { kind: "ship" };
}

/** The longest outage of the story, and more. */
const IN_TIME_MS = 24 * 3_600_000;

/** Since when the money for the line is back, or on its way back. */
function moneyBack(
  evidence: Evidence,
  { invoice, lineId, lineAmount }: Asked,
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
  const ofLine = notes.filter((note) => note.lines.data.some((one) => one.invoice_line_item === lineId));
  const credited = ofLine.flatMap((note) => note.lines.data).reduce(
    (sum, one) => one.invoice_line_item === lineId ? sum + one.amount : sum,
    0,
  );
  return credited >= lineAmount ? { since: at(ofLine.map((note) => note.created)), why: "credited" } : null;
}

/** Since when a subscription that is not running now has not been, by Stripe's own events. */
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

/** When the pharmacy shipped an order: it tells the health record, as a dispense. */
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
