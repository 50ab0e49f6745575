import { sql } from "kysely";
import type { Trx } from "../db/database.ts";
import { type FollowUp, type Reason, reason } from "../queue/reasons.ts";
import type { Finding, Look } from "./look.ts";

/** Writes down what was seen of each refill: keys, the finding, our own dates. */
export async function recordLooks(trx: Trx, looks: readonly Look[]): Promise<void> {
  if (looks.length === 0) return;
  await trx
    .insertInto("tracker.refills")
    .values(looks.map((look) => ({
      subscription_item_id: look.subscriptionItemId,
      subscription_id: look.subscriptionId,
      customer_id: look.customerId,
      product_id: look.productId,
      prescription_id: look.prescriptionId,
      finding: look.finding,
      what: look.what,
      other_prescriptions: look.otherPrescriptions,
      due_on: look.dueOn,
      start_on: look.startOn,
    })))
    .onConflict((conflict) =>
      conflict.column("subscription_item_id").doUpdateSet((eb) => ({
        subscription_id: eb.ref("excluded.subscription_id"),
        customer_id: eb.ref("excluded.customer_id"),
        product_id: eb.ref("excluded.product_id"),
        prescription_id: eb.ref("excluded.prescription_id"),
        finding: eb.ref("excluded.finding"),
        what: eb.ref("excluded.what"),
        other_prescriptions: eb.ref("excluded.other_prescriptions"),
        due_on: eb.ref("excluded.due_on"),
        start_on: eb.ref("excluded.start_on"),
        looked_at: sql<Date>`clockwork.now()`,
      }))
    )
    .execute();
}

/** Items of these subscriptions that Stripe no longer has are not refilled any more. */
export async function retireMissingItems(
  trx: Trx,
  subscriptionIds: readonly string[],
  looks: readonly Look[],
): Promise<void> {
  if (subscriptionIds.length === 0) return;
  await trx
    .updateTable("tracker.refills")
    .set({ finding: "INACTIVE", what: null, looked_at: sql<Date>`clockwork.now()` })
    .where("subscription_id", "in", [...subscriptionIds])
    .where("finding", "<>", "INACTIVE")
    .$if(
      looks.length > 0,
      (query) => query.where("subscription_item_id", "not in", looks.map((look) => look.subscriptionItemId)),
    )
    .execute();
}

/**
 * A new subscription's prescription is still being written, its keys filled in; and its first order asks a person by
 * itself what there is to ask. For so long nobody is asked here.
 */
const NEW_SUBSCRIPTION_HOURS = 72;

/**
 * Refills that nobody could tell about, or that have nothing to be renewed, go to a person: a `renewal.check` that is
 * born in MANUAL_INTERVENTION, one a subscription. Those
 * that ask what is settled run again: they end by themselves, or ask what there is to ask now.
 * @param ownTask the task that looks: its own row is not woken
 */
export async function askAboutRefills(
  trx: Trx,
  looks: readonly Look[],
  now: Date,
  ownTask: number,
): Promise<FollowUp[]> {
  const asked = await openQuestions(trx, looks, ownTask);
  const followUps: FollowUp[] = [];
  const bySubscription = Map.groupBy(looks, (look) => look.subscriptionId);
  for (const [subscriptionId, ofSubscription] of bySubscription) {
    const why = ofSubscription.map((look) => questionAbout(look, now)).find((one) => one !== null);
    const open = asked.get(subscriptionId) ?? [];
    if (why && open.length === 0) {
      followUps.push({ step: "renewal.check", data: { subscription_id: subscriptionId }, person: why });
    }
    const settled = open.filter((one) => one.reasonCode !== why?.code);
    if (settled.length > 0) await wake(trx, settled.map(({ id }) => id));
  }
  return followUps;
}

const WHY_NONE: Partial<Record<Finding, string>> = {
  NO_PRESCRIPTION: "there is no active prescription on file",
  WRONG_PRODUCT: "the prescriptions on file are for something else",
  UNKNOWN_CUSTOMER: "its customer is not known here, or has no patient in the health record",
  UNKNOWN_PRODUCT: "it cannot be told which prescription it needs",
};

/** What a person must be asked about a refill, or null. */
export function questionAbout(look: Look, now: Date): Reason | null {
  const subscription = look.subscriptionId;
  const age = now.getTime() - look.subscriptionCreatedAt.getTime();
  if (age < NEW_SUBSCRIPTION_HOURS * 3_600_000 && look.finding !== "UNKNOWN_STATUS") return null;
  switch (look.finding) {
    case "UNKNOWN_STATUS":
      return reason("SUBSCRIPTION_STATUS_UNKNOWN", { subscription, status: look.status });
    case "UNKNOWN_CUSTOMER":
    case "UNKNOWN_PRODUCT":
      return reason("REFILL_WITHOUT_PRESCRIPTION", {
        subscription,
        why: `${WHY_NONE[look.finding]}: ${look.what ?? "something"} is missing`,
      });
    case "DATES_UNKNOWN":
      return reason("REFILL_DATES_UNKNOWN", {
        subscription,
        what: look.what ?? "something",
        prescription: look.prescriptionId ?? "-",
      });
    case "NO_PRESCRIPTION":
    case "WRONG_PRODUCT":
      return reason("REFILL_WITHOUT_PRESCRIPTION", { subscription, why: WHY_NONE[look.finding] ?? "" });
    default:
      return null;
  }
}

interface Question {
  id: number;
  reasonCode: string | null;
}

async function openQuestions(
  trx: Trx,
  looks: readonly Look[],
  ownTask: number,
): Promise<Map<string, Question[]>> {
  const subscriptions = [...new Set(looks.map((look) => look.subscriptionId))];
  const open = new Map<string, Question[]>();
  if (subscriptions.length === 0) return open;
  const rows = await trx
    .selectFrom("clockwork.tasks")
    .select(["id", "reason_code", sql<string>`data ->> 'subscription_id'`.as("subscription_id")])
    .where("step", "=", "renewal.check")
    .where("status", "=", "MANUAL_INTERVENTION")
    .where("id", "<>", ownTask)
    .where(sql<boolean>`data ->> 'subscription_id' = any (${subscriptions}::text[])`)
    .execute();
  for (const { id, reason_code: reasonCode, subscription_id: subscription } of rows) {
    open.set(subscription, [...(open.get(subscription) ?? []), { id, reasonCode }]);
  }
  return open;
}

async function wake(trx: Trx, tasks: readonly number[]): Promise<void> {
  await trx
    .updateTable("clockwork.tasks")
    .set({ status: "PENDING", run_after: sql`clockwork.now()` })
    .where("id", "in", [...tasks])
    .where("status", "=", "MANUAL_INTERVENTION")
    .execute();
}
