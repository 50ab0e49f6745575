import { z } from "zod";
import { invalidRequest, need } from "./errors.ts";
import type { Account } from "./account.ts";
import { choose } from "./lists.ts";
import type { Subscription } from "./objects.ts";
import { created, createdWithin, expand, flag, mergeMetadata, metadata, text } from "./params.ts";
import type { StripeRouter } from "./router.ts";
import { cancel, subscribe, type SubscriptionChange, update } from "./subscriptions.ts";

/** The parameters that an ended subscription still takes. */
const LATE = ["metadata", "expand", "proration_behavior"];

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
    proration_behavior: text,
    billing_mode: z.strictObject({ type: z.literal("flexible") }).optional(),
    expand,
  }, (params) =>
    subscribe(account, {
      customerId: params.customer,
      items: params.items,
      metadata: mergeMetadata({}, params.metadata),
      paymentBehavior: params.payment_behavior,
      paymentMethod: params.default_payment_method,
    }));
  router.route("POST", "/v1/subscriptions/:id", "update subscription", {
    metadata,
    cancel_at_period_end: flag.optional(),
    pause_collection: z.union([
      z.literal(""),
      z.strictObject({
        behavior: z.enum(["keep_as_draft", "mark_uncollectible", "void"]),
        resumes_at: z.coerce.number().int().optional(),
      }),
    ]).optional(),
    items: z.array(z.strictObject({ id: z.string(), price: z.string() })).length(1).optional(),
    proration_behavior: z.enum(["create_prorations", "none"]).default("create_prorations"),
    billing_cycle_anchor: z.strictObject({ type: z.enum(["now", "unchanged"]) }).optional(),
    expand,
  }, (params, id) => {
    const subscription = inPath(id);
    if (subscription.ended_at !== null && Object.keys(params).some((name) => !LATE.includes(name))) {
      throw invalidRequest("A canceled subscription can only update its cancellation_details and metadata.");
    }
    const change: SubscriptionChange = { metadata: mergeMetadata(subscription.metadata, params.metadata) };
    const { pause_collection: pause, cancel_at_period_end: atPeriodEnd } = params;
    if (pause === "") change.pause_collection = null;
    else if (pause) {
      change.pause_collection = { behavior: pause.behavior, resumes_at: pause.resumes_at ?? null };
    }
    if (atPeriodEnd !== undefined) change.cancel_at_period_end = atPeriodEnd;
    const [item] = params.items ?? [];
    const move = item && {
      itemId: item.id,
      priceId: item.price,
      prorates: params.proration_behavior !== "none",
      anchor: params.billing_cycle_anchor?.type,
    };
    return update(account, subscription, change, move);
  });
  router.route(
    "DELETE",
    "/v1/subscriptions/:id",
    "cancel subscription",
    { expand },
    (_params, id) => cancel(account, inPath(id)),
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

/** Without a status, canceled subscriptions are left out. */
function inStatus({ status }: Subscription, wanted: string | undefined): boolean {
  if (wanted === undefined) return status !== "canceled";
  if (wanted === "ended") return status === "canceled" || status === "incomplete_expired";
  return wanted === "all" || status === wanted;
}
