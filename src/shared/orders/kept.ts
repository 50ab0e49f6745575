import type {
  StripeDispute,
  StripeGivenBack,
  StripeInvoice,
  StripeRefund,
} from "../vendors/stripe/client.ts";

/**
 * The standing of an invoice's money, in its currency's smallest unit. Only this file compares Stripe's words for refunds,
 * disputes and credit notes.
 */
export interface Kept {
  total: number;
  /** What is left of the money that came in. It is above `total` where more was paid than due. */
  kept: number;
  /** Part of what went back for which no credit note names a line. */
  unnamed: number;
  /** The gross amount that issued credit notes give back of each line. */
  creditedByLine: ReadonlyMap<string, number>;
  /** The amount that is disputed and not decided. */
  disputed: number;
  /** The amount that a lost dispute took. */
  lost: number;
  /** A bank only asks. */
  isInquired: boolean;
}

/** A refund that failed or was cancelled never happened. An unknown word counts as one that did. */
const UNDONE_REFUNDS = new Set<string | null>(["failed", "canceled"]);

type DisputeState = "INQUIRY" | "OPEN" | "OURS" | "LOST";

/** Source: https://docs.stripe.com/api/disputes/object#dispute_object-status */
const DISPUTE_STATES = new Map<string, DisputeState>([
  ["warning_needs_response", "INQUIRY"],
  ["warning_under_review", "INQUIRY"],
  ["warning_closed", "OURS"],
  ["needs_response", "OPEN"],
  ["under_review", "OPEN"],
  // Lost, and not given up.
  ["appeal_needs_response", "OPEN"],
  ["appeal_under_review", "OPEN"],
  ["won", "OURS"],
  ["lost", "LOST"],
  // Ended before it was a dispute: by giving the money back, or by a block, which takes nothing.
  ["prevented", "LOST"],
]);

function disputeStateOf({ status, isWithdrawn }: StripeDispute): DisputeState {
  if (status === "prevented" && !isWithdrawn) return "OURS";
  return DISPUTE_STATES.get(status) ?? "OPEN";
}

/** A paid invoice was paid in full, by whatever means: its total, less the notes before the payment, came in. */
export function keptOf(invoice: StripeInvoice, { refunds, disputes, creditNotes }: StripeGivenBack): Kept {
  const notes = creditNotes.filter(({ status }) => status !== "void");
  const noted = new Set(notes.flatMap(({ refundIds }) => refundIds));
  const isOwn = ({ id, status }: StripeRefund) => !noted.has(id) && !UNDONE_REFUNDS.has(status);
  const amountIn = (state: DisputeState) => sumOf(disputes.filter((one) => disputeStateOf(one) === state));
  const [lost, disputed] = [amountIn("LOST"), amountIn("OPEN")];
  const noteTotal = notes.reduce((sum, { postPayment }) => sum + postPayment, 0);
  const { total, prePaymentCredits, overpaid } = invoice;
  const kept = total - prePaymentCredits + overpaid - sumOf(refunds.filter(isOwn)) - noteTotal - lost;
  const named = notes.filter(({ lines }) => lines.every((line) => line.invoiceLineItemId !== null))
    .reduce((sum, note) => sum + note.total, 0);
  const creditedByLine = new Map<string, number>();
  for (const { invoiceLineItemId: line, amount } of notes.flatMap(({ lines }) => lines)) {
    if (line) creditedByLine.set(line, (creditedByLine.get(line) ?? 0) + amount);
  }
  return {
    total,
    kept,
    unnamed: Math.max(0, total - kept - named),
    creditedByLine,
    disputed,
    lost,
    isInquired: disputes.some((one) => disputeStateOf(one) === "INQUIRY"),
  };
}

function sumOf(parts: readonly { amount: number }[]): number {
  return parts.reduce((sum, { amount }) => sum + amount, 0);
}
