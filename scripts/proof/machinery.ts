import { MEDICAL_CANARIES } from "../sandbox/clinic.ts";
import { type Check, check } from "./check.ts";
import type { Evidence } from "./evidence.ts";

/** A webhook that a vendor got a 2xx for must be a task. */
export function checkWebhooks({ vendors, mail, tasks }: Evidence): Check {
  const result = check("every acknowledged webhook is a task, once");
  const byKey = Map.groupBy(tasks.filter(({ caused_by }) => caused_by === null), ({ key }) => key);
  let acknowledged = 0;
  for (const vendor of ["stripe", "health", "pharmacy", "crm"] as const) {
    const { outbox } = vendors[vendor];
    for (const id of outbox.acknowledged) {
      acknowledged += 1;
      const count = byKey.get(mail.snapshotOf.get(id) ?? id)?.length ?? 0;
      if (count === 0) result.lost.push(`${vendor} event ${id} was acknowledged, but there is no task`);
      if (count > 1) result.doubled.push(`${vendor} event ${id} is ${count} tasks`);
    }
    for (const id of outbox.givenUp) {
      if (!outbox.acknowledged.has(id)) result.lost.push(`${vendor} gave up on event ${id}`);
    }
    if (outbox.waiting > 0) result.unexplained.push(`${vendor} still has ${outbox.waiting} webhooks to send`);
  }
  result.scope = `${acknowledged} acknowledged, ${tasks.length} tasks`;
  return result;
}

/** Reasons that mean a mistake of ours, though the catalogue has them. */
const OUR_MISTAKES = [
  "INTERNAL_ERROR",
  "INVALID_DATA",
  "UNKNOWN_STEP",
  "DRAIN_DIED",
  "UNKNOWN_ORDER",
  "ORDER_NOT_FOUND",
];

export function checkTasks({ tasks }: Evidence): Check {
  const result = check("every task came to an end, or waits for its day, with a reason");
  for (const task of tasks) {
    const name = `task ${task.id} (${task.step})`;
    switch (task.status) {
      case "DONE":
        break;
      case "PARKED":
      case "CANCELLED":
      case "MANUAL_INTERVENTION":
        if (!task.catalogued) {
          result.unexplained.push(`${name} is ${task.status} without a catalogued reason`);
        }
        break;
      case "PENDING":
        if (!task.waits) result.lost.push(`${name} is due, but nobody runs it`);
        else if (!task.catalogued) result.unexplained.push(`${name} waits and does not say why`);
        break;
      default:
        result.lost.push(`${name} is still ${task.status}`);
    }
    if (OUR_MISTAKES.includes(task.reason_code ?? "")) result.unexplained.push(`${name}: ${task.reason}`);
  }
  const statuses = [...Map.groupBy(tasks, ({ status }) => status)].sort(([a], [b]) => (a < b ? -1 : 1));
  result.scope = statuses.map(([status, { length }]) => `${length} ${status}`).join(", ");
  return result;
}

/** The queue of a vendor that is out is held, and goes on after the outage. */
export function checkHold({ hold }: Evidence): Check {
  const result = check("the pharmacy's queue was held during its outage, and every vendor is well again");
  if (hold.seen === null) result.unexplained.push("the pharmacy was out, and its queue was not held");
  result.unexplained.push(...hold.unwell);
  result.scope = hold.seen ?? "no hold";
  return result;
}

export function checkLeaks(evidence: Evidence): Check {
  const result = check("no medical fact in Clockwork's tables and logs, at Stripe or in the CRM");
  for (const [table, rows] of evidence.leaks) {
    result.unexplained.push(`${rows} rows of ${table} hold a medical fact`);
  }
  const holdsOne = (text: string) => MEDICAL_CANARIES.some((canary) => text.includes(canary));
  const lines = evidence.functionLines.filter(holdsOne).length;
  if (lines > 0) result.unexplained.push(`${lines} lines in the functions' logs hold a medical fact`);
  const { stripe, crm } = evidence.vendors;
  const state = [stripe.state.customers, stripe.state.subscriptions, stripe.state.invoices];
  if (holdsOne(JSON.stringify(state.map((map) => [...map.values()])))) {
    result.unexplained.push("Stripe holds a medical fact");
  }
  if (holdsOne(JSON.stringify([crm.receipts, [...crm.people.values()].map((one) => [...one.attributes])]))) {
    result.unexplained.push("the CRM was told a medical fact");
  }
  result.scope = `${evidence.searched} tables, ${evidence.functionLines.length} log lines, ` +
    `${MEDICAL_CANARIES.length} canaries`;
  return result;
}
