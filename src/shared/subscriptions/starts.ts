import { sql } from "kysely";
import type { Database, Trx } from "../db/database.ts";
import type { TrackerFirstPrescriptionsFinding } from "../db/types.ts";
import type { FirstVerdict } from "../prescriptions/first.ts";
import { findTasks, type FoundTask, OPEN } from "../queue/find.ts";
import { type FollowUp, reason, type ReasonCode } from "../queue/reasons.ts";
import { wakeTasks } from "../queue/wake.ts";
import { priceToSell } from "../registry/prices.ts";

/** The operation in the ledger. */
export const CREATE_SUBSCRIPTION = "create subscription";

/** The key in the ledger: one subscription per customer and product is ever started. */
export function startKey(customerId: number, productId: number): string {
  return `subscription:${customerId}:${productId}`;
}

/** The ledger's effect of a start; undefined where there is none, or it surely started nothing. */
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

/** Makes two looks at one customer settle one after the other, so that the second finds the first's follow-ups. */
export async function lockCustomer(trx: Trx, customerId: number): Promise<void> {
  await trx.selectFrom("registry.customers").select("id").where("id", "=", customerId).forNoKeyUpdate()
    .executeTakeFirst();
}

/** A customer's prescription for a product that they may never have had before. */
interface First {
  customerId: number;
  productId: number;
  prescriptionId: string;
}

/** Writes the finding to `tracker.first_prescriptions`. STARTED and SUBSCRIBED give way to each other alone. */
export async function recordFirst(
  trx: Trx,
  { customerId, productId, prescriptionId, finding, subscriptionId }: First & {
    finding: TrackerFirstPrescriptionsFinding;
    subscriptionId?: string;
  },
): Promise<void> {
  const isSubscribed = finding === "STARTED" || finding === "SUBSCRIBED";
  await trx
    .insertInto("tracker.first_prescriptions")
    .values({
      customer_id: customerId,
      product_id: productId,
      prescription_id: prescriptionId,
      finding,
      subscription_id: subscriptionId ?? null,
    })
    .onConflict((conflict) =>
      conflict.columns(["customer_id", "product_id"]).doUpdateSet((eb) => ({
        prescription_id: eb.ref("excluded.prescription_id"),
        finding: eb.ref("excluded.finding"),
        subscription_id: eb.ref("excluded.subscription_id"),
        looked_at: sql<Date>`clockwork.now()`,
      })).where((eb) =>
        isSubscribed
          ? eb.lit(true)
          : eb("tracker.first_prescriptions.finding", "not in", ["STARTED", "SUBSCRIBED"])
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
function isDespiteEarlier({ data }: FoundTask): boolean {
  return "despite_earlier" in data;
}

/** Stops that news of a prescription, or of the registry, may answer. A declined card is not tried again by itself. */
const ANSWERED_BY_NEWS: readonly ReasonCode[] = [
  "PRESCRIPTION_UNCLEAR",
  "NO_PAYMENT_METHOD",
  "MISSING_CUSTOMER_KEY",
  "UNKNOWN_PRODUCT",
  "PRODUCT_NOT_SOLD",
];

/**
 * Asks for a start after a look at one product's prescriptions: at most one is open per customer and product. A stopped
 * one is woken where the news may answer it. One that a person cancelled stays so, for that prescription.
 */
export async function requestStart(
  trx: Trx,
  customerId: number,
  productId: number,
  { prescriptionId }: Exclude<FirstVerdict, { kind: "none" }>,
): Promise<FollowUp[]> {
  const first = { customerId, productId, prescriptionId };
  const done = await startEffectOf(trx, customerId, productId);
  if (done?.state === "CONFIRMED" && done.reference) {
    await recordFirst(trx, { ...first, finding: "STARTED", subscriptionId: done.reference });
    return [];
  }
  const price = await priceToSell(trx, customerId, productId);
  await recordFirst(trx, { ...first, finding: price ? "STARTING" : "NO_PRICE" });
  if (!price) return [];
  const starts = await startsOf(trx, customerId, productId);
  // Only a PENDING one counts: one at work may have read the prescriptions before this one was written.
  const pending = starts.filter(({ status }) => status === "PENDING");
  if (pending.length > 0) {
    const notValidYet = pending.filter((one) => one.reasonCode === "PRESCRIPTION_NOT_VALID_YET");
    await wakeTasks(trx, { ids: notValidYet.map(({ id }) => id) }, { alsoWaiting: true });
    return [];
  }
  const stopped = starts.filter(({ status }) => status === "MANUAL_INTERVENTION");
  if (stopped.length > 0) {
    const answered = stopped.filter((one) =>
      !isDespiteEarlier(one) && ANSWERED_BY_NEWS.some((code) => code === one.reasonCode)
    );
    await wakeTasks(trx, { ids: answered.map(({ id }) => id) });
    return [];
  }
  if (starts.some((one) => one.status === "CANCELLED" && isFor(prescriptionId, one))) return [];
  const { starts_at } = await trx
    .selectFrom("clockwork.settings")
    .select(sql<Date>`clockwork.now() + subscription_wait`.as("starts_at"))
    .executeTakeFirstOrThrow();
  const time = `${starts_at.toISOString().slice(0, 16).replace("T", " ")} UTC`;
  return [{
    step: "subscription.start",
    data: { customer_id: customerId, product_id: productId, prescription_id: prescriptionId },
    runAfter: starts_at,
    why: reason("SUBSCRIPTION_STARTS_LATER", { product: productId, time }),
  }];
}

function isFor(prescriptionId: string, { data }: FoundTask): boolean {
  return data["prescription_id"] === prescriptionId;
}

/**
 * The question whether to start although it is not the first prescription: once per prescription, and not while one is
 * open for the product.
 */
export async function askDespiteEarlier(
  trx: Trx,
  { customerId, productId, prescriptionId, why }: First & { why: string },
): Promise<FollowUp[]> {
  await lockCustomer(trx, customerId);
  const asked = (await startsOf(trx, customerId, productId)).filter(isDespiteEarlier);
  if (asked.some((one) => OPEN.includes(one.status) || isFor(prescriptionId, one))) return [];
  const details = { customer: customerId, prescription: prescriptionId, product: productId, why };
  return [{
    step: "subscription.start",
    data: {
      customer_id: customerId,
      product_id: productId,
      prescription_id: prescriptionId,
      despite_earlier: true,
    },
    person: reason("NOT_THE_FIRST_PRESCRIPTION", details),
  }];
}

/**
 * Wakes the stopped starts of these products, for which a subscription has begun: they end by finding it. The proposal
 * of a question is taken out of its data, for nobody answered it.
 */
export async function wakeStarts(trx: Trx, customerId: number, productIds: readonly number[]): Promise<void> {
  const about = { customer_id: customerId, product_id: productIds };
  await wakeTasks(trx, { step: "subscription.start", about }, { without: "despite_earlier" });
}

/** Wakes the customer's starts that stopped because there was no payment method, or its charge was declined. */
export async function retryWithNewCard(trx: Trx, customerId: number): Promise<void> {
  await wakeTasks(trx, {
    step: "subscription.start",
    about: { customer_id: customerId },
    reasonCode: ["NO_PAYMENT_METHOD", "CARD_DECLINED"],
  });
}
