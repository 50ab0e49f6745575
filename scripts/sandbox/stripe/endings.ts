import { firstEnd } from "./changes.ts";
import { noSuch } from "./errors.ts";
import { deleteInvoiceItem, pendingItems } from "./invoice-items.ts";
import type { Account } from "./account.ts";
import type { Subscription } from "./objects.ts";
import { chargeTime, creditTime, type ProrationBehavior } from "./prorations.ts";
import { bill } from "./subscriptions.ts";

type Feedback = NonNullable<Subscription["cancellation_details"]>["feedback"];

export interface Cancellation {
  /** Gives back the rest of the period, as pending items. Default: false. */
  prorate?: boolean | undefined;
  /** Bills, or gives back, the pending items at once. Default: false. */
  invoiceNow?: boolean | undefined;
  comment?: string | undefined;
  feedback?: Feedback | undefined;
  /** Default: somebody asked for it. */
  reason?: "cancellation_requested" | "payment_failed" | "payment_disputed" | undefined;
}

/** Ends it at once. Its pending prorations go too, unless they are billed or more are made. */
export function cancel(account: Account, subscription: Subscription, how: Cancellation = {}): Subscription {
  const { state } = account;
  if (subscription.status === "canceled") throw noSuch("subscription", subscription.id, "id", 404);
  const { prorate = false, invoiceNow = false } = how;
  const now = state.nowSeconds();
  if (prorate) { for (const item of subscription.items.data) creditTime(account, subscription, item, now); }
  const pending = pendingItems(state, subscription);
  if (!prorate && !invoiceNow) {
    for (const item of pending.filter(({ proration }) => proration)) deleteInvoiceItem(account, item);
  }
  subscription.cancellation_details = {
    comment: how.comment ?? null,
    feedback: how.feedback ?? null,
    feedback_option: null,
    reason: how.reason ?? "cancellation_requested",
  };
  if (invoiceNow && pending.length > 0) bill(account, subscription, "subscription_update", []);
  return end(account, subscription, now);
}

/** The day of the cancellation has come. What is pending is billed. */
export function endDue(account: Account, subscription: Subscription): Subscription {
  const { state } = account;
  if (subscription.cancel_at === null) throw new Error(`${subscription.id} has no day on which it ends`);
  if (pendingItems(state, subscription).length > 0) bill(account, subscription, "subscription_cycle", []);
  return end(account, subscription, subscription.canceled_at);
}

function end(
  { state, events }: Account,
  subscription: Subscription,
  canceledAt: number | null,
): Subscription {
  const now = state.nowSeconds();
  Object.assign(subscription, {
    status: "canceled",
    canceled_at: canceledAt,
    ended_at: now,
    pending_update: null,
  });
  const schedule = state.schedules.get(subscription.schedule ?? "");
  if (schedule?.status === "active") {
    Object.assign(schedule, { status: "canceled", canceled_at: now, current_phase: null });
    events.emit("subscription_schedule.canceled", schedule);
  }
  events.emit("customer.subscription.deleted", subscription);
  return subscription;
}

/**
 * Sets, moves or clears the time at which the subscription ends. An end inside the running period gives the time behind it
 * back, and charges it again where the end moves on: `proration_behavior` says how.
 */
export function scheduleEnd(
  account: Account,
  subscription: Subscription,
  at: number | null,
  proration: ProrationBehavior = "create_prorations",
): Subscription {
  const { state, events } = account;
  const { cancel_at, cancel_at_period_end, canceled_at } = subscription;
  if (proration !== "none" && subscription.status === "active") {
    for (const item of subscription.items.data) {
      const last = item.current_period_end;
      const former = Math.min(cancel_at ?? last, last);
      const next = Math.min(at ?? last, last);
      if (next < former) creditTime(account, subscription, item, next, former);
      else chargeTime(account, subscription, item, former, next);
    }
  }
  setEnd(account, subscription, at, false);
  events.emit("customer.subscription.updated", subscription, {
    cancel_at,
    cancel_at_period_end,
    canceled_at,
  });
  if (proration === "always_invoice" && pendingItems(state, subscription).length > 0) {
    bill(account, subscription, "subscription_update", []);
  }
  return subscription;
}

/** `cancel_at_period_end`: it ends with the earliest period of its items, and `cancel_at` says when. */
export function endWithPeriod(account: Account, subscription: Subscription, ends: boolean): Subscription {
  const { cancel_at, cancel_at_period_end, canceled_at } = subscription;
  setEnd(account, subscription, ends ? firstEnd(subscription) : null, ends);
  account.events.emit("customer.subscription.updated", subscription, {
    cancel_at,
    cancel_at_period_end,
    canceled_at,
  });
  return subscription;
}

function setEnd(
  { state }: Account,
  subscription: Subscription,
  at: number | null,
  withPeriod: boolean,
): void {
  Object.assign(subscription, {
    cancel_at: at,
    cancel_at_period_end: withPeriod,
    canceled_at: at === null ? null : state.nowSeconds(),
    cancellation_details: {
      ...subscription.cancellation_details,
      reason: at === null ? null : "cancellation_requested",
    },
  });
}
