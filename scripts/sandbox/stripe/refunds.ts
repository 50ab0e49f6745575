import { moveBalance } from "./balance.ts";
import { changeDispute, isOpenInquiry } from "./disputes.ts";
import { invalidRequest } from "./errors.ts";
import type { Account } from "./account.ts";
import type { Charge, Refund } from "./money-objects.ts";
import { countRefunds, waitingFor } from "./refund-status.ts";

export interface RefundOptions {
  /** At its creation. Cards: `succeeded` or `pending`. Bank transfers: `requires_action`, until the customer answers. */
  status?: "succeeded" | "pending" | "requires_action";
  reason?: "duplicate" | "fraudulent" | "requested_by_customer" | null;
}

/**
 * Gives back `amount` (absent: all that is left). Sends `refund.created` and `charge.refunded`, pending or not. Refused
 * while a dispute has the money, or for ever where it was lost. A full refund ends an inquiry.
 */
export function refund(
  account: Account,
  charge: Charge,
  amount?: number,
  { status = "succeeded", reason = null }: RefundOptions = {},
): Refund {
  const { state, events } = account;
  const left = charge.amount - charge.amount_refunded;
  const given = amount ?? left;
  if (charge.status !== "succeeded") throw invalidRequest("This charge did not succeed.");
  if (left === 0) {
    throw invalidRequest(`Charge ${charge.id} has already been refunded.`, {
      code: "charge_already_refunded",
    });
  }
  const disputes = [...state.disputes.group(charge.id).values()];
  if (disputes.some((dispute) => !dispute.is_charge_refundable)) {
    throw invalidRequest(`Charge ${charge.id} has been charged back; cannot issue a refund.`, {
      code: "charge_disputed",
    });
  }
  if (given <= 0 || given > left) {
    throw invalidRequest("Refund amount is greater than unrefunded amount on charge.");
  }
  const id = state.newId("re_3", 23);
  const refund = state.refunds.add({
    id,
    object: "refund",
    created: state.nowSeconds(),
    amount: given,
    balance_transaction: moveBalance(state, {
      id: `txn_${id.slice("re_".length)}`,
      amount: -given,
      currency: charge.currency,
      description: `REFUND FOR CHARGE (${charge.id})`,
      source: id,
      type: "refund",
    }).id,
    charge: charge.id,
    currency: charge.currency,
    customer: charge.customer,
    metadata: {},
    payment_intent: charge.payment_intent,
    reason,
    status,
    ...waitingFor(state, status),
  });
  countRefunds(state, charge);
  events.emit("refund.created", refund);
  events.emit("charge.refunded", charge);
  if (charge.refunded) {
    for (const dispute of disputes) {
      if (isOpenInquiry(dispute)) changeDispute(account, dispute, "warning_closed");
    }
  }
  return refund;
}
