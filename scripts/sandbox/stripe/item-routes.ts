import { z } from "zod";
import { update } from "./changes.ts";
import { invalidRequest, need, noSuch } from "./errors.ts";
import { addInvoiceItem, deleteInvoiceItem } from "./invoice-items.ts";
import type { Account } from "./account.ts";
import type { ItemChange } from "./items.ts";
import { pricingOf } from "./lines.ts";
import { choose } from "./lists.ts";
import type { Subscription, SubscriptionItem } from "./objects.ts";
import { epochSeconds, expand, flag, is, proration_behavior, text } from "./params.ts";
import type { StripeRouter } from "./router.ts";

export function addItemRoutes(router: StripeRouter, account: Account): void {
  addInvoiceItemRoutes(router, account);
  addSubscriptionItemRoutes(router, account);
}

function addInvoiceItemRoutes(router: StripeRouter, account: Account): void {
  const { customers, invoiceItems, prices, subscriptions } = account.state;
  router.getter("/v1/invoiceitems", "invoiceitem", invoiceItems);
  router.lister("/v1/invoiceitems", "invoiceitem", {
    customer: text,
    invoice: text,
    pending: flag.optional(),
  }, ({ customer, invoice, pending }) =>
    choose(invoiceItems.only(customer), {
      where: (item) =>
        is(item.invoice, invoice) && (pending === undefined || (item.invoice === null) === pending),
    }));
  router.route("POST", "/v1/invoiceitems", "create invoiceitem", {
    customer: z.string(),
    subscription: text,
    amount: z.coerce.number().int().optional(),
    currency: z.literal("usd").optional(),
    description: text,
    pricing: z.strictObject({ price: z.string() }).optional(),
    quantity: z.coerce.number().int().min(0).default(1),
    expand,
  }, ({ customer, subscription, amount, description, pricing, quantity }) => {
    need(customers, "customer", customer, "customer");
    if (subscription !== undefined) need(subscriptions, "subscription", subscription, "subscription");
    const price = pricing && need(prices, "price", pricing.price, "pricing[price]");
    const now = account.state.nowSeconds();
    return addInvoiceItem(account, {
      amount: amount ?? (price?.unit_amount ?? 0) * quantity,
      customer,
      description: description ?? null,
      parent: subscription === undefined
        ? null
        : { type: "subscription_details", subscription_details: { subscription } },
      period: { start: now, end: now },
      pricing: price ? pricingOf(price) : null,
      quantity,
    });
  });
  router.route("DELETE", "/v1/invoiceitems/:id", "delete invoiceitem", {}, (_params, id) => {
    const item = need(invoiceItems, "invoiceitem", id, "id", 404);
    if (item.invoice !== null) {
      throw invalidRequest("You can't delete an invoice item that's attached to an invoice.");
    }
    return deleteInvoiceItem(account, item);
  });
}

function addSubscriptionItemRoutes(router: StripeRouter, account: Account): void {
  const { subscriptions } = account.state;
  const find = (id: string): { subscription: Subscription; item: SubscriptionItem } => {
    for (const subscription of subscriptions.newestFirst()) {
      const item = subscription.items.data.find((one) => one.id === id);
      if (item) return { subscription, item };
    }
    throw noSuch("subscription_item", id, "item", 404);
  };
  const billing = { proration_behavior, proration_date: epochSeconds.optional() };
  const change = (
    subscription: Subscription,
    item: ItemChange,
    params: {
      proration_behavior: "create_prorations" | "always_invoice" | "none";
      proration_date?: number | undefined;
    },
  ) =>
    update(account, subscription, {}, {
      items: [item],
      proration: params.proration_behavior,
      date: params.proration_date,
    });
  const quantity = z.coerce.number().int().min(0).optional();
  router.route(
    "GET",
    "/v1/subscription_items/:id",
    "get subscription item",
    { expand },
    (_params, id) => find(id).item,
  );
  router.route("POST", "/v1/subscription_items", "create subscription item", {
    subscription: z.string(),
    price: z.string(),
    quantity,
    ...billing,
    expand,
  }, (params) => {
    const { subscription: id, price, quantity = 1 } = params;
    const { items } = change(
      need(subscriptions, "subscription", id, "subscription"),
      { price, quantity },
      params,
    );
    return items.data.at(-1) ?? {};
  });
  router.route("POST", "/v1/subscription_items/:id", "update subscription item", {
    price: text,
    quantity,
    ...billing,
    expand,
  }, (params, id) => {
    const { subscription, item } = find(id);
    const { price } = params;
    // Another price sets the quantity to 1. Source: "Change the price of existing subscriptions".
    const quantity = params.quantity ?? (price === undefined ? undefined : 1);
    change(subscription, { id, price, quantity }, params);
    return item;
  });
  router.route("DELETE", "/v1/subscription_items/:id", "delete subscription item", billing, (params, id) => {
    change(find(id).subscription, { id, deleted: true }, params);
    return { id, object: "subscription_item", deleted: true };
  });
}
