import type Stripe from "stripe";
import { update } from "./changes.ts";
import { invalidRequest } from "./errors.ts";
import type { Account } from "./account.ts";
import { restartPeriods } from "./items.ts";
import { periodLine } from "./lines.ts";
import type { Subscription } from "./objects.ts";
import { creditTime } from "./prorations.ts";
import { bill } from "./subscriptions.ts";

export interface Pause {
  /** Default: `pause_requested`. */
  type?: Stripe.Subscription.StatusDetails.Paused.Subscription.Type | undefined;
  /** Gives the rest of the period back as pending items, and ends it now. Stripe's API does so unless told otherwise. */
  credits?: boolean | undefined;
}

/** The pause by status: `paused`, with its reason in `status_details`, and no invoices at all. */
export function pause(
  account: Account,
  subscription: Subscription,
  { type = "pause_requested", credits = false }: Pause = {},
): Subscription {
  const { state } = account;
  if (type === "pause_requested" && subscription.status !== "active") {
    throw invalidRequest("Only an active subscription can be paused.");
  }
  if (
    type === "pause_requested" &&
    (subscription.billing_mode.type === "classic" || subscription.schedule !== null)
  ) {
    throw invalidRequest("A subscription in classic billing mode, or with a schedule, cannot be paused.");
  }
  const now = state.nowSeconds();
  if (credits) {
    for (const item of subscription.items.data) {
      creditTime(account, subscription, item, now);
      item.current_period_end = now;
    }
  }
  update(account, subscription, {
    status: "paused",
    status_details: { paused: { subscription: { type }, transitioned_at: now, type: "subscription" } },
  });
  account.events.emit("customer.subscription.paused", subscription);
  return subscription;
}

/** A period that ended during the pause begins anew at the moment of resuming, and is charged. */
export function resume(account: Account, subscription: Subscription): Subscription {
  if (subscription.status !== "paused") throw invalidRequest("Only a paused subscription can be resumed.");
  const { state } = account;
  const now = state.nowSeconds();
  const isOver = subscription.items.data.some((item) => item.current_period_end <= now);
  if (isOver) restartPeriods(account, subscription);
  delete subscription.status_details;
  update(account, subscription, { status: "active" });
  account.events.emit("customer.subscription.resumed", subscription);
  if (isOver) {
    const lines = subscription.items.data.map((item) => periodLine(state, item));
    bill(account, subscription, "subscription_update", lines);
  }
  return subscription;
}
