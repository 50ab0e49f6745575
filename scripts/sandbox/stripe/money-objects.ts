import type Stripe from "stripe";
import type { Common, DiscountAmount, LineTax, List, Metadata, Money, Wire } from "./objects.ts";

type ChargeAmounts = Money | "amount_captured" | "amount_refunded";

export type Charge =
  & Wire<
    Stripe.Charge,
    Common | ChargeAmounts | "captured" | "disputed" | "failure_code" | "paid" | "refunded" | "status",
    { customer: string; payment_intent: string; payment_method: string | null }
  >
  & { payment_method_details: { type: PaidBy } };

/** A card answers at once, a bank account after days. */
export type PaidBy = "card" | "us_bank_account";

/** A movement on the account's own balance at Stripe. */
export type BalanceTransaction = Wire<
  Stripe.BalanceTransaction,
  "id" | "object" | Money | "available_on" | "created" | "description" | "fee" | "net" | "status" | "type",
  { source: string }
>;

export type RefundStatus = "pending" | "requires_action" | "succeeded" | "failed" | "canceled";

export type Refund = Wire<
  Stripe.Refund,
  Exclude<Common, "livemode"> | Money | "failure_reason" | "next_action" | "pending_reason" | "reason",
  {
    balance_transaction: string;
    charge: string;
    customer: string;
    failure_balance_transaction?: string;
    payment_intent: string;
    status: RefundStatus;
  }
>;

export type DisputeStatus =
  | "warning_needs_response"
  | "warning_under_review"
  | "warning_closed"
  | "needs_response"
  | "under_review"
  | "won"
  | "lost"
  | "prevented";

type DisputeDetails = "evidence_details" | "network_reason_code" | "payment_method_details";

export type Dispute =
  & Wire<
    Stripe.Dispute,
    Common | Money | DisputeDetails | "is_charge_refundable" | "reason",
    { charge: string; payment_intent: string; status: DisputeStatus }
  >
  /** None for an inquiry; what was taken; and what came back. */
  & { balance_transactions: BalanceTransaction[] };

type LineAmounts = "amount" | "discount_amount" | "quantity" | "unit_amount";

export type CreditNoteLine = Wire<
  Stripe.CreditNoteLineItem,
  "id" | "object" | LineAmounts | "description" | "livemode" | "metadata",
  {
    discount_amounts: DiscountAmount[];
    invoice_line_item?: string;
    taxes: LineTax[];
    type: "invoice_line_item" | "custom_line_item";
  }
>;

type NoteAmounts =
  | Money
  | "discount_amount"
  | "subtotal"
  | "subtotal_excluding_tax"
  | "total"
  | "total_excluding_tax";
/** An open invoice is reduced by the first; the second is given back, as one or more of the three others. */
type Giving = "pre_payment_amount" | "post_payment_amount" | "out_of_band_amount";

export type CreditNote =
  & Wire<
    Stripe.CreditNote,
    Common | NoteAmounts | Giving | "effective_at" | "memo" | "number" | "reason" | "voided_at",
    {
      customer: string;
      customer_balance_transaction: string | null;
      discount_amounts: DiscountAmount[];
      invoice: string;
      metadata: Metadata;
      status: "issued" | "void";
      total_taxes: LineTax[];
      type: "pre_payment" | "post_payment" | "mixed";
    }
  >
  & { lines: List<CreditNoteLine>; refunds: { amount_refunded: number; refund: string; type: "refund" }[] };

type Off = "amount_off" | "currency" | "duration" | "duration_in_months" | "percent_off";

export type Coupon = Wire<
  Stripe.Coupon,
  Common | Off | "name" | "times_redeemed" | "valid",
  { metadata: Metadata }
>;

type Scope = "checkout_session" | "invoice" | "invoice_item" | "subscription" | "subscription_item";

/** A coupon on a subscription. */
export type Discount =
  & Wire<
    Stripe.Discount,
    "id" | "object" | "end" | "start" | Scope,
    { customer: string; promotion_code: null }
  >
  & { source: { coupon: string; type: "coupon" } };

/** A change of what a customer owes, or is owed, on the next invoices. */
export type CustomerBalanceTransaction = Wire<
  Stripe.CustomerBalanceTransaction,
  Common | Money | "description" | "ending_balance" | "type",
  { credit_note: string | null; customer: string; invoice: string | null }
>;
