import type Stripe from "stripe";
import { findPaymentMethod } from "./customers.ts";
import { callStripe } from "./errors.ts";
import { PAGE_SIZE, readPage } from "./pages.ts";
import type { StripeSubscriptions } from "./types.ts";
import { wholeSubscription, wholeSubscriptions } from "./whole-subscription.ts";

export function makeSubscriptions(stripe: Stripe): StripeSubscriptions {
  return {
    getSubscription: (id) =>
      callStripe(
        "get subscription",
        async () =>
          await wholeSubscription(stripe, await stripe.subscriptions.retrieve(id, { expand: ["schedule"] })),
      ),

    listSubscriptions: ({ customerId, priceId, ended, cursor }) =>
      callStripe("list subscriptions", async () => {
        const page = await readPage(cursor, (start) =>
          stripe.subscriptions.list({
            limit: PAGE_SIZE,
            expand: ["data.schedule"],
            ...(customerId === undefined ? {} : { customer: customerId }),
            ...(priceId === undefined ? {} : { price: priceId }),
            // Without a status Stripe leaves out the canceled ones.
            ...(ended ? { status: "all" } : {}),
            ...start,
          }));
        return { ...page, entries: await wholeSubscriptions(stripe, page.entries) };
      }),

    createSubscription: ({ customerId, priceId, metadata, idempotencyKey }) =>
      callStripe("create subscription", async () => {
        const method = await findPaymentMethod(stripe, customerId);
        const subscription = await stripe.subscriptions.create({
          customer: customerId,
          items: [{ price: priceId }],
          metadata,
          // A first charge that fails leaves nothing behind, and nobody is there to confirm one.
          payment_behavior: "error_if_incomplete",
          off_session: true,
          // Stripe charges a default by itself, but a card that is merely on file only when it is named.
          ...(method === null || method.isDefault ? {} : { default_payment_method: method.id }),
        }, { idempotencyKey });
        return await wholeSubscription(stripe, subscription);
      }),

    pauseCollection: (id, metadata) =>
      callStripe("pause collection", async () => {
        await stripe.subscriptions.update(id, { pause_collection: { behavior: "void" }, metadata });
      }),

    resumeCollection: (id, metadata) =>
      callStripe("resume collection", async () => {
        await stripe.subscriptions.update(id, { pause_collection: "", metadata });
      }),

    setSubscriptionMetadata: (id, metadata) =>
      callStripe("update subscription metadata", async () => {
        await stripe.subscriptions.update(id, { metadata });
      }),

    moveItemToPrice: ({ subscriptionId, itemId, priceId, quantity, idempotencyKey }) =>
      callStripe("move subscription item", async () => {
        await stripe.subscriptions.update(subscriptionId, {
          items: [{ id: itemId, price: priceId, ...(quantity === null ? {} : { quantity }) }],
          proration_behavior: "none",
          // Makes Stripe refuse a price of another interval, for which it would charge at once.
          billing_cycle_anchor: { type: "unchanged" },
        }, { idempotencyKey });
      }),
  };
}
