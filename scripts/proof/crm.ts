import { type Check, check } from "./check.ts";
import type { Evidence } from "./evidence.ts";

/** The CRM against the pharmacy, customer by customer, without Clockwork's own tables. */
export function checkCrm(evidence: Evidence): Check[] {
  return [heardOnce(evidence), heardTheEnd(evidence)];
}

function heardOnce(evidence: Evidence): Check {
  const { crm } = evidence.vendors;
  const result = check("the CRM heard each fact at most once");
  const heard = Map.groupBy(
    crm.events,
    ({ personId, name, data }) => `${personId}: ${name} ${subjectOf(data)}`,
  );
  for (const [fact, { length }] of heard) {
    if (length > 1) result.doubled.push(`${fact} was heard ${length} times`);
  }
  for (const { name, personId, data } of crm.events) {
    if (subjectOf(data) === null) {
      result.unexplained.push(`${personId} heard ${name} of neither an order, a renewal, nor a payment`);
    } else if (name === "payment_failed" && !hasFailed(evidence, personId, data["attempt"])) {
      result.unexplained.push(`${personId} heard of a try that did not fail at Stripe`);
    }
  }
  const repeats = crm.receipts.filter(({ outcome }) => outcome === "duplicate").length;
  result.scope = `${heard.size} facts; ${
    crm.faults.calls.get("send event") ?? 0
  } POSTs, ${repeats} of them repeats that the CRM ignored`;
  return result;
}

/** True when Stripe failed `attempt` times to charge an invoice of this person. */
function hasFailed(evidence: Evidence, personId: string, attempt: unknown): boolean {
  const customer = evidence.people.find(({ crmPersonId }) => crmPersonId === personId)?.stripeCustomerId;
  return [...evidence.vendors.stripe.state.invoices.values()].some((invoice) =>
    invoice.customer === customer && invoice.attempt_count >= Number(attempt)
  );
}

/** The subject of a fact: an order, a renewal with its reminder's number, or a try to charge. Null: nothing of ours. */
function subjectOf(data: Readonly<Record<string, unknown>>): string | null {
  const { order_id: order, renewal_id: renewal, reminder = "", attempt, next_attempt_on: next } = data;
  if (typeof order === "number") return `of order ${order}`;
  if (typeof attempt === "number") return `of try ${attempt}, the next on ${String(next)}`;
  return typeof renewal === "number" ? `${String(reminder)} of renewal ${renewal}` : null;
}

/** The CRM heard the last fact once for each delivered parcel, and for each placed order that we cancelled. */
function heardTheEnd(evidence: Evidence): Check {
  const result = check("the CRM heard the last fact of each finished order exactly once");
  const { pharmacy, crm } = evidence.vendors;
  let delivered = 0;
  let cancelled = 0;
  const orders = Map.groupBy(pharmacy.state.orders.values(), ({ patientId }) => patientId);
  for (const { pharmacyPatientId, crmPersonId } of evidence.people) {
    const own = orders.get(pharmacyPatientId) ?? [];
    const heard = (name: string) => crm.heard(crmPersonId).filter((event) => event.name === name).length;
    const arrived = own.filter(({ state }) => state === "COMPLETED").length;
    delivered += arrived;
    compare(result, crmPersonId, "order_delivered", heard("order_delivered"), arrived, arrived);

    // By reference: the cancellation of a second order for one reference is no news for the customer.
    const byReference = Map.groupBy(own, ({ externalId }) => externalId ?? "");
    const ended = [...byReference.values()].filter((same) => same.every(({ state }) => state === "CANCELED"));
    const byUs = ended.filter((same) => !same.some(({ id }) => evidence.endedByPharmacy.has(id))).length;
    cancelled += byUs;
    // No upper bound: the CRM also hears of orders that were cancelled before they were placed.
    compare(result, crmPersonId, "order_cancelled", heard("order_cancelled"), byUs, Infinity);
  }
  result.scope = `${delivered} delivered, ${cancelled} cancelled`;
  return result;
}

function compare(
  result: Check,
  person: string,
  fact: string,
  heard: number,
  least: number,
  most: number,
): void {
  if (heard < least) result.lost.push(`${person} heard ${fact} ${heard} times, expected ${least}`);
  if (heard > most) result.doubled.push(`${person} heard ${fact} ${heard} times, expected ${most}`);
}
