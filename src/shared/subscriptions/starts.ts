import { sql } from "kysely";
import type { Database, Trx } from "../db/database.ts";
import type { TrackerFirstPrescriptionsFinding } from "../db/types.ts";
import { ask } from "../queue/ask.ts";
import { findTasks, type FoundTask, hasTask, OPEN } from "../queue/find.ts";
import { openTasks } from "../queue/open.ts";
import { type FollowUp, reason, type ReasonCode } from "../queue/reasons.ts";
import type { StepContext } from "../queue/step.ts";
import { wakeTasks } from "../queue/wake.ts";
import { priceToSell } from "../registry/prices.ts";
import type { ByProduct } from "../prescriptions/by-product.ts";
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

/** False where subscriptions are begun by Checkout alone. */
export async function hasStarts(trx: Trx): Promise<boolean> {
  return await hasTask(trx, { step: "subscription.start" });
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

/** Every task that starts, or asked to start, the customer's subscription to the product. */
export async function startsOf(
  db: Database | Trx,
  customerId: number,
  productId: number,
): Promise<FoundTask[]> {
  const about = { customer_id: customerId, product_id: productId };
  return await findTasks(db, { step: "subscription.start", about });
}

/** True for a question whether to start although it is not the first prescription, and for its answer. */
function isAnswer({ data }: FoundTask): boolean {
  return "despite_earlier" in data;
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
    const notValidYet = pending.filter((one) => one.reasonCode === "PRESCRIPTION_NOT_VALID_YET");
    await wakeTasks(trx, { ids: notValidYet.map(({ id }) => id) }, { alsoWaiting: true });
    return [];
  }
  const stopped = starts.filter(({ status }) => status === "MANUAL_INTERVENTION");
  if (stopped.length > 0) {
    const settled = stopped.filter((one) =>
      !isAnswer(one) && SETTLED_BY_NEWS.some((code) => code === one.reasonCode)
    );
    await wakeTasks(trx, { ids: settled.map(({ id }) => id) });
    return [];
  }
  if (starts.some((one) => one.status === "CANCELLED" && isFor(prescriptionId, one))) return [];
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
 * that ask what is settled run again, and end by themselves; the row of the task that looks is not woken.
 */
export async function askAboutUnknown(
  trx: Trx,
  ctx: StepContext,
  customerId: number,
  unknown: ByProduct["unknown"],
): Promise<void> {
  const questions = await openTasks(trx, {
    step: "subscription.look",
    about: { customer_id: customerId },
    has: "prescription_id",
    status: "MANUAL_INTERVENTION",
    except: ctx.task.id,
  });
  const settled = questions.filter((one) =>
    !unknown.some(({ prescriptionId }) => isFor(prescriptionId, one))
  );
  await wakeTasks(trx, { ids: settled.map(({ id }) => id) });
  for (const { prescriptionId: prescription, why } of unknown) {
    await ask(trx, ctx, {
      step: "subscription.look",
      data: { customer_id: customerId, prescription_id: prescription },
      person: reason("PRESCRIPTION_FOR_UNKNOWN_PRODUCT", { prescription, customer: customerId, why }),
    });
  }
}

function isFor(prescriptionId: string, { data }: FoundTask): boolean {
  return data["prescription_id"] === prescriptionId;
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
  const asked = (await startsOf(trx, customerId, productId)).filter(isAnswer);
  if (asked.some((one) => OPEN.includes(one.status) || isFor(prescriptionId, one))) return [];
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
  const about = { customer_id: customerId, product_id: productIds };
  await wakeTasks(trx, { step: "subscription.start", about }, { without: "despite_earlier" });
}

/** Starts of the customer that stopped because there was nothing to charge, or what there was declined, run again. */
export async function retryWithNewCard(trx: Trx, customerId: number): Promise<void> {
  await wakeTasks(trx, {
    step: "subscription.start",
    about: { customer_id: customerId },
    reasonCode: ["NO_PAYMENT_METHOD", "CARD_DECLINED"],
  });
}
