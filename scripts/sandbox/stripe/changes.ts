import { invalidRequest } from "./errors.ts";
import type { Account } from "./account.ts";
import { attemptPayment, closeInvoice } from "./invoicing.ts";
import { type Billing, changeItems, type ItemChange } from "./items.ts";
import type { Invoice, Subscription } from "./objects.ts";
import { bill, closeFirstInvoice } from "./subscriptions.ts";

export type SubscriptionChange = Partial<
  Pick<
    Subscription,
    | "status"
    | "metadata"
    | "collection_method"
    | "default_tax_rates"
    | "discounts"
    | "pause_collection"
    | "cancel_at_period_end"
    | "cancel_at"
    | "canceled_at"
    | "cancellation_details"
    | "next_pending_invoice_item_invoice"
    | "pending_invoice_item_interval"
    | "schedule"
    | "status_details"
    | "trial_settings"
  >
>;

interface ItemsRequest extends Billing {
  items: ItemChange[];
  /** The charge fails: the change waits in `pending_update` until its invoice is paid (`pending_if_incomplete`). */
  waits?: boolean | undefined;
}

/** 23 hours. */
const PENDING_UPDATE_SECONDS = 23 * 3600;

/** Changes fields, and items, and sends `customer.subscription.updated` with the former values. */
export function update(
  account: Account,
  subscription: Subscription,
  change: SubscriptionChange,
  request?: ItemsRequest,
): Subscription {
  if (request?.waits) return wait(account, subscription, request);
  const changed = request && changeItems(account, subscription, request.items, request);
  const previous: Record<string, unknown> = { ...changed?.previous };
  for (const [name, value] of Object.entries(subscription)) if (name in change) previous[name] = value;
  Object.assign(subscription, change);
  if (subscription.cancel_at_period_end) subscription.cancel_at = firstEnd(subscription);
  account.events.emit("customer.subscription.updated", subscription, previous);
  if (changed?.lines) bill(account, subscription, "subscription_update", changed.lines);
  return subscription;
}

/** The end of a subscription that ends with its period moves with the period. */
export function firstEnd({ items }: Subscription): number {
  return Math.min(...items.data.map((item) => item.current_period_end));
}

/** Makes the invoice of the change, whose payment fails, and keeps the change back. */
function wait(account: Account, subscription: Subscription, request: ItemsRequest): Subscription {
  const { state, events } = account;
  const former = structuredClone(subscription.items.data);
  const { billing_cycle_anchor: anchor } = subscription;
  const { lines } = changeItems(account, subscription, request.items, request);
  if (lines === null) throw invalidRequest("This change makes no invoice, so it cannot wait for one.");
  const resets = subscription.billing_cycle_anchor !== anchor;
  const pending = {
    billing_cycle_anchor: resets ? subscription.billing_cycle_anchor : null,
    cancel_at_period_end: null,
    discount: null,
    discounts: null,
    expires_at: state.nowSeconds() + PENDING_UPDATE_SECONDS,
    metadata: null,
    subscription_items: subscription.items.data,
    trial_end: null,
    trial_from_plan: null,
  };
  subscription.items.data = former;
  subscription.billing_cycle_anchor = anchor;
  subscription.pending_update = pending;
  bill(account, subscription, "subscription_update", lines, false);
  events.emit("customer.subscription.updated", subscription, { pending_update: null });
  return subscription;
}

/** The invoice may be paid by now: a change that waited for it is made, and a past-due subscription goes on. */
export function afterPayment(account: Account, invoice: Invoice): Invoice {
  const { state, events } = account;
  if (invoice.status !== "paid") return invoice;
  const payer = state.subscriptions.get(invoice.parent?.subscription_details.subscription ?? "");
  if (!payer) return invoice;
  const { pending_update: pending } = payer;
  if (pending && payer.latest_invoice === invoice.id) {
    const previous = { items: { data: payer.items.data }, pending_update: pending };
    if (pending.subscription_items) payer.items.data = pending.subscription_items;
    payer.billing_cycle_anchor = pending.billing_cycle_anchor ?? payer.billing_cycle_anchor;
    payer.pending_update = null;
    events.emit("customer.subscription.updated", payer, previous);
    events.emit("customer.subscription.pending_update_applied", payer);
  }
  if (payer.status === "past_due") update(account, payer, { status: "active" });
  return invoice;
}

/** The invoice of a waiting change was not paid in time: it becomes void, and nothing changes. */
export function expirePendingUpdate(account: Account, subscription: Subscription): Subscription {
  const { pending_update } = subscription;
  if (pending_update === null) throw invalidRequest("No update is pending.");
  const invoice = account.state.invoices.get(subscription.latest_invoice ?? "");
  if (invoice?.status === "open") closeInvoice(account, invoice, "void");
  subscription.pending_update = null;
  account.events.emit("customer.subscription.updated", subscription, { pending_update });
  account.events.emit("customer.subscription.pending_update_expired", subscription);
  return subscription;
}

/** The first charge of an incomplete subscription succeeds after all. */
export function completeFirstPayment(account: Account, subscription: Subscription): Subscription {
  if (subscription.status !== "incomplete") {
    throw invalidRequest("Only an incomplete subscription has an open first charge.");
  }
  const invoice = account.state.invoices.get(subscription.latest_invoice ?? "");
  if (invoice) attemptPayment(account, invoice, true);
  return update(account, subscription, { status: "active" });
}

export function expireIncomplete(account: Account, subscription: Subscription): Subscription {
  closeFirstInvoice(account, subscription);
  return update(account, subscription, { status: "incomplete_expired" });
}
