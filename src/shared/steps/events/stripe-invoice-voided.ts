import { stripeHint } from "../../vendors/hints.ts";
import { cancelAll } from "../../orders/money-back.ts";
import { invoiceStateOf, readInvoice } from "../../orders/payment.ts";
import { defineStep } from "../../queue/step.ts";

/** An invoice that was voided or given up pays for nothing. */
export const invoiceVoided = defineStep({
  handles: ["stripe.invoice.voided", "stripe.invoice.marked_uncollectible"],
  queue: "stripe",
  data: stripeHint,
  async run(ctx, { object_id: invoiceId }) {
    ctx.about({ invoiceId });
    const invoice = await readInvoice(ctx.vendors.stripe, invoiceId);
    if (invoiceStateOf(invoice) === "PAID") return { kind: "done" };
    return { kind: "done", commit: (trx) => cancelAll(trx, invoiceId, "voided") };
  },
});
