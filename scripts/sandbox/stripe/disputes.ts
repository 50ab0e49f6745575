import { moveBalance } from "./balance.ts";
import { invalidRequest } from "./errors.ts";
import type { Account } from "./account.ts";
import type { Charge, Dispute, DisputeStatus } from "./money-objects.ts";
import { changeRefund } from "./refund-status.ts";

/** Where a dispute can go from each status. An inquiry can become a chargeback; a late win turns a lost one. */
const NEXT: Readonly<Record<DisputeStatus, readonly DisputeStatus[]>> = {
  warning_needs_response: ["warning_under_review", "warning_closed", "needs_response", "lost"],
  warning_under_review: ["warning_closed", "needs_response", "lost"],
  warning_closed: [],
  needs_response: ["under_review", "won", "lost"],
  under_review: ["won", "lost"],
  lost: ["won"],
  won: [],
  prevented: [],
};

const CLOSED: readonly DisputeStatus[] = ["warning_closed", "won", "lost"];

/** What Stripe takes for a chargeback, in cents. It stays gone when the dispute is won. */
const DISPUTE_FEE = 1500;

const DAYS_TO_RESPOND = 14;

/** The reasons of a bank debit that comes back late (docs.stripe.com/payments/ach-direct-debit). */
export type DebitReturn = "insufficient_funds" | "incorrect_account_details" | "bank_cannot_process";

export interface DisputeOptions {
  /** At its birth: an inquiry, a chargeback, one that cannot be challenged, or one that was prevented. */
  status?: "warning_needs_response" | "needs_response" | "lost" | "prevented";
  /** Default: the charge's. It can be a part of it, or more, when it stands for several charges. */
  amount?: number;
  reason?: string;
  /** How it was prevented: `block` takes nothing, `resolution` gives the customer the money. */
  prevention?: "block" | "resolution";
  fee?: number;
}

/** The customer's bank asks about a charge, or takes the money back. `charge.disputed` stays true for ever. */
export function dispute(account: Account, charge: Charge, options: DisputeOptions = {}): Dispute {
  const { state, events } = account;
  const { status = "needs_response", prevention = "resolution", fee = DISPUTE_FEE } = options;
  if (charge.status !== "succeeded") throw invalidRequest("This charge did not succeed.");
  const made = state.disputes.add({
    ...state.fresh("dispute", "du_1", 23),
    amount: options.amount ?? charge.amount,
    balance_transactions: [],
    charge: charge.id,
    currency: charge.currency,
    evidence_details: {
      due_by: isOver(status) ? null : state.nowSeconds() + DAYS_TO_RESPOND * 86_400,
      enhanced_eligibility: {},
      has_evidence: false,
      past_due: false,
      submission_count: 0,
      submission_method: "not_submitted",
    },
    is_charge_refundable: isRefundable(status) || (status === "prevented" && prevention === "block"),
    network_reason_code: null,
    payment_intent: charge.payment_intent,
    ...(charge.payment_method_details.type !== "card" ? {} : {
      payment_method_details: {
        type: "card",
        card: {
          brand: "visa",
          case_type: status === "prevented" ? prevention : isInquiry(status) ? "inquiry" : "chargeback",
          network: "visa",
          network_reason_code: null,
        },
      },
    }),
    reason: options.reason ?? "general",
    status,
  });
  charge.disputed = true;
  const takesMoney = !isInquiry(status) && !(status === "prevented" && prevention === "block");
  if (takesMoney) withdraw(account, made, status === "prevented" ? 0 : fee);
  events.emit("charge.dispute.created", made);
  if (takesMoney) events.emit("charge.dispute.funds_withdrawn", made);
  if (status === "lost") events.emit("charge.dispute.closed", made);
  for (const refund of [...state.refunds.group(charge.id).values()]) {
    if (takesMoney && refund.status === "pending") {
      changeRefund(account, refund, "failed", "charge_for_pending_refund_disputed");
    }
  }
  return made;
}

/** The dispute's next status. Money leaves when an inquiry becomes a chargeback, and comes back when it is won. */
export function changeDispute(account: Account, dispute: Dispute, status: DisputeStatus): Dispute {
  const { state, events } = account;
  if (!NEXT[dispute.status].includes(status)) {
    throw invalidRequest(`A dispute that is ${dispute.status} does not become ${status}.`);
  }
  const previous = { status: dispute.status };
  const escalates = isInquiry(dispute.status) && !isInquiry(status);
  dispute.status = status;
  dispute.is_charge_refundable = isRefundable(status);
  if (status === "under_review" || status === "warning_under_review") {
    Object.assign(dispute.evidence_details, {
      has_evidence: true,
      submission_count: 1,
      submission_method: "manual",
    });
  }
  if (escalates) {
    if (dispute.payment_method_details?.card) dispute.payment_method_details.card.case_type = "chargeback";
    withdraw(account, dispute, DISPUTE_FEE);
  }
  if (status === "won") {
    dispute.balance_transactions.push(moveBalance(state, {
      id: `txn_w${dispute.id.slice("du_".length)}`,
      amount: dispute.amount,
      currency: dispute.currency,
      description: `Chargeback reversal for ${dispute.charge}`,
      source: dispute.id,
      type: "adjustment",
    }));
  }
  events.emit(
    CLOSED.includes(status) ? "charge.dispute.closed" : "charge.dispute.updated",
    dispute,
    previous,
  );
  if (escalates) events.emit("charge.dispute.funds_withdrawn", dispute);
  if (status === "won") events.emit("charge.dispute.funds_reinstated", dispute);
  return dispute;
}

/** True for a question of the bank that has taken no money, and still can become a chargeback. */
export function isOpenInquiry({ status }: Dispute): boolean {
  return isInquiry(status) && status !== "warning_closed";
}

function isInquiry(status: DisputeStatus): boolean {
  return status.startsWith("warning_");
}

function isOver(status: DisputeStatus): boolean {
  return NEXT[status].length === 0 || status === "lost";
}

/** Whether the charge can still be refunded beside the dispute. */
function isRefundable(status: DisputeStatus): boolean {
  return isInquiry(status) || status === "won";
}

function withdraw({ state }: Account, dispute: Dispute, fee: number): void {
  dispute.balance_transactions.push(moveBalance(state, {
    id: `txn_${dispute.id.slice("du_".length)}`,
    amount: -dispute.amount,
    currency: dispute.currency,
    description: `Chargeback withdrawal for ${dispute.charge}`,
    source: dispute.id,
    type: "adjustment",
    fee,
  }));
}
