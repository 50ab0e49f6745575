import { cancel } from "./endings.ts";
import { invalidRequest } from "./errors.ts";
import type { Account } from "./account.ts";
import { restartPeriods } from "./items.ts";
import { periodLine, trialLine } from "./lines.ts";
import type { Invoice, Subscription } from "./objects.ts";
import { pause } from "./pauses.ts";
import { creditTime, type ProrationBehavior } from "./prorations.ts";
import { bill, renew } from "./subscriptions.ts";

/**
 * Makes the time up to `end` free, and `end` the billing anchor. Paid time that becomes free is given back, unless
 * `none`, on the invoice of $0 that is made at once. A trial that is put off makes no invoice. `now` ends a trial, and
 * charges a whole period. Sources: "Set the subscription billing renewal date", "Use free trial periods".
 */
export function setTrialEnd(
  account: Account,
  subscription: Subscription,
  end: number | "now",
  proration: ProrationBehavior = "create_prorations",
): Subscription {
  const { state, events } = account;
  const { status, trial_end, trial_start, billing_cycle_anchor } = subscription;
  const items = subscription.items.data;
  const wasTrialing = status === "trialing";
  if (!wasTrialing && (status !== "active" || end === "now")) {
    throw invalidRequest(`The sandbox sets no trial end ${String(end)} on a subscription that is ${status}.`);
  }
  const now = state.nowSeconds();
  const previous = {
    status,
    trial_end,
    trial_start,
    billing_cycle_anchor,
    items: { data: structuredClone(items) },
  };
  if (end === "now") {
    Object.assign(subscription, { status: "active", trial_end: now });
    restartPeriods(account, subscription);
    events.emit("customer.subscription.updated", subscription, previous);
    bill(account, subscription, "subscription_update", items.map((item) => periodLine(state, item)));
    return subscription;
  }
  if (!wasTrialing && proration !== "none") {
    for (const item of items) creditTime(account, subscription, item, now);
  }
  for (const item of items) {
    if (!wasTrialing) item.current_period_start = now;
    item.current_period_end = end;
  }
  const keepsStart = wasTrialing || (subscription.billing_mode.type === "classic" && trial_start !== null);
  Object.assign(subscription, {
    status: "trialing",
    trial_end: end,
    trial_start: keepsStart ? trial_start : now,
    billing_cycle_anchor: end,
  });
  events.emit("customer.subscription.updated", subscription, previous);
  if (!wasTrialing) {
    bill(account, subscription, "subscription_update", items.map((item) => trialLine(state, item)));
  }
  return subscription;
}

/** The trial is over: the first charge, or what `trial_settings` says for a subscription without a payment method. */
export function endTrial(account: Account, subscription: Subscription): Invoice | null {
  if (subscription.status !== "trialing") {
    throw invalidRequest("Only a trialing subscription has a trial to end.");
  }
  const customer = account.state.customers.get(subscription.customer);
  const method = subscription.default_payment_method ?? customer?.invoice_settings.default_payment_method ??
    customer?.default_source ?? null;
  const missing = subscription.trial_settings.end_behavior.missing_payment_method;
  if (method !== null || missing === "create_invoice") return renew(account, subscription);
  if (missing === "pause") pause(account, subscription, { type: "trial_end_without_payment_method" });
  else cancel(account, subscription);
  return null;
}
