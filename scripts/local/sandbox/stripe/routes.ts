import { z } from "zod";
import { createCustomer, mergeMetadata, updateCustomer } from "./customers.ts";
import { noSuch } from "./errors.ts";
import type { World } from "./invoicing.ts";
import { createdParam, createdWithin } from "./lists.ts";
import type { StripeEvent } from "./objects.ts";
import type { StripeRouter } from "./router.ts";
import { cancel, subscribe, type SubscriptionChange, update } from "./subscriptions.ts";

/** Events are listed for 30 days. */
const EVENT_RETENTION_SECONDS = 30 * 86_400;

const flag = z.enum(["true", "false"]).transform((text) => text === "true");
const metadata = z.union([z.literal(""), z.record(z.string(), z.string())]).optional();
const expand = z.array(z.string()).optional();
const text = z.string().optional();

/** Every route of the sandbox, at Stripe's paths. */
export function addRoutes(router: StripeRouter, world: World): void {
  addCustomerRoutes(router, world);
  addSubscriptionRoutes(router, world);
  addInvoiceRoutes(router, world);
  addPaymentRoutes(router, world);
  addEventRoutes(router, world);
}

function addCustomerRoutes(router: StripeRouter, world: World): void {
  const { customers, prices } = world.state;
  const fields = { email: text, phone: text, name: text, description: text, metadata, expand };
  router.route("POST", "/v1/customers", "create customer", fields, (params) => createCustomer(world, params));
  router.route("POST", "/v1/customers/:id", "update customer", fields, (params, id) => {
    const customer = customers.get(id);
    if (!customer) throw noSuch("customer", id, "id", 404);
    return updateCustomer(world, customer, params);
  });
  router.getter("/v1/customers", "customer", customers);
  router.lister(
    "/v1/customers",
    "customer",
    "list customers",
    { email: text, created: createdParam },
    ({ email, created }) =>
      newestFirst(customers).filter((customer) =>
        is(customer.email, email) && createdWithin(customer.created, created)
      ),
  );
  router.getter("/v1/prices", "price", prices);
}

function addSubscriptionRoutes(router: StripeRouter, world: World): void {
  const { subscriptions } = world.state;
  const need = (id: string, param = "id", status = 404) => {
    const subscription = subscriptions.get(id);
    if (!subscription) throw noSuch("subscription", id, param, status);
    return subscription;
  };
  const item = z.strictObject({ price: z.string(), quantity: z.coerce.number().int().min(0).default(1) });
  router.route("POST", "/v1/subscriptions", "create subscription", {
    customer: z.string(),
    items: z.array(item).min(1).max(20),
    metadata,
    // Taken as they come: the sandbox's cards always work.
    collection_method: z.literal("charge_automatically").optional(),
    default_payment_method: text,
    description: text,
    off_session: flag.optional(),
    payment_behavior: text,
    proration_behavior: text,
    billing_mode: z.strictObject({ type: z.literal("flexible") }).optional(),
    expand,
  }, (params) =>
    subscribe(world, {
      customerId: params.customer,
      items: params.items,
      metadata: mergeMetadata({}, params.metadata),
    }));
  router.route("POST", "/v1/subscriptions/:id", "update subscription", {
    metadata,
    cancel_at_period_end: flag.optional(),
    pause_collection: z.union([
      z.literal(""),
      z.strictObject({ behavior: z.enum(["keep_as_draft", "mark_uncollectible", "void"]) }),
    ]).optional(),
    expand,
  }, (params, id) => {
    const subscription = need(id);
    const change: SubscriptionChange = { metadata: mergeMetadata(subscription.metadata, params.metadata) };
    const { pause_collection: pause, cancel_at_period_end: atPeriodEnd } = params;
    if (pause !== undefined) change.pause_collection = pause === "" ? null : { ...pause, resumes_at: null };
    if (atPeriodEnd !== undefined) change.cancel_at_period_end = atPeriodEnd;
    return update(world, subscription, change);
  });
  router.route(
    "DELETE",
    "/v1/subscriptions/:id",
    "cancel subscription",
    { expand },
    (_params, id) => cancel(world, need(id)),
  );
  router.getter("/v1/subscriptions", "subscription", subscriptions);
  router.lister(
    "/v1/subscriptions",
    "subscription",
    "list subscriptions",
    { customer: text, price: text, status: text, created: createdParam },
    // Without a status, canceled ones are left out.
    ({ customer, price, status, created }) =>
      newestFirst(subscriptions).filter((subscription) =>
        is(subscription.customer, customer) && createdWithin(subscription.created, created) &&
        (status === undefined
          ? subscription.status !== "canceled"
          : status === "all" || status === subscription.status) &&
        (price === undefined || subscription.items.data.some((item) => item.price.id === price))
      ),
  );
  router.lister(
    "/v1/subscription_items",
    "subscription item",
    "list subscription items",
    { subscription: z.string() },
    ({ subscription }) => need(subscription, "subscription", 400).items.data,
  );
}

function addInvoiceRoutes(router: StripeRouter, { state }: World): void {
  const { invoices, invoicePayments, creditNotes } = state;
  router.getter("/v1/invoices", "invoice", invoices);
  router.lister(
    "/v1/invoices",
    "invoice",
    "list invoices",
    { customer: text, subscription: text, status: text, created: createdParam },
    ({ customer, subscription, status, created }) =>
      newestFirst(invoices).filter((invoice) =>
        is(invoice.customer, customer) && is(invoice.status, status) &&
        is(invoice.parent.subscription_details.subscription, subscription) &&
        createdWithin(invoice.created, created)
      ),
  );
  router.lister("/v1/invoices/:id/lines", "line item", "list invoice lines", {}, (_params, id) => {
    const invoice = invoices.get(id);
    if (!invoice) throw noSuch("invoice", id, "invoice", 404);
    return invoice.lines.data;
  });
  router.getter("/v1/invoice_payments", "invoice payment", invoicePayments);
  router.lister("/v1/invoice_payments", "invoice payment", "list invoice payments", {
    invoice: text,
    status: text,
    payment: z.strictObject({
      type: z.enum(["payment_intent", "payment_record"]),
      payment_intent: text,
      payment_record: text,
    }).optional(),
  }, ({ invoice, status, payment }) => {
    if (invoice !== undefined && !invoices.has(invoice)) throw noSuch("invoice", invoice, "invoice");
    return newestFirst(invoicePayments).filter((entry) =>
      is(entry.invoice, invoice) && is(entry.status, status) && is(entry.payment.type, payment?.type) &&
      is(entry.payment.payment_intent, payment?.payment_intent) &&
      is(entry.payment.payment_record, payment?.payment_record)
    );
  });
  router.getter("/v1/credit_notes", "credit note", creditNotes);
  router.lister(
    "/v1/credit_notes",
    "credit note",
    "list credit notes",
    { invoice: text, customer: text, created: createdParam },
    ({ invoice, customer, created }) =>
      newestFirst(creditNotes).filter((note) =>
        is(note.invoice, invoice) && is(note.customer, customer) && createdWithin(note.created, created)
      ),
  );
  router.lister("/v1/credit_notes/:id/lines", "line item", "list credit note lines", {}, (_params, id) => {
    const note = creditNotes.get(id);
    if (!note) throw noSuch("credit note", id, "id", 404);
    return note.lines.data;
  });
}

function addPaymentRoutes(router: StripeRouter, { state }: World): void {
  const { paymentIntents, charges, refunds, disputes } = state;
  router.getter("/v1/payment_intents", "payment intent", paymentIntents);
  router.getter("/v1/charges", "charge", charges);
  router.getter("/v1/refunds", "refund", refunds);
  router.getter("/v1/disputes", "dispute", disputes);
  router.lister(
    "/v1/charges",
    "charge",
    "list charges",
    { customer: text, payment_intent: text, created: createdParam },
    ({ customer, payment_intent, created }) =>
      newestFirst(charges).filter((charge) =>
        is(charge.customer, customer) && is(charge.payment_intent, payment_intent) &&
        createdWithin(charge.created, created)
      ),
  );
  const ofCharge = { charge: text, payment_intent: text, created: createdParam };
  router.lister(
    "/v1/refunds",
    "refund",
    "list refunds",
    ofCharge,
    ({ charge, payment_intent, created }) =>
      newestFirst(refunds).filter((refund) =>
        is(refund.charge, charge) && is(refund.payment_intent, payment_intent) &&
        createdWithin(refund.created, created)
      ),
  );
  router.lister(
    "/v1/disputes",
    "dispute",
    "list disputes",
    ofCharge,
    ({ charge, payment_intent, created }) =>
      newestFirst(disputes).filter((dispute) =>
        is(dispute.charge, charge) && is(dispute.payment_intent, payment_intent) &&
        createdWithin(dispute.created, created)
      ),
  );
}

function addEventRoutes(router: StripeRouter, { state, events }: World): void {
  const kept = (event: StripeEvent) => event.created > state.nowSeconds() - EVENT_RETENTION_SECONDS;
  router.route("GET", "/v1/events/:id", "get event", { expand }, (_params, id) => {
    const event = state.events.get(id);
    if (!event || !kept(event)) throw noSuch("event", id, "id", 404);
    return event;
  });
  router.lister(
    "/v1/events",
    "event",
    "list events",
    {
      type: text,
      types: z.array(z.string()).max(20).optional(),
      created: createdParam,
      delivery_success: flag.optional(),
    },
    ({ type, types, created, delivery_success }) =>
      newestFirst(state.events).filter((event) =>
        kept(event) && createdWithin(event.created, created) &&
        (type === undefined || matches(event.type, type)) &&
        (types === undefined || types.includes(event.type)) &&
        (delivery_success === undefined || events.delivered(event.id) === delivery_success)
      ),
  );
}

/** `customer.subscription.*` matches every event of that group. */
function matches(type: string, pattern: string): boolean {
  return pattern.endsWith("*") ? type.startsWith(pattern.slice(0, -1)) : type === pattern;
}

/** A filter that was not given lets everything through. */
function is(value: unknown, wanted: string | undefined): boolean {
  return wanted === undefined || value === wanted;
}

function newestFirst<T>(map: ReadonlyMap<string, T>): T[] {
  return [...map.values()].reverse();
}
