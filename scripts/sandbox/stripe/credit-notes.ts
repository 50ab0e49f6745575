import type { Account } from "./account.ts";
import { type NoteLine, noteLine } from "./credit-note-lines.ts";
import { changeBalance } from "./customer-balance.ts";
import { invalidRequest, need } from "./errors.ts";
import { sumOf, totalsOf } from "./invoice-amounts.ts";
import type { Charge, CreditNote } from "./money-objects.ts";
import { type Invoice, listOf } from "./objects.ts";
import { isGiven } from "./refund-status.ts";
import { refund } from "./refunds.ts";
import { followRemaining, intentOf, markPaid } from "./settle.ts";
import type { StripeState } from "./state.ts";

/** How the part is given that an open amount does not take. In cents; their sum must be that part. */
export interface Giving {
  /** Refunds that the note makes. */
  refundAmount?: number | undefined;
  /** Refunds that were made before, whole ones or a part of each. */
  refunds?: { refund: string; amount_refunded?: number | undefined }[] | undefined;
  creditAmount?: number | undefined;
  outOfBandAmount?: number | undefined;
}

export interface NoteRequest {
  lines: NoteLine[];
  /**
   * Default, as in the Dashboard: what was paid by card goes back, the rest is credited. `linked`: refunds that were
   * made before, and the rest outside of Stripe.
   */
  giving?: Giving | "back" | "linked";
  memo?: string | null;
  reason?: "duplicate" | "fraudulent" | "order_change" | "product_unsatisfactory" | null;
}

/**
 * Reduces a finalized invoice: first what is still to be paid, then what was paid. An open invoice of which nothing
 * remains is paid by that. Sends `credit_note.created`, after the events of its refunds.
 */
export function creditNote(account: Account, invoice: Invoice, request: NoteRequest): CreditNote {
  const { state, events } = account;
  mustBeCreditable(state, invoice);
  const lines = request.lines.map((line) => noteLine(state, invoice, line));
  const { discount_amounts, ...totals } = totalsOf(lines);
  const { total } = totals;
  const pre = Math.min(total, invoice.amount_remaining);
  const post = total - pre;
  const { giving = "back" } = request;
  const gives = giving === "back"
    ? givenBack(state, invoice, post)
    : giving === "linked"
    ? givenBefore(state, invoice, post)
    : giving;
  const linked = (gives.refunds ?? []).map(({ refund: id, amount_refunded }) => {
    const made = need(state.refunds, "refund", id, "refunds[0][refund]");
    return { amount_refunded: amount_refunded ?? made.amount, refund: id, type: "refund" as const };
  });
  const { refundAmount = 0, creditAmount = 0, outOfBandAmount = 0 } = gives;
  const linkedAmount = linked.reduce((sum, one) => sum + one.amount_refunded, 0);
  if (total <= 0 || total > creditable(state, invoice) + linkedAmount) {
    throw invalidRequest(
      "The credit note's total must be above 0 and no more than what is left of the invoice.",
    );
  }
  if (refundAmount + linkedAmount + creditAmount + outOfBandAmount !== post) {
    throw invalidRequest(
      `The sum of refunds, credit_amount and out_of_band_amount must equal the post payment amount (${post}).`,
    );
  }
  const base = state.fresh("credit_note", "cn_1", 23);
  const made = refundFrom(account, invoice, refundAmount);
  const balanceTransaction = changeBalance(account, invoice.customer, {
    amount: -creditAmount,
    type: "credit_note",
    invoice: invoice.id,
    creditNote: base.id,
  });
  const note = state.creditNotes.add({
    ...base,
    amount: total,
    currency: invoice.currency,
    customer: invoice.customer,
    customer_balance_transaction: balanceTransaction?.id ?? null,
    discount_amount: sumOf(discount_amounts),
    discount_amounts,
    effective_at: base.created,
    invoice: invoice.id,
    lines: listOf(`/v1/credit_notes/${base.id}/lines`, lines),
    memo: request.memo ?? null,
    number: `${invoice.number}-CN-${String(state.creditNotes.group(invoice.id).size + 1).padStart(2, "0")}`,
    out_of_band_amount: outOfBandAmount === 0 ? null : outOfBandAmount,
    post_payment_amount: post,
    pre_payment_amount: pre,
    reason: request.reason ?? null,
    refunds: [...linked, ...made],
    status: "issued",
    ...totals,
    type: post === 0 ? "pre_payment" : pre === 0 ? "post_payment" : "mixed",
    voided_at: null,
  });
  invoice.post_payment_credit_notes_amount += post;
  events.emit("credit_note.created", note);
  reduce(account, invoice, pre);
  if (invoice.amount_remaining === 0 && invoice.status === "open") markPaid(account, invoice);
  return note;
}

/** Only on an open invoice, as at Stripe: a note on a paid one stays for ever. What is due rises again. */
export function voidCreditNote(account: Account, note: CreditNote): CreditNote {
  const { state, events } = account;
  const invoice = need(state.invoices, "invoice", note.invoice, "invoice");
  if (note.status !== "issued" || invoice.status !== "open") {
    throw invalidRequest("You can only void an issued credit note of an open invoice.");
  }
  note.status = "void";
  note.voided_at = state.nowSeconds();
  events.emit("credit_note.voided", note);
  reduce(account, invoice, -note.pre_payment_amount);
  return note;
}

/** Takes a note's amount from what is due. Below 0 it comes back. Sends `invoice.updated`. */
function reduce(account: Account, invoice: Invoice, amount: number): void {
  if (amount === 0) return;
  const { amount_due, amount_remaining, pre_payment_credit_notes_amount } = invoice;
  invoice.amount_due -= amount;
  invoice.amount_remaining -= amount;
  invoice.pre_payment_credit_notes_amount += amount;
  followRemaining(account, invoice);
  account.events.emit("invoice.updated", invoice, {
    amount_due,
    amount_remaining,
    pre_payment_credit_notes_amount,
  });
}

function mustBeCreditable(state: StripeState, invoice: Invoice): void {
  if (invoice.status !== "open" && invoice.status !== "paid") {
    throw invalidRequest("Only an open or paid invoice can be credited.");
  }
  const isUnderWay = state.paymentsOf(invoice.id).some((payment) =>
    payment.status === "open" && intentOf(state, payment)?.status === "processing"
  );
  if (isUnderWay) throw invalidRequest("The invoice has a payment that is pending.");
}

/** What no note has credited yet, without refunds that no note names. */
function creditable(state: StripeState, invoice: Invoice): number {
  const notes = [...state.creditNotes.group(invoice.id).values()].filter(({ status }) => status === "issued");
  const unnamed = refundsOf(state, invoice).reduce((sum, one) => sum + one.left, 0);
  return invoice.total - notes.reduce((sum, { total }) => sum + total, 0) - unnamed;
}

/** To the card what came from it; the rest, which the balance or somebody else had paid, to the balance. */
function givenBack(state: StripeState, invoice: Invoice, post: number): Giving {
  const onCards = chargesOf(state, invoice).reduce(
    (sum, { amount, amount_refunded: gone }) => sum + amount - gone,
    0,
  );
  const refundAmount = Math.min(post, onCards);
  return { refundAmount, creditAmount: post - refundAmount };
}

/** By the refunds that no note names yet, and outside of Stripe. */
function givenBefore(state: StripeState, invoice: Invoice, post: number): Giving {
  let open = post;
  const refunds = refundsOf(state, invoice).flatMap(({ id, left }) => {
    const amount_refunded = Math.min(left, open);
    open -= amount_refunded;
    return amount_refunded === 0 ? [] : [{ refund: id, amount_refunded }];
  });
  return { refunds, outOfBandAmount: open };
}

/** Refunds the invoice's charges, one after the other. */
function refundFrom(account: Account, invoice: Invoice, amount: number): CreditNote["refunds"] {
  let open = amount;
  const refunds: CreditNote["refunds"] = [];
  for (const charge of chargesOf(account.state, invoice)) {
    const part = Math.min(open, charge.amount - charge.amount_refunded);
    if (part === 0) continue;
    refunds.push({ amount_refunded: part, refund: refund(account, charge, part).id, type: "refund" });
    open -= part;
  }
  if (open > 0) throw invalidRequest("The refund is greater than what is left of the charge.");
  return refunds;
}

/** The refunds of the invoice that happened, with the part of each that no issued note names. */
function refundsOf(state: StripeState, invoice: Invoice): { id: string; left: number }[] {
  const named = [...state.creditNotes.group(invoice.id).values()]
    .filter(({ status }) => status === "issued")
    .flatMap(({ refunds }) => refunds);
  return chargesOf(state, invoice)
    .flatMap(({ id }) => [...state.refunds.group(id).values()].filter(isGiven))
    .map(({ id, amount }) => ({
      id,
      left: named.reduce((left, one) => one.refund === id ? left - one.amount_refunded : left, amount),
    }));
}

/** The charges that paid the invoice. */
function chargesOf(state: StripeState, invoice: Invoice): Charge[] {
  return state.paymentsOf(invoice.id)
    .filter(({ status }) => status === "paid")
    .flatMap((payment) => state.charges.get(intentOf(state, payment)?.latest_charge ?? "") ?? []);
}
