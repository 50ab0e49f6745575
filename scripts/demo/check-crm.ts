import { type Check, check } from "./checks.ts";
import type { Evidence } from "./evidence.ts";

/** The CRM against the pharmacy, customer by customer. Clockwork's own tables are not looked at. */
export function checkCrm(evidence: Evidence): Check[] {
  return [heardOnce(evidence), heardTheEnd(evidence)];
}

function heardOnce({ vendors: { crm } }: Evidence): Check {
  const result = check("the CRM heard each fact at most once");
  const heard = new Map<string, number>();
  for (const { personId, name, data } of crm.events) {
    const fact = `${personId}: ${name} ${subjectOf(data)}`;
    heard.set(fact, (heard.get(fact) ?? 0) + 1);
  }
  for (const [fact, count] of heard) if (count > 1) result.doubled.push(`${fact} was heard ${count} times`);
  const strangers = crm.events.filter(({ data }) => subjectOf(data) === null);
  for (const { name, personId } of strangers) {
    result.unexplained.push(`${personId} heard ${name} of neither an order nor a renewal`);
  }
  const repeats = crm.receipts.filter(({ outcome }) => outcome === "duplicate").length;
  result.looked =
    `${heard.size} facts; ${crm.faults.calls.get("send event") ?? 0} POSTs, of which the CRM dropped ` +
    `${repeats} as repeats`;
  return result;
}

/** What a fact is about: an order, or a renewal (whose reminders are counted). Null: nothing of ours. */
function subjectOf(data: Readonly<Record<string, unknown>>): string | null {
  const { order_id: order, renewal_id: renewal, reminder = "" } = data;
  if (typeof order === "number") return `of order ${order}`;
  return typeof renewal === "number" ? `${String(reminder)} of renewal ${renewal}` : null;
}

/** Each delivered parcel and each placed order that we had cancelled: its last fact, exactly once. */
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

    // By reference: a second order for one reference that was cancelled is no news for the customer.
    const byReference = Map.groupBy(own, ({ externalId }) => externalId ?? "");
    const ended = [...byReference.values()].filter((same) => same.every(({ state }) => state === "CANCELED"));
    const byUs = ended.filter((same) => !same.some(({ id }) => evidence.endedByPharmacy.has(id))).length;
    cancelled += byUs;
    // An order that was called off before it was placed may be told, too: the pharmacy never saw it.
    compare(result, crmPersonId, "order_cancelled", heard("order_cancelled"), byUs, Infinity);
  }
  result.looked = `${delivered} delivered, ${cancelled} cancelled`;
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
