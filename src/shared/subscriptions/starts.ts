import { sql } from "kysely";
import type { Database, Trx } from "../db/database.ts";
import type { TrackerFirstPrescriptionsFinding } from "../db/types.ts";
import { type FollowUp, reason, type ReasonCode } from "../queue/reasons.ts";
import type { StepContext } from "../queue/step.ts";
import { followUpTasks, insertTasks } from "../queue/tasks.ts";
import { priceToSell } from "../registry/prices.ts";
import type { Sorted } from "../prescriptions/by-product.ts";
import type { FirstVerdict } from "../prescriptions/first.ts";

export const CREATE_SUBSCRIPTION = "create subscription";

/** What is said of a customer's first prescription of a product (`tracker.first_prescriptions`). */
export type FirstFinding = TrackerFirstPrescriptionsFinding;

/** One subscription per customer and product is ever started: the business key of the effect. */
export function startKey(customerId: number, productId: number): string {
  return `subscription:${customerId}:${productId}`;
}

/** What the ledger says of a start; undefined when it was never sent, or surely not done. */
export async function startEffectOf(
  db: Database | Trx,
  customerId: number,
  productId: number,
): Promise<{ state: string; reference: string | null } | undefined> {
  return await db
    .selectFrom("clockwork.effects")
    .select(["state", "reference"])
    .where("vendor", "=", "stripe")
    .where("operation", "=", CREATE_SUBSCRIPTION)
    .where("key", "=", startKey(customerId, productId))
    .where("state", "<>", "REFUSED")
    .executeTakeFirst();
}

/**
 * Inserts follow-ups within a commit instead of leaving them for its end: looks that settle together then see what each
 * other asked for.
 */
export async function askNow(trx: Trx, ctx: StepContext, followUps: readonly FollowUp[]): Promise<void> {
  await insertTasks(trx, followUpTasks(ctx.task, followUps, (step) => ctx.steps.queueOf(step)));
}

/** False where subscriptions are begun by Checkout alone. */
export async function hasStarts(trx: Trx): Promise<boolean> {
  const any = await trx.selectFrom("clockwork.tasks").select("id").where("step", "=", "subscription.start")
    .limit(1).executeTakeFirst();
  return any !== undefined;
}

/** Two looks at one customer settle one after the other, so that the second sees what the first asked for. */
export async function lockCustomer(trx: Trx, customerId: number): Promise<void> {
  await trx.selectFrom("registry.customers").select("id").where("id", "=", customerId).forNoKeyUpdate()
    .executeTakeFirst();
}

/** Writes down what was found. What is started or subscribed once stays so, whatever a later look would begin. */
export async function recordFirst(
  trx: Trx,
  first: {
    customerId: number;
    productId: number;
    prescriptionId: string;
    finding: FirstFinding;
    subscriptionId?: string;
  },
): Promise<void> {
  const { finding } = first;
  const isBeginning = finding === "STARTING" || finding === "NO_PRICE" || finding === "ENDED";
  await trx
    .insertInto("tracker.first_prescriptions")
    .values({
      customer_id: first.customerId,
      product_id: first.productId,
      prescription_id: first.prescriptionId,
      finding,
      subscription_id: first.subscriptionId ?? null,
    })
    .onConflict((conflict) =>
      conflict.columns(["customer_id", "product_id"]).doUpdateSet((eb) => ({
        prescription_id: eb.ref("excluded.prescription_id"),
        finding: eb.ref("excluded.finding"),
        subscription_id: eb.ref("excluded.subscription_id"),
        looked_at: sql<Date>`clockwork.now()`,
      })).where((eb) =>
        isBeginning
          ? eb("tracker.first_prescriptions.finding", "not in", ["STARTED", "SUBSCRIBED"])
          : eb.lit(true)
      )
    )
    .execute();
}

/** A task of step subscription.start. */
interface Start {
  id: number;
  status: string;
  reasonCode: string | null;
  prescriptionId: string | null;
  isAnswer: boolean;
}

/** Every task that starts, or asked to start, the customer's subscription to the product. */
export async function startsOf(db: Database | Trx, customerId: number, productId: number): Promise<Start[]> {
  const rows = await db
    .selectFrom("clockwork.tasks")
    .select([
      "id",
      "status",
      "reason_code",
      sql<string | null>`data ->> 'prescription_id'`.as("prescription_id"),
      sql<boolean>`data ? 'despite_earlier'`.as("is_answer"),
    ])
    .where("step", "=", "subscription.start")
    .where(sql<boolean>`data ->> 'customer_id' = ${String(customerId)}`)
    .where(sql<boolean>`data ->> 'product_id' = ${String(productId)}`)
    .execute();
  return rows.map((row) => ({
    id: row.id,
    status: row.status,
    reasonCode: row.reason_code,
    prescriptionId: row.prescription_id,
    isAnswer: row.is_answer,
  }));
}

/** Stops that news of a prescription, or of the registry, may settle. A declined card is not tried again by itself. */
const SETTLED_BY_NEWS: readonly ReasonCode[] = [
  "PRESCRIPTION_UNCLEAR",
  "NO_PAYMENT_METHOD",
  "MISSING_CUSTOMER_KEY",
  "UNKNOWN_PRODUCT",
  "PRODUCT_NOT_SOLD",
];

/**
 * What a look at one product's prescriptions asks for: at most one open start per customer and product. A stopped one
 * runs again where the news may settle it; one that a person dropped stays dropped, for that prescription.
 */
export async function planStart(
  trx: Trx,
  customerId: number,
  productId: number,
  verdict: Exclude<FirstVerdict, { kind: "none" }>,
): Promise<FollowUp[]> {
  const { prescriptionId } = verdict;
  const first = { customerId, productId, prescriptionId };
  const done = await startEffectOf(trx, customerId, productId);
  if (done?.state === "CONFIRMED" && done.reference) {
    await recordFirst(trx, { ...first, finding: "STARTED", subscriptionId: done.reference });
    return [];
  }
  if (!(await priceToSell(trx, customerId, productId))) {
    await recordFirst(trx, { ...first, finding: "NO_PRICE" });
    return [];
  }
  await recordFirst(trx, { ...first, finding: "STARTING" });
  const starts = await startsOf(trx, customerId, productId);
  // One at work may have read the prescriptions before this one was written: only a PENDING one counts.
  const pending = starts.filter(({ status }) => status === "PENDING");
  if (pending.length > 0) {
    await wake(trx, pending.filter((one) => one.reasonCode === "PRESCRIPTION_NOT_VALID_YET"));
    return [];
  }
  const stopped = starts.filter(({ status }) => status === "MANUAL_INTERVENTION");
  if (stopped.length > 0) {
    const bySettled = (one: Start) => SETTLED_BY_NEWS.some((code) => code === one.reasonCode);
    await wake(trx, stopped.filter((one) => !one.isAnswer && bySettled(one)));
    return [];
  }
  if (starts.some((one) => one.status === "CANCELLED" && one.prescriptionId === prescriptionId)) return [];
  const { starts_at } = await trx
    .selectFrom("clockwork.settings")
    .select(sql<Date>`clockwork.now() + subscription_wait`.as("starts_at"))
    .executeTakeFirstOrThrow();
  return [{
    step: "subscription.start",
    data: { customer_id: customerId, product_id: productId, prescription_id: prescriptionId },
    runAfter: starts_at,
    why: reason("SUBSCRIPTION_STARTS_LATER", { product: productId, time: toMinute(starts_at) }),
  }];
}

function toMinute(at: Date): string {
  return `${at.toISOString().slice(0, 16).replace("T", " ")} UTC`;
}

/**
 * Prescriptions for nothing we sell go to a person, each once: a `subscription.look` born in MANUAL_INTERVENTION. Those
 * that ask what is settled run again, and end by themselves.
 * @param ownTask the task that looks: its own row is neither asked anew nor woken
 */
export async function askAboutUnknown(
  trx: Trx,
  customerId: number,
  unknown: Sorted["unknown"],
  ownTask: number,
): Promise<FollowUp[]> {
  const rows = await trx
    .selectFrom("clockwork.tasks")
    .select(["id", "status", sql<string>`data ->> 'prescription_id'`.as("prescription_id")])
    .where("step", "=", "subscription.look")
    .where(sql<boolean>`data ->> 'customer_id' = ${String(customerId)}`)
    .where(sql<boolean>`data ? 'prescription_id'`)
    .where("status", "<>", "DONE")
    .execute();
  const asked = new Set(rows.map((row) => row.prescription_id));
  const open = new Set(unknown.map(({ prescriptionId }) => prescriptionId));
  await wake(
    trx,
    rows.filter((row) =>
      row.status === "MANUAL_INTERVENTION" && row.id !== ownTask && !open.has(row.prescription_id)
    ),
  );
  return unknown.filter(({ prescriptionId }) => !asked.has(prescriptionId)).map((
    { prescriptionId, why },
  ): FollowUp => ({
    step: "subscription.look",
    data: { customer_id: customerId, prescription_id: prescriptionId },
    person: reason("PRESCRIPTION_FOR_UNKNOWN_PRODUCT", {
      prescription: prescriptionId,
      customer: customerId,
      why,
    }),
  }));
}

/**
 * A question whether to start although it is not the first prescription, asked once per prescription, and not while one
 * is open for the product.
 */
export async function askDespiteEarlier(
  trx: Trx,
  start: { customerId: number; productId: number; prescriptionId: string; why: string },
): Promise<FollowUp[]> {
  const { customerId, productId, prescriptionId, why } = start;
  await lockCustomer(trx, customerId);
  const asked = (await startsOf(trx, customerId, productId)).filter(({ isAnswer }) => isAnswer);
  const isOpen = (one: Start) => ["PENDING", "QUEUED", "MANUAL_INTERVENTION"].includes(one.status);
  if (asked.some((one) => isOpen(one) || one.prescriptionId === prescriptionId)) return [];
  return [{
    step: "subscription.start",
    data: {
      customer_id: customerId,
      product_id: productId,
      prescription_id: prescriptionId,
      despite_earlier: true,
    },
    person: reason("NOT_THE_FIRST_PRESCRIPTION", {
      customer: customerId,
      prescription: prescriptionId,
      product: productId,
      why,
    }),
  }];
}

/**
 * A subscription for these products has begun: starts of them that wait for a person run again, and end by meeting it.
 * What a person was asked is no answer of theirs, so it is taken out.
 */
export async function settleStops(
  trx: Trx,
  customerId: number,
  productIds: readonly number[],
): Promise<void> {
  await trx
    .updateTable("clockwork.tasks")
    .set({
      status: "PENDING",
      run_after: sql`clockwork.now()`,
      attempts: 0,
      data: sql`data - 'despite_earlier'`,
    })
    .where("step", "=", "subscription.start")
    .where("status", "=", "MANUAL_INTERVENTION")
    .where(sql<boolean>`data ->> 'customer_id' = ${String(customerId)}`)
    .where(sql<boolean>`data ->> 'product_id' = any (${productIds.map(String)}::text[])`)
    .execute();
}

/** Starts of the customer that stopped because there was nothing to charge, or what there was declined, run again. */
export async function retryWithNewCard(trx: Trx, customerId: number): Promise<void> {
  const stopped = await trx
    .selectFrom("clockwork.tasks")
    .select("id")
    .where("step", "=", "subscription.start")
    .where("status", "=", "MANUAL_INTERVENTION")
    .where("reason_code", "in", ["NO_PAYMENT_METHOD", "CARD_DECLINED"])
    .where(sql<boolean>`data ->> 'customer_id' = ${String(customerId)}`)
    .execute();
  await wake(trx, stopped);
}

async function wake(trx: Trx, tasks: readonly { id: number }[]): Promise<void> {
  if (tasks.length === 0) return;
  await trx
    .updateTable("clockwork.tasks")
    .set({
      status: "PENDING",
      run_after: sql`clockwork.now()`,
      attempts: sql`case status when 'PENDING' then attempts else 0 end`,
    })
    .where("id", "in", tasks.map(({ id }) => id))
    .where("status", "in", ["PENDING", "MANUAL_INTERVENTION"])
    .execute();
}
