import { sql } from "kysely";
import type { Database, Trx } from "../db/database.ts";
import type { Coverage } from "../prescriptions/coverage.ts";
import { addNow, type Question } from "../queue/ask.ts";
import type { FoundTask } from "../queue/find.ts";
import { openTasks } from "../queue/open.ts";
import type { Reason } from "../queue/reasons.ts";
import type { StepContext } from "../queue/step.ts";
import { wakeTasks } from "../queue/wake.ts";
import type { Look } from "./look.ts";

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
      other_refills: look.otherRefills,
      ...datesOf(look.coverage),
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

/** The three dates, as they are worked out: a forecast of ours, not what the prescription says. */
function datesOf(coverage: Coverage | null) {
  const known = coverage?.kind === "covered" || coverage?.kind === "spent" ? coverage : null;
  return {
    last_fill_on: known?.lastFillOn ?? null,
    fillable_until: known?.expiresOn ?? null,
    runs_out_on: known?.runsOutOn ?? null,
  };
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
 * that ask what is settled run again: they end by themselves, or ask what there is to ask now. The row of the task that
 * looks is not woken.
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
    const settled = open.filter((one) => one.reasonCode !== why?.code);
    await wakeTasks(trx, { ids: settled.map(({ id }) => id) });
  }
  await addNow(trx, ctx, questions);
}

/** What a person must be asked about a refill, or null. */
export function questionAbout(look: Look, now: Date): Reason | null {
  const age = now.getTime() - look.subscriptionCreatedAt.getTime();
  const isNew = age < NEW_SUBSCRIPTION_HOURS * 3_600_000 && look.finding !== "UNKNOWN_STATUS";
  return isNew ? null : look.asks;
}

/** What people are asked about these subscriptions, but for the task's own row. */
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
