import { addDays } from "../../day.ts";
import { notBefore } from "../../orders/fills.ts";
import { correctProduct, releaseOrders } from "../../orders/orders.ts";
import { invoiceStateOf, readInvoice } from "../../orders/invoices.ts";
import { keptOf } from "../../orders/kept.ts";
import { customerBy } from "../../registry/customers.ts";
import { aboutLine, readPaidFor } from "../../orders/paid-for.ts";
import { ask } from "../../queue/ask.ts";
import { type FollowUp, Permanent, reason, Retryable } from "../../queue/reasons.ts";
import { pharmacyZone } from "../../queue/settings.ts";
import { defineOwnStep } from "../../queue/step.ts";

/**
 * Makes the orders of a paid invoice: one for each fill that its subscription lines pay for. Existing orders stay as they
 * are, so it may run whenever orders may be missing.
 */
export const orderMake = defineOwnStep("order.make", {
  queue: "stripe",
  async run(ctx, { invoice_id: invoiceId }) {
    ctx.about({ invoiceId });
    const { stripe } = ctx.vendors;
    const invoice = await readInvoice(stripe, invoiceId);
    const state = invoiceStateOf(invoice);
    // The event came before Stripe shows its state.
    if (state === "OPEN" || state === "DRAFT") throw new Retryable("NOT_YET_VISIBLE", { vendor: "stripe" });
    if (state !== "PAID") {
      const why = reason("INVOICE_NOT_PAID", { invoice: invoiceId, status: invoice.status ?? "unknown" });
      return { kind: "cancelled", reason: why };
    }
    const { paid, asked } = await readPaidFor(ctx, invoice);
    const due = paid.filter(({ days }) => days.length > 0);
    if (due.length === 0 && asked.length === 0) return { kind: "done" };
    if (!invoice.customerId) {
      throw new Permanent("UNKNOWN_CUSTOMER", { column: "stripe_customer_id", key: "(none)" });
    }
    const customer = await customerBy(ctx.deps.db, "stripe_customer_id", invoice.customerId);
    ctx.about({ customerId: customer.id });
    const timeZone = await pharmacyZone(ctx.deps.db);
    // What went back may have been heard of before there was an order to judge.
    const { kept, total, disputed, isInquired } = keptOf(invoice, await stripe.getGivenBack(invoiceId));
    const isInQuestion = kept !== total || disputed > 0 || isInquired;
    // Another invoice may have asked about the same price, so this task looks again by itself.
    const outcome = asked.length === 0
      ? { kind: "done" as const }
      : { kind: "wait" as const, until: addDays(ctx.now(), 1, timeZone), reason: reason("FILL_IN_QUESTION") };
    return {
      ...outcome,
      commit: async (trx) => {
        const followUps: FollowUp[] = [];
        for (const question of asked) await ask(trx, ctx, question, { about: aboutLine(question.data) });
        for (const { line, subscriptionId, productId, days } of due) {
          const orders = await trx
            .insertInto("tracker.orders")
            .values(days.map((fillOn, index) => ({
              customer_id: customer.id,
              product_id: productId,
              invoice_id: invoiceId,
              invoice_line_id: line.id,
              subscription_id: subscriptionId,
              fill_number: index + 1,
              fill_on: fillOn,
            })))
            .onConflict((conflict) => conflict.constraint("one_order_per_paid_fill_and_attempt").doNothing())
            .returning(["id", "fill_on"])
            .execute();
          // A resend after a correction of the registry: an order that was not placed yet gets the right product.
          if (await correctProduct(trx, line.id, productId)) {
            await releaseOrders(trx, { customer_id: customer.id });
          }
          for (const order of orders) {
            followUps.push({
              step: "order.place",
              data: { order_id: order.id },
              ...notBefore(order.fill_on, ctx.now(), timeZone),
            });
          }
        }
        if (isInQuestion) followUps.push({ step: "order.review", data: { invoice_id: invoiceId } });
        return followUps;
      },
    };
  },
});
