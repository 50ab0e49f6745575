import { mustHave } from "../shelf.ts";
import { changeDispute, type DebitReturn, dispute, type DisputeOptions } from "./disputes.ts";
import type { Account } from "./account.ts";
import type { NoteLine } from "./credit-note-lines.ts";
import { creditNote, type NoteRequest, voidCreditNote } from "./credit-notes.ts";
import type { DisputeStatus, RefundStatus } from "./money-objects.ts";
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
    /**
     * A credit note on an open or paid invoice: one line in short, or a whole request. What was paid goes back to the card,
     * unless the request says otherwise; `refunds: false` takes refunds that were made before.
     */
    creditNote: (invoiceId: string, note: NoteRequest | (NoteLine & { refunds?: boolean })) =>
      creditNote(
        account,
        mustHave(state.invoices, invoiceId),
        "lines" in note ? note : { lines: [note], giving: note.refunds === false ? "linked" : "back" },
      ),
    /** Of open invoices only. */
    voidCreditNote: (noteId: string) => voidCreditNote(account, mustHave(state.creditNotes, noteId)),
    /** By default a chargeback of the whole charge, which takes the money at once. */
    dispute: (chargeId: string, options?: DisputeOptions) => dispute(account, charge(chargeId), options),
    /** What becomes of a dispute. A customer who withdraws it shows as nothing else than `won` in the end. */
    changeDispute: (disputeId: string, status: DisputeStatus) =>
      changeDispute(account, mustHave(state.disputes, disputeId), status),
    closeDispute: (disputeId: string, status: "won" | "lost" | "warning_closed") =>
      changeDispute(account, mustHave(state.disputes, disputeId), status),
    /**
     * A debit from a bank account comes back after it had succeeded: a dispute that is lost from the start. The charge and
     * its intent stay as they are; `charge.failed` is for a debit that never succeeded.
     */
    returnDebit: (chargeId: string, reason: DebitReturn = "insufficient_funds") =>
      dispute(account, charge(chargeId), { status: "lost", reason, fee: 0 }),
  };
}
