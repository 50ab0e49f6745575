import { moveBalance } from "./balance.ts";
import { invalidRequest } from "./errors.ts";
import type { Account } from "./account.ts";
import type { Charge, Refund, RefundStatus } from "./money-objects.ts";
import type { StripeState } from "./state.ts";

/** Where a refund can go from each status (docs.stripe.com/refunds). One that failed or was canceled stays so. */
const NEXT: Readonly<Record<RefundStatus, readonly RefundStatus[]>> = {
  requires_action: ["pending", "failed", "canceled"],
  pending: ["succeeded", "requires_action", "failed", "canceled"],
  succeeded: ["requires_action", "failed", "canceled"],
  failed: [],
  canceled: [],
};

/** `failure_reason` of a refund that failed or was canceled. */
export type FailureReason =
  | "charge_for_pending_refund_disputed"
  | "declined"
  | "expired_or_canceled_card"
  | "insufficient_funds"
  | "lost_or_stolen_card"
  | "merchant_request"
  | "unknown";

/**
 * The refund's next status. One that fails or is canceled returns to the account's balance, and its charge counts it
 * no longer: Stripe does not write that down, but WooPayments knows a failed refund by `refunded: false`.
 */
export function changeRefund(
  { state, events }: Account,
  refund: Refund,
  status: RefundStatus,
  reason: FailureReason = status === "canceled" ? "merchant_request" : "unknown",
): Refund {
  if (!NEXT[refund.status].includes(status)) {
    throw invalidRequest(`A refund that is ${refund.status} does not become ${status}.`);
  }
  const previous = { status: refund.status };
  refund.status = status;
  delete refund.pending_reason;
  delete refund.next_action;
  Object.assign(refund, waitingFor(state, status));
  if (status === "failed" || status === "canceled") {
    refund.failure_reason = reason;
    refund.failure_balance_transaction = moveBalance(state, {
      id: `txn_f${refund.id.slice("re_".length)}`,
      amount: refund.amount,
      currency: refund.currency,
      description: `REFUND FOR FAILED REFUND (${refund.id})`,
      source: refund.id,
      type: "refund_failure",
    }).id;
  }
  const charge = state.charges.get(refund.charge);
  if (charge) countRefunds(state, charge);
  events.emit("refund.updated", refund, previous);
  events.emit("charge.refund.updated", refund, previous);
  if (status === "failed") events.emit("refund.failed", refund);
  return refund;
}

/** A pending refund says why; one that requires action waits for the customer's answer to an e-mail. */
export function waitingFor(
  state: StripeState,
  status: RefundStatus,
): Pick<Refund, "next_action" | "pending_reason"> {
  if (status === "pending") return { pending_reason: "processing" };
  if (status !== "requires_action") return {};
  const now = state.nowSeconds();
  return {
    next_action: {
      type: "display_details",
      display_details: {
        email_sent: { email_sent_at: now, email_sent_to: "person@example.test" },
        expires_at: now + 45 * 86_400,
      },
    },
  };
}

/** The charge's own sums. They count a refund from its creation, pending or not. */
export function countRefunds(state: StripeState, charge: Charge): void {
  const refunds = [...state.refunds.group(charge.id).values()];
  charge.amount_refunded = refunds.filter(isGiven).reduce((sum, { amount }) => sum + amount, 0);
  charge.refunded = charge.amount_refunded === charge.amount;
}

/** False for a refund that never happened. */
export function isGiven({ status }: Refund): boolean {
  return status !== "failed" && status !== "canceled";
}
