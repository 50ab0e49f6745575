import { invalidRequest, noSuch } from "./errors.ts";
import type { Account } from "./account.ts";
import type { CreditNote } from "./money-objects.ts";
import { type Invoice, listOf } from "./objects.ts";
import { refund } from "./refunds.ts";

/**
 * A credit note on a paid invoice that names one of its lines. With `refunds` the money goes back to the card
 * as well, which Stripe does in the same call; without, the refund was made before.
 */
export function creditNote(
  account: Account,
  invoice: Invoice,
  { lineId, amount, refunds = true }: { lineId: string; amount: number; refunds?: boolean },
): CreditNote {
  const { state, events } = account;
  if (invoice.status !== "paid") throw invalidRequest("The invoice is not paid.");
  if (!invoice.lines.data.some((line) => line.id === lineId)) {
    throw noSuch("invoice line item", lineId, "lines[0][invoice_line_item]");
  }
  const charge = state.charges.get(state.invoiceChargeId(invoice.id) ?? "");
  if (refunds && charge && amount > charge.amount - charge.amount_refunded) {
    throw invalidRequest("The refund is greater than what is left of the charge.");
  }
  const base = state.fresh("credit_note", "cn_1", 23);
  const note = state.creditNotes.add({
    ...base,
    amount,
    currency: invoice.currency,
    customer: invoice.customer,
    invoice: invoice.id,
    lines: listOf(`/v1/credit_notes/${base.id}/lines`, [{
      id: state.newId("cnli_1", 23),
      object: "credit_note_line_item",
      amount,
      description: null,
      invoice_line_item: lineId,
      livemode: state.livemode,
      quantity: null,
      type: "invoice_line_item",
    }]),
    number: `${invoice.number}-CN-${String(state.creditNotes.size + 1).padStart(2, "0")}`,
    post_payment_amount: amount,
    pre_payment_amount: 0,
    reason: null,
    refunds: [],
    status: "issued",
    subtotal: amount,
    total: amount,
    type: "post_payment",
    voided_at: null,
  });
  invoice.post_payment_credit_notes_amount += amount;
  if (refunds && charge) {
    const { id: refundId } = refund(account, charge, amount);
    note.refunds.push({ amount_refunded: amount, refund: refundId, type: "refund" });
  }
  events.emit("credit_note.created", note);
  return note;
}
