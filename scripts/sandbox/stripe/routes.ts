import { z } from "zod";
import { addCustomerRoutes } from "./customer-routes.ts";
import { need } from "./errors.ts";
import { addEventRoutes } from "./event-routes.ts";
import type { Account } from "./account.ts";
import { addItemRoutes } from "./item-routes.ts";
import { choose } from "./lists.ts";
import { addMoneyRoutes } from "./money-routes.ts";
import { created, createdWithin, is, text } from "./params.ts";
import type { StripeRouter } from "./router.ts";
import { addScheduleRoutes } from "./schedule-routes.ts";
import { addSubscriptionRoutes } from "./subscription-routes.ts";

/** Every route of the sandbox, at Stripe's paths. */
export function addRoutes(router: StripeRouter, account: Account): void {
  addCustomerRoutes(router, account);
  addSubscriptionRoutes(router, account);
  addItemRoutes(router, account);
  addScheduleRoutes(router, account);
  addInvoiceRoutes(router, account);
  addMoneyRoutes(router, account);
  addEventRoutes(router, account);
}

function addInvoiceRoutes(router: StripeRouter, { state }: Account): void {
  const { invoices, invoicePayments } = state;
  router.getter("/v1/invoices", "invoice", invoices);
  router.lister(
    "/v1/invoices",
    "invoice",
    { customer: text, subscription: text, status: text, created },
    (params) =>
      choose(invoices.only(params.customer), {
        where: (invoice) =>
          is(invoice.status, params.status) &&
          is(invoice.parent?.subscription_details.subscription, params.subscription) &&
          createdWithin(invoice.created, params.created),
      }),
  );
  router.lister(
    "/v1/invoices/:id/lines",
    "line item",
    {},
    (_params, id) => need(invoices, "invoice", id, "invoice", 404).lines.data,
    "list invoice lines",
  );
  router.getter("/v1/invoice_payments", "invoice payment", invoicePayments);
  router.lister("/v1/invoice_payments", "invoice payment", {
    invoice: text,
    status: text,
    payment: z.strictObject({
      type: z.enum(["payment_intent", "payment_record"]),
      payment_intent: text,
      payment_record: text,
    }).optional(),
  }, ({ invoice, status, payment }) => {
    if (invoice !== undefined) need(invoices, "invoice", invoice, "invoice");
    return choose(invoicePayments.only(invoice), {
      where: (entry) =>
        is(entry.status, status) && is(entry.payment.type, payment?.type) &&
        is(entry.payment.payment_intent, payment?.payment_intent) &&
        is(entry.payment.payment_record, payment?.payment_record),
    });
  });
}
