import { sql } from "kysely";
import type { Database, Trx } from "../db/database.ts";
import { DAY_MS } from "../day.ts";
import { UNDER_WAY } from "../queue/find.ts";
import { hasOpenTask } from "../queue/open.ts";
import { type FollowUp, Permanent } from "../queue/reasons.ts";
import { wakeTasks } from "../queue/wake.ts";
import { type Look, needsRenewal } from "./look.ts";
import { isRenewed } from "./renewed.ts";

/** A row of `tracker.renewals`. */
export type Renewal = Awaited<ReturnType<typeof renewalById>>;

/** The renewal. A missing one is for a person, whose edit the number comes from. */
export async function renewalById(db: Database | Trx, id: number) {
  const renewal = await db.selectFrom("tracker.renewals").selectAll().where("id", "=", id).executeTakeFirst();
  if (!renewal) throw new Permanent("INVALID_DATA", { problem: `there is no renewal ${id}` });
  return renewal;
}

/** The renewal, locked until the transaction ends. */
export async function lockRenewal(trx: Trx, id: number): Promise<Renewal> {
  return await trx.selectFrom("tracker.renewals").selectAll().where("id", "=", id).forUpdate()
    .executeTakeFirstOrThrow();
}

export function isOpen(renewal: Renewal): boolean {
  return renewal.closed_at === null;
}

/** A look at a refill that must be renewed, with every value of a renewal's row. */
interface DueLook extends Look {
  customerId: number;
  productId: number;
  prescriptionId: string;
  dueOn: Date;
  startOn: Date;
}

function isDue(look: Look, beforeNextCharge: boolean): look is DueLook {
  return look.customerId !== null && look.productId !== null && look.prescriptionId !== null &&
    look.dueOn !== null && look.startOn !== null &&
    (needsRenewal(look) || (beforeNextCharge && !look.coversNextCharge));
}

/**
 * Opens a renewal for each due look, once per prescription and cycle. Advances at once a renewal whose campaign should
 * have begun, and an open one that differs from its look.
 * @param openedBy the step
 * @param beforeNextCharge Stripe is about to charge: an uncovered charge starts its renewal now, whatever the lead time
 */
export async function openRenewals(
  trx: Trx,
  looks: readonly Look[],
  openedBy: string,
  now: Date,
  beforeNextCharge = false,
): Promise<FollowUp[]> {
  const followUps: FollowUp[] = [];
  const open = await openRenewalsOf(trx, looks);
  const stopped = await stoppedByPeople(trx, looks.filter((look) => isDue(look, beforeNextCharge)));
  for (const look of looks) {
    const renewal = open.find((one) => one.subscription_item_id === look.subscriptionItemId);
    const isAhead = beforeNextCharge && !look.coversNextCharge;
    if (renewal) {
      if (isAhead) await startNow(trx, renewal.id);
      if (isAhead || await wantsLook(trx, renewal, look, now)) followUps.push(advance(renewal.id));
      continue;
    }
    if (!isDue(look, beforeNextCharge)) continue;
    const stop = stopped.get(refillOf(look.customerId, look.productId));
    if (stop && look.dueOn > now && !isRenewed(look, stop.opened_under, now)) continue;
    const startOn = isAhead && look.startOn > now ? now : look.startOn;
    const id = await insertRenewal(trx, look, startOn, openedBy);
    if (id !== undefined && startOn <= now) followUps.push(advance(id));
  }
  return followUps;
}

function advance(renewalId: number): FollowUp {
  return { step: "renewal.advance", data: { renewal_id: renewalId } };
}

/** Last renewals that a person closed, in whatever words: the cycle opens again on the due day, not before. */
async function stoppedByPeople(
  trx: Trx,
  looks: readonly Look[],
): Promise<Map<string, Pick<Renewal, "opened_under">>> {
  const customers = looks.flatMap(({ customerId }) => customerId ?? []);
  if (customers.length === 0) return new Map();
  const last = await trx
    .selectFrom("tracker.renewals")
    .distinctOn(["customer_id", "product_id"])
    .select(["customer_id", "product_id", "opened_under"])
    .select(sql<boolean>`closed_by not like 'clockwork:%'`.as("is_stopped"))
    .where("customer_id", "in", customers)
    .orderBy("customer_id").orderBy("product_id").orderBy("id", "desc")
    .execute();
  return new Map(
    last.filter(({ is_stopped }) => is_stopped)
      .map((one) => [refillOf(one.customer_id, one.product_id), one]),
  );
}

function refillOf(customerId: number, productId: number): string {
  return `${customerId} ${productId}`;
}

/** Starts a scheduled campaign now. */
async function startNow(trx: Trx, id: number): Promise<void> {
  await trx
    .updateTable("tracker.renewals")
    .set({ start_on: sql<Date>`clockwork.now()`, next_on: sql<Date>`clockwork.now()` })
    .where("id", "=", id)
    .where("closed_at", "is", null)
    .where("contacted_at", "is", null)
    .where("start_on", ">", sql<Date>`clockwork.now()`)
    .execute();
}

async function openRenewalsOf(trx: Trx, looks: readonly Look[]): Promise<Renewal[]> {
  const items = looks.map((look) => look.subscriptionItemId);
  if (items.length === 0) return [];
  return await trx.selectFrom("tracker.renewals").selectAll()
    .where("subscription_item_id", "in", items)
    .where("closed_at", "is", null)
    .orderBy("id")
    .execute();
}

/** Dates that move by less than this are noise: an early refill, a late parcel. */
const NOISE_MS = DAY_MS;

/** True when the look differs from the open renewal, and no `renewal.advance` is under way. */
async function wantsLook(trx: Trx, renewal: Renewal, look: Look, now: Date): Promise<boolean> {
  if (look.finding === "PAUSED" || look.finding === "UNKNOWN_STATUS") return false;
  const isSame = look.dueOn !== null && look.productId === renewal.product_id &&
    Math.abs(look.dueOn.getTime() - renewal.due_on.getTime()) < NOISE_MS;
  const isLate = look.startOn !== null && look.startOn <= now && renewal.contacted_at === null;
  const isOver = renewal.state !== "LAPSED" && renewal.due_on <= now;
  // Somebody resumed a refill that cannot ship.
  const isBilled = renewal.state === "LAPSED" && look.coverage !== null &&
    look.finding !== "PAUSED_FOR_RENEWAL";
  if (isSame && !isLate && !isOver && !isBilled) return false;
  // A lapse in front of a person does not count: this look may show the end of it.
  const about = { renewal_id: renewal.id };
  return !(await hasOpenTask(trx, { step: "renewal.advance", about, status: UNDER_WAY }));
}

async function insertRenewal(
  trx: Trx,
  look: DueLook,
  startOn: Date,
  openedBy: string,
): Promise<number | undefined> {
  const { customerId, productId, prescriptionId, coverage } = look;
  const row = await trx
    .insertInto("tracker.renewals")
    .values({
      customer_id: customerId,
      product_id: productId,
      subscription_id: look.subscriptionId,
      subscription_item_id: look.subscriptionItemId,
      prescription_id: prescriptionId,
      cycle: sql<number>`1 + (select count(*) from tracker.renewals as former
        where former.customer_id = ${customerId} and former.product_id = ${productId}
          and former.prescription_id = ${prescriptionId})`,
      cause: coverage && "cause" in coverage ? coverage.cause : "EXPIRES",
      opened_by: openedBy,
      opened_under: look.limits,
      due_on: look.dueOn,
      start_on: startOn,
      next_on: startOn,
    })
    // Another page or event opened it at the same moment, or another subscription of the customer has it open.
    .onConflict((conflict) => conflict.doNothing())
    .returning("id")
    .executeTakeFirst();
  return row?.id;
}

/** Wakes the tasks about this renewal that stopped at a person. */
export async function wakeRenewalTasks(trx: Trx, renewalId: number): Promise<void> {
  await wakeTasks(trx, {
    step: ["renewal.advance", "renewal.pause_billing"],
    about: { renewal_id: renewalId },
  });
}

/** The task that ends the campaign of a closed renewal. */
export function endOfCampaign({ id, state }: Pick<Renewal, "id" | "state">): FollowUp {
  const fact = state === "RENEWED" ? "renewal_renewed" : "renewal_cancelled";
  return { step: "renewal.tell_crm", data: { renewal_id: id, fact } };
}
