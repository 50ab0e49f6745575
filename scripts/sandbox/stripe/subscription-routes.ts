import { z } from "zod";
import { invalidRequest, need } from "./errors.ts";
import type { Account } from "./account.ts";
import { choose } from "./lists.ts";
import type { Subscription } from "./objects.ts";
import {
  created,
  createdWithin,
  epochSeconds,
  expand,
  flag,
  mergeMetadata,
  metadata,
  proration_behavior,
  text,
} from "./params.ts";
import type { StripeRouter } from "./router.ts";
import { type SubscriptionChange, update } from "./changes.ts";
import { cancel, endWithPeriod, scheduleEnd } from "./endings.ts";
import { subscribe } from "./subscriptions.ts";
import { setTrialEnd } from "./trials.ts";

/** The parameters that an ended subscription still takes. */
const LATE = ["metadata", "expand", "proration_behavior"];

const itemChange = z.strictObject({
  id: z.string().optional(),
  price: z.string().optional(),
  quantity: z.coerce.number().int().min(0).optional(),
  deleted: flag.optional(),
});

/** Another price sets the quantity to 1, unless the request names one. Source: "Change the price of existing subscriptions". */
function withQuantity(item: z.output<typeof itemChange>): z.output<typeof itemChange> {
  return { ...item, quantity: item.quantity ?? (item.price === undefined ? undefined : 1) };
}

const cancellation_details = z.strictObject({
  comment: text,
  feedback: text,
}).optional();
const trialSettings = z.strictObject({
  end_behavior: z.strictObject({ missing_payment_method: z.enum(["cancel", "create_invoice", "pause"]) }),
});

export function addSubscriptionRoutes(router: StripeRouter, account: Account): void {
  const { subscriptions } = account.state;
  const inPath = (id: string) => need(subscriptions, "subscription", id, "id", 404);
  const item = z.strictObject({ price: z.string(), quantity: z.coerce.number().int().min(0).default(1) });
  router.route("POST", "/v1/subscriptions", "create subscription", {
    customer: z.string(),
    items: z.array(item).min(1).max(20),
    metadata,
    default_payment_method: text,
    collection_method: z.literal("charge_automatically").optional(),
    description: text,
    off_session: flag.optional(),
    payment_behavior: z.enum(["allow_incomplete", "default_incomplete", "error_if_incomplete"])
      .default("allow_incomplete"),
    proration_behavior,
    billing_mode: z.strictObject({ type: z.enum(["classic", "flexible"]) }).optional(),
    billing_cycle_anchor: epochSeconds.optional(),
    backdate_start_date: epochSeconds.optional(),
    trial_end: epochSeconds.optional(),
    trial_period_days: z.coerce.number().int().min(1).max(730).optional(),
    trial_settings: trialSettings.optional(),
    expand,
  }, (params) =>
    subscribe(account, {
      anchor: params.billing_cycle_anchor,
      backdate: params.backdate_start_date,
      billingMode: params.billing_mode?.type,
      missingMethod: params.trial_settings?.end_behavior.missing_payment_method,
      prorates: params.proration_behavior !== "none",
      trialDays: params.trial_period_days,
      trialEnd: params.trial_end,
      customerId: params.customer,
      items: params.items,
      metadata: mergeMetadata({}, params.metadata),
      paymentBehavior: params.payment_behavior,
      paymentMethod: params.default_payment_method,
    }));
  router.route("POST", "/v1/subscriptions/:id", "update subscription", {
    metadata,
    cancel_at: z.union([
      z.literal(""),
      z.enum(["min_period_end", "max_period_end", "max_billed_until"]),
      epochSeconds,
    ]).optional(),
    cancel_at_period_end: flag.optional(),
    cancellation_details,
    trial_end: z.union([z.literal("now"), epochSeconds]).optional(),
    trial_settings: trialSettings.optional(),
    pause_collection: z.union([
      z.literal(""),
      z.strictObject({
        behavior: z.enum(["keep_as_draft", "mark_uncollectible", "void"]),
        resumes_at: z.coerce.number().int().optional(),
      }),
    ]).optional(),
    items: z.array(itemChange).max(20).optional(),
    proration_behavior,
    proration_date: epochSeconds.optional(),
    billing_cycle_anchor: z.strictObject({ type: z.enum(["now", "unchanged"]) }).optional(),
    expand,
  }, (params, id) => {
    const subscription = inPath(id);
    if (subscription.ended_at !== null && Object.keys(params).some((name) => !LATE.includes(name))) {
      throw invalidRequest("A canceled subscription can only update its cancellation_details and metadata.");
    }
    const change: SubscriptionChange = { metadata: mergeMetadata(subscription.metadata, params.metadata) };
    const { pause_collection: pause, cancel_at_period_end: atPeriodEnd, cancel_at: at } = params;
    const { proration_behavior: proration, trial_end: trialEnd, trial_settings: trial } = params;
    if (trial) {
      const { missing_payment_method } = trial.end_behavior;
      change.trial_settings = { end_behavior: { billing_cycle_anchor: null, missing_payment_method } };
    }
    if (pause === "") change.pause_collection = null;
    else if (pause) {
      change.pause_collection = { behavior: pause.behavior, resumes_at: pause.resumes_at ?? null };
    }
    if (at !== undefined) {
      scheduleEnd(account, subscription, at === "" ? null : endAt(subscription, at), proration);
    } else if (atPeriodEnd !== undefined) endWithPeriod(account, subscription, atPeriodEnd);
    if (trialEnd !== undefined) setTrialEnd(account, subscription, trialEnd, proration);
    if (params.cancellation_details) {
      const { comment = null, feedback = null } = params.cancellation_details;
      change.cancellation_details = {
        feedback_option: null,
        reason: null,
        ...subscription.cancellation_details,
        comment,
        feedback,
      };
    }
    if ((at ?? atPeriodEnd ?? trialEnd) !== undefined && isEmpty(params)) return subscription;
    const anchor = params.billing_cycle_anchor?.type;
    if (params.items === undefined && anchor !== "now") return update(account, subscription, change);
    return update(account, subscription, change, {
      items: (params.items ?? []).map(withQuantity),
      proration: params.proration_behavior,
      date: params.proration_date,
      anchor,
    });
  });
  router.route(
    "DELETE",
    "/v1/subscriptions/:id",
    "cancel subscription",
    { prorate: flag.optional(), invoice_now: flag.optional(), cancellation_details, expand },
    ({ prorate, invoice_now: invoiceNow, cancellation_details: details }, id) =>
      cancel(account, inPath(id), { prorate, invoiceNow, ...details }),
  );
  router.getter("/v1/subscriptions", "subscription", subscriptions);
  router.lister(
    "/v1/subscriptions",
    "subscription",
    { customer: text, price: text, status: text, created },
    (params) => {
      const { customer, price, status, created } = params;
      return choose(subscriptions.only(customer), {
        where: (subscription) =>
          createdWithin(subscription.created, created) && inStatus(subscription, status) &&
          (price === undefined || subscription.items.data.some((item) => item.price.id === price)),
      });
    },
  );
  router.lister(
    "/v1/subscription_items",
    "subscription item",
    { subscription: z.string() },
    ({ subscription }) => need(subscriptions, "subscription", subscription, "subscription").items.data,
  );
}

/** The words for an end become a time at once, and stay there. */
function endAt({ items: { data } }: Subscription, at: number | string): number {
  if (typeof at === "number") return at;
  const ends = data.map(({ current_period_end }) => current_period_end);
  if (at === "min_period_end") return Math.min(...ends);
  if (at === "max_period_end") return Math.max(...ends);
  return Math.max(
    ...data.map(({ billed_until = 0, current_period_end }) => Math.max(billed_until, current_period_end)),
  );
}

/** True for a request that changes nothing besides the subscription's end. */
function isEmpty(params: Record<string, unknown>): boolean {
  const own = ["cancel_at", "cancel_at_period_end", "trial_end", "proration_behavior", "expand"];
  return Object.entries(params).every(([name, value]) => value === undefined || own.includes(name));
}

/** Without a status, canceled subscriptions are left out. */
function inStatus({ status }: Subscription, wanted: string | undefined): boolean {
  if (wanted === undefined) return status !== "canceled";
  if (wanted === "ended") return status === "canceled" || status === "incomplete_expired";
  return wanted === "all" || status === wanted;
}
