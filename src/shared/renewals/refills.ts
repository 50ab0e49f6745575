import { sql } from "kysely";
import type { Database, Trx } from "../db/database.ts";
import { addNow, type Question } from "../queue/ask.ts";
import type { FoundTask } from "../queue/find.ts";
import { openTasks } from "../queue/open.ts";
import type { Reason } from "../queue/reasons.ts";
import type { StepContext } from "../queue/step.ts";
import { wakeTasks } from "../queue/wake.ts";
import type { Look } from "./look.ts";

/** Writes each look to `tracker.refills`: keys, the finding, and our own dates, which are forecasts. */
export async function recordLooks(trx: Trx, looks: readonly Look[]): Promise<void> {
  if (looks.length === 0) return;
  await trx
    .insertInto("tracker.refills")
    .values(looks.map((look) => {
      const dates = look.coverage && "dueOn" in look.coverage ? look.coverage : null;
      return {
        subscription_item_id: look.subscriptionItemId,
        subscription_id: look.subscriptionId,
        customer_id: look.customerId,
        product_id: look.productId,
        prescription_id: look.prescriptionId,
        finding: look.finding,
        what: look.what,
        other_prescriptions: look.otherPrescriptions,
        other_refills: look.otherRefills,
        last_fill_on: dates?.lastFillOn ?? null,
        fillable_until: dates?.expiresOn ?? null,
        runs_out_on: dates?.runsOutOn ?? null,
        due_on: look.dueOn,
        start_on: look.startOn,
      };
    }))
    .onConflict((conflict) =>
      conflict.column("subscription_item_id").doUpdateSet((eb) => ({
        subscription_id: eb.ref("excluded.subscription_id"),
        customer_id: eb.ref("excluded.customer_id"),
        product_id: eb.ref("excluded.product_id"),
        prescription_id: eb.ref("excluded.prescription_id"),
        finding: eb.ref("excluded.finding"),
        what: eb.ref("excluded.what"),
        other_prescriptions: eb.ref("excluded.other_prescriptions"),
        other_refills: eb.ref("excluded.other_refills"),
        last_fill_on: eb.ref("excluded.last_fill_on"),
        fillable_until: eb.ref("excluded.fillable_until"),
        runs_out_on: eb.ref("excluded.runs_out_on"),
        due_on: eb.ref("excluded.due_on"),
        start_on: eb.ref("excluded.start_on"),
        looked_at: sql<Date>`clockwork.now()`,
      }))
    )
    .execute();
}

/** Marks the items of these subscriptions as INACTIVE that Stripe no longer has. */
export async function endMissingItems(
  trx: Trx,
  subscriptionIds: readonly string[],
  looks: readonly Look[],
): Promise<void> {
  const itemIds = looks.map((look) => look.subscriptionItemId);
  await trx
    .updateTable("tracker.refills")
    .set({ finding: "INACTIVE", what: null, looked_at: sql<Date>`clockwork.now()` })
    .where(sql<boolean>`subscription_id = any (${subscriptionIds}::text[])`)
    .where(sql<boolean>`subscription_item_id <> all (${itemIds}::text[])`)
    .where("finding", "<>", "INACTIVE")
    .execute();
}

/**
 * Hours in which nobody is asked about a new subscription. Its prescription and keys may still be on their way, and its
 * first order asks by itself.
 */
const NEW_SUBSCRIPTION_HOURS = 72;

/**
 * Asks a person about refills that are unclear or have no prescription: one `renewal.check` a subscription. Open
 * questions whose cause has gone or changed are woken: they end, or ask anew. The task's own row is left alone.
 */
export async function askAboutRefills(
  trx: Trx,
  ctx: StepContext,
  looks: readonly Look[],
): Promise<void> {
  const asked = await openQuestions(trx, looks.map((look) => look.subscriptionId), ctx.task.id);
  const questions: Question[] = [];
  const bySubscription = Map.groupBy(looks, (look) => look.subscriptionId);
  for (const [subscriptionId, ofSubscription] of bySubscription) {
    const why = ofSubscription.map((look) => questionAbout(look, ctx.now())).find((one) => one !== null);
    const open = asked.get(subscriptionId) ?? [];
    if (why && open.length === 0) {
      const customerId = ofSubscription.find((look) => look.customerId !== null)?.customerId;
      questions.push({
        step: "renewal.check",
        data: { subscription_id: subscriptionId },
        person: why,
        ...(customerId ? { customerId } : {}),
      });
    }
    const ids = open.filter((one) => one.reasonCode !== why?.code).map(({ id }) => id);
    await wakeTasks(trx, { ids });
  }
  await wakeTwins(trx, looks);
  await addNow(trx, ctx, questions);
}

/** A refill has ended: whether its customer still pays twice for its product is asked about another refill. */
async function wakeTwins(trx: Trx, looks: readonly Look[]): Promise<void> {
  const ended = looks.flatMap(({ finding, customerId }) =>
    finding === "INACTIVE" && customerId ? customerId : []
  );
  for (const customerId of new Set(ended)) {
    await wakeTasks(trx, { step: "renewal.check", customerId, reasonCode: "REFILL_TWICE" });
  }
}

/** The question to a person about a refill; null when there is none. */
export function questionAbout(look: Look, now: Date): Reason | null {
  const age = now.getTime() - look.subscriptionCreatedAt.getTime();
  const isNew = age < NEW_SUBSCRIPTION_HOURS * 3_600_000 && look.finding !== "UNKNOWN_STATUS";
  return isNew ? null : look.asks;
}

/** Open questions by subscription, without the task's own row. */
export async function openQuestions(
  db: Database | Trx,
  subscriptionIds: readonly string[],
  ownTask: number,
): Promise<Map<string, FoundTask[]>> {
  const open = await openTasks(db, {
    step: "renewal.check",
    about: { subscription_id: subscriptionIds },
    status: "MANUAL_INTERVENTION",
    except: ownTask,
  });
  return Map.groupBy(open, ({ data }) => String(data["subscription_id"]));
}
