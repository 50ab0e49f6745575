import { z } from "zod";
import { addCustomerRoutes } from "./customer-routes.ts";
import { noSuch } from "./errors.ts";
import { addEventRoutes } from "./event-routes.ts";
import type { World } from "./invoicing.ts";
import { choose, createdParam, createdWithin } from "./lists.ts";
import { is, text } from "./params.ts";
import type { StripeRouter } from "./router.ts";
import { addSubscriptionRoutes } from "./subscription-routes.ts";

/** Every route of the sandbox, at Stripe's paths. */
export function addRoutes(router: StripeRouter, world: World): void {
  addCustomerRoutes(router, world);
  addSubscriptionRoutes(router, world);
  addInvoiceRoutes(router, world);
  addPaymentRoutes(router, world);
  addEventRoutes(router, world);
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
      choose(invoices, {
        where: (invoice) =>
          is(invoice.customer, customer) && is(invoice.status, status) &&
          is(invoice.parent.subscription_details.subscription, subscription) &&
          createdWithin(invoice.created, created),
      }),
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
    return choose(invoicePayments.only(invoice), {
      where: (entry) =>
        is(entry.status, status) && is(entry.payment.type, payment?.type) &&
        is(entry.payment.payment_intent, payment?.payment_intent) &&
        is(entry.payment.payment_record, payment?.payment_record),
    });
  });
  router.getter("/v1/credit_notes", "credit note", creditNotes);
  router.lister(
    "/v1/credit_notes",
    "credit note",
    "list credit notes",
    { invoice: text, customer: text, created: createdParam },
    ({ invoice, customer, created }) =>
      choose(creditNotes, {
        where: (note) =>
          is(note.invoice, invoice) && is(note.customer, customer) && createdWithin(note.created, created),
      }),
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
      choose(charges, {
        where: (charge) =>
          is(charge.customer, customer) && is(charge.payment_intent, payment_intent) &&
          createdWithin(charge.created, created),
      }),
  );
  const ofCharge = { charge: text, payment_intent: text, created: createdParam };
  router.lister(
    "/v1/refunds",
    "refund",
    "list refunds",
    ofCharge,
    ({ charge, payment_intent, created }) =>
      choose(refunds, {
        where: (refund) =>
          is(refund.charge, charge) && is(refund.payment_intent, payment_intent) &&
          createdWithin(refund.created, created),
      }),
  );
  router.lister(
    "/v1/disputes",
    "dispute",
    "list disputes",
    ofCharge,
    ({ charge, payment_intent, created }) =>
      choose(disputes, {
        where: (dispute) =>
          is(dispute.charge, charge) && is(dispute.payment_intent, payment_intent) &&
          createdWithin(dispute.created, created),
      }),
  );
}
