import { mustHave } from "../shelf.ts";
import type { Account } from "./invoicing.ts";
import { closeDispute, creditNote, dispute } from "./money.ts";
import type { RefundStatus } from "./money-objects.ts";
import { changeRefund, type FailureReason } from "./refund-status.ts";
import { refund, type RefundOptions } from "./refunds.ts";

/** The acts that give money back, or take it: part of the sandbox's acts. */
export function makeMoneyActions(account: Account) {
  const { state } = account;
  const charge = (id: string) => mustHave(state.charges, id);
  return {
    /** Default amount: all that is left. Default status: `succeeded`. */
    refund: (chargeId: string, amount?: number, options?: RefundOptions) =>
      refund(account, charge(chargeId), amount, options),
    /** What becomes of a refund. Even one that succeeded can fail, weeks later. */
    changeRefund: (refundId: string, status: RefundStatus, reason?: FailureReason) =>
      changeRefund(account, mustHave(state.refunds, refundId), status, reason),
    /** Names a line of a paid invoice. Refunds the amount too, unless `refunds` is false. */
    creditNote: (invoiceId: string, line: { lineId: string; amount: number; refunds?: boolean }) =>
      creditNote(account, mustHave(state.invoices, invoiceId), line),
    dispute: (chargeId: string) => dispute(account, charge(chargeId)),
    closeDispute: (disputeId: string, status: "won" | "lost") =>
      closeDispute(account, mustHave(state.disputes, disputeId), status),
  };
}
