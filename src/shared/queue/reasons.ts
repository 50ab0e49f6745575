import type { Trx } from "../db/database.ts";
import type { Role } from "../vendors/contract.ts";
import type { StepCall, StepName } from "./step-data.ts";

/** The codes of `clockwork.reasons`; the sentences live there and only there. A test compares the two. */
export const REASON_CODES = [
  "UNKNOWN_EVENT",
  "UNREADABLE_EVENT",
  "NOT_OURS",
  "INVALID_DATA",
  "UNKNOWN_STEP",
  "UNKNOWN_CUSTOMER",
  "MISSING_CUSTOMER_KEY",
  "UNKNOWN_PRODUCT",
  "PRODUCT_HAS_NO_CODE",
  "INVOICE_NOT_FOUND",
  "CHARGE_NOT_FOUND",
  "CHARGE_REFUNDED",
  "CHARGE_DISPUTED",
  "INVOICE_NOT_PAID",
  "PARTIAL_REFUND",
  "ALREADY_SHIPPED",
  "NOT_DUE_YET",
  "NO_VALID_PRESCRIPTION",
  "PRESCRIPTION_UNCLEAR",
  "PRESCRIPTION_NOT_AT_PHARMACY",
  "SUBSCRIPTION_PAUSED",
  "SUBSCRIPTION_NOT_ACTIVE",
  "NO_SHIPPING_ADDRESS",
  "PHARMACY_CANCELLED",
  "PHARMACY_FAILED",
  "PHARMACY_NEEDS_ATTENTION",
  "PARCEL_RETURNED",
  "DUPLICATE_SHIPPED",
  "SHIPPED_AFTER_CANCEL",
  "UNKNOWN_ORDER",
  "ORDER_STILL_LIVE",
  "ORDER_ALREADY_REPLACED",
  "ORDER_CALLED_OFF",
  "ORDER_NOT_FOUND",
  "FACT_IS_PAST",
  "FACT_IS_TOO_OLD",
  "VENDOR_REFUSED",
  "VENDOR_UNANSWERED",
  "VENDOR_PAUSED",
  "EFFECT_HELD",
  "EFFECT_SETTLING",
  "OUTCOME_UNKNOWN",
  "NOT_YET_VISIBLE",
  "DRAIN_DIED",
  "INTERNAL_ERROR",
  "RENEWAL_LAPSED",
  "BILLING_NOT_PAUSED",
  "REFILL_WITHOUT_PRESCRIPTION",
  "REFILL_DATES_UNKNOWN",
  "SUBSCRIPTION_STATUS_UNKNOWN",
  "RENEWAL_NOT_NEEDED",
  "CUSTOMER_ON_HOLD",
  "CRM_PERSON_UNKNOWN",
  "ENDPOINT_SILENT",
  "EVENTS_OUT_OF_REACH",
  "CHECK_OVERTAKEN",
  "CRM_EMAIL_MISSING",
  "LOGIN_UNKNOWN",
  "LOGIN_MAIL_LIMIT",
  "LOGIN_NEEDS_CUSTOMER",
  "LOGIN_CONFIRMATION_OFF",
  "LOGIN_CHANGE_REFUSED",
  "LOGIN_EMAIL_NOT_FREE",
  "LOGIN_EMAIL_TAKEN",
  "LOGIN_EMAILS_SWAPPED",
  "LOGIN_NOT_CONFIRMED",
  "PAYMENT_NOT_TOLD",
  "ADDRESS_CHANGED",
  "ADDRESS_INCOMPLETE",
  "SUBSCRIPTION_STARTS_LATER",
  "PRESCRIPTION_NOT_VALID_YET",
  "NO_PAYMENT_METHOD",
  "CARD_DECLINED",
  "FIRST_CHARGE_OPEN",
  "NOT_THE_FIRST_PRESCRIPTION",
  "PRESCRIPTION_FOR_UNKNOWN_PRODUCT",
  "PRODUCT_NOT_SOLD",
  "SUBSCRIBED_TWICE",
  "KEY_UNREGISTERED",
  "KEY_RETIRED_IN_USE",
  "PRICE_NOT_SOLD",
  "MOVE_CHANGED_BILLING",
  "REFILL_UNCLEAR",
  "REFILL_TWICE",
  "HEALTH_PATIENT_UNKNOWN",
  "HEALTH_PATIENT_UNANSWERED",
  "CRM_PERSON_UNREACHABLE",
  "NIGHT_UNFINISHED",
  "EMAIL_IS_NO_PROOF",
  "PATIENT_OF_NOBODY",
  "REFERENCE_LEADS_NOWHERE",
  "REFERENCES_DIFFER",
  "KEY_AND_REFERENCE_DIFFER",
  "CUSTOMER_HAS_ANOTHER_KEY",
  "KEY_CAME_BACK",
  "KEY_IS_ANOTHERS",
  "KEY_IS_GONE",
  "CUSTOMER_NOT_THERE",
  "PATIENT_MERGE_UNCLEAR",
  "CUSTOMERS_ARE_ONE",
  "MERGE_KEYS_DIFFER",
  "MERGE_RENEWALS_COLLIDE",
  "ALREADY_MERGED",
  "DRIFTS_AGAIN",
  "STRIPE_CUSTOMER_UNKNOWN",
  "CHANGE_UNDER_WAY",
] as const;
export type ReasonCode = (typeof REASON_CODES)[number];

/** A catalogued reason and what fills its sentence: ids, states and numbers, never a vendor's words. */
export interface Reason {
  code: ReasonCode;
  details: Record<string, string | number>;
}

export function reason(code: ReasonCode, details: Reason["details"] = {}): Reason {
  return { code, details };
}

/** The queues: a role's calls, or `internal` for work that calls nobody. The rows of `clockwork.vendors`. */
export const QUEUES = [
  "stripe",
  "health",
  "pharmacy",
  "crm",
  "login",
  "internal",
] as const satisfies readonly (
  | Role
  | "internal"
)[];
export type Queue = (typeof QUEUES)[number];

/**
 * A follow-up task. A function that makes one names this type as what it returns: only then does the compiler refuse a
 * field that the step does not have. `person`: it is born in MANUAL_INTERVENTION, and a resend does what it proposes.
 */
export type FollowUp<Name extends StepName = StepName> = StepCall<Name> & {
  runAfter?: Date;
  /** Why it is not run at once. */
  why?: Reason;
  person?: Reason;
  /** Whose it is; default: whose the task is that asks for it. */
  customerId?: number;
};

/** Trying again the same way may help. Counted; after the last try a person is asked. */
export class Retryable extends Error {
  override name = "Retryable";
  readonly reason: Reason;
  constructor(code: ReasonCode, details: Reason["details"] = {}) {
    super(code);
    this.reason = reason(code, details);
  }
}

/** Looked at once more in the settling transaction: true when what stopped the task has been set right meanwhile. */
export type Unless = (trx: Trx) => Promise<boolean>;

/**
 * Only a person can help. `unless` closes the gap between the look that failed and the stop: whoever sets the matter
 * right in between wakes only what has stopped already.
 */
export class Permanent extends Error {
  override name = "Permanent";
  readonly reason: Reason;
  readonly unless: Unless | undefined;
  constructor(code: ReasonCode, details: Reason["details"] = {}, unless?: Unless) {
    super(code);
    this.reason = reason(code, details);
    this.unless = unless;
  }
}

/** Not now, and nobody's fault: the task goes back to PENDING until `until`, uncounted. */
export class Wait extends Error {
  override name = "Wait";
  readonly reason: Reason;
  readonly until: Date;
  constructor(until: Date, code: ReasonCode, details: Reason["details"] = {}) {
    super(code);
    this.until = until;
    this.reason = reason(code, details);
  }
}
