import type { Day } from "../day.ts";

/**
 * What a vendor folder offers, in words that belong to no vendor. A folder under `vendors/` knows the
 * wire (paths, signatures, shapes) and nothing of Clockwork; a second vendor of a role is one new folder
 * that offers the same interface.
 */

import type { Hint } from "./hints.ts";

/** The roles a vendor can play. Also the names of the queues (`clockwork.vendors.vendor`). */
export type Role = "stripe" | "health" | "pharmacy" | "crm" | "login";

/** Who sends events: a role, or a vendor without one. No step of ours has a name that begins so. */
export type EventSource = Exclude<Role, "login"> | `standard.${string}`;

/** The step of an event, `<source>.<event type>`: `stripe.invoice.paid`, `pharmacy.order.placed`. */
export type EventName = `${EventSource}.${string}`;

/** A webhook as it arrived: the bytes that were signed, never a re-serialised copy. */
export interface RawWebhook {
  body: Uint8Array;
  headers: Headers;
}

/** A JSON value that may be stored in `tasks.data`. */
export type Json = string | number | boolean | null | Json[] | { [key: string]: Json };

/**
 * What a webhook says, reduced to what may be kept: ids, states and times.
 * A medical fact (drug, dose, address, name, free text) must never be put in `attributes`.
 */
export interface VendorEvent<Kept extends Attributes = Attributes> {
  /** The dedupe key: the vendor's event id, or what stands in for it where there is none. */
  id: string;
  /** The event type in lower case with dots, e.g. `invoice.paid`, `order.fulfillment`. */
  type: string;
  /** A connector's are typed by its source's entry in `HINTS`. */
  attributes: Kept;
}
export type Attributes = Readonly<Record<string, Json | undefined>>;

/** The inbound side of a vendor. */
export interface WebhookConnector<Kept extends Attributes = Attributes> {
  /** What the names of its events begin with. */
  source: EventSource;
  /** The answer to a signed body that cannot be read: 400, or 200 where a 4xx would make the vendor drop or stall. */
  unreadableStatus: 200 | 400;
  /**
   * True when one of `secrets` signed exactly these bytes, within the replay window where the vendor
   * signs a timestamp. Never throws. An empty secret list or an empty header is false.
   */
  verify(webhook: RawWebhook, secrets: readonly string[], now: Date): Promise<boolean>;
  /** Throws {@link UnreadableEvent} for a signed body that is not an event of this vendor. */
  read(webhook: RawWebhook): VendorEvent<Kept>;
}

/** A signed body that is not JSON, not the vendor's shape, or has no id to know it by. */
export class UnreadableEvent extends Error {
  override name = "UnreadableEvent";
}

/**
 * Why a call to a vendor failed. Never carries the vendor's own words: they can hold clinical facts.
 * - `refused`: the vendor understood and said no (4xx). Asking again the same way is useless.
 * - `rate_limited`: 429. Surely not done.
 * - `unreachable`: the request was surely never handled (connection refused, DNS, token refused with 5xx).
 * - `unanswered`: timed out, connection lost or 5xx. It may or may not have been done.
 */
export type VendorFailure = "refused" | "rate_limited" | "unreachable" | "unanswered";

export class VendorError extends Error {
  override name = "VendorError";
  readonly vendor: Role;
  readonly failure: VendorFailure;
  /** The operation, e.g. `create order`. Ours, never the vendor's text. */
  readonly operation: string;
  readonly details: { status?: number; code?: string; retryAfterSeconds?: number };

  constructor(vendor: Role, failure: VendorFailure, operation: string, details: VendorError["details"] = {}) {
    super(`${vendor}: ${operation} ${failure}${details.status ? ` (${details.status})` : ""}`);
    this.vendor = vendor;
    this.failure = failure;
    this.operation = operation;
    this.details = details;
  }
}

/** One page of a list. `next` goes into the following call; null after the last page. */
export interface Page<T> {
  entries: T[];
  next: string | null;
}

/** Where a parcel goes. Read from the health record at the moment of use; never stored. */
export interface ShippingAddress {
  name: string | null;
  street1: string;
  street2: string | null;
  city: string;
  state: string;
  postalCode: string;
  country: string;
}

/**
 * A date as precise as the record has it. No record names a zone for a day, a month or a year: they are of the pharmacy's
 * calendar.
 */
export type RecordedDate =
  | { kind: "instant"; at: Date }
  /** One day, where the first is the last; else a month or a year, which does not say which day. */
  | { kind: "days"; first: Day; last: Day }
  | { kind: "unreadable" };

/** FHIR's own words for what a prescription is. */
export interface FhirWords {
  /** active, on-hold, cancelled, completed, entered-in-error, stopped, draft, unknown; a later version may have more. */
  status: string;
  /** proposal, plan, order, … */
  intent: string;
  /** True for an order not to give the drug. */
  doNotPerform: boolean;
}

/** A prescription as the health record tells it. Unknown is null, and null never counts as valid. */
export interface Prescription {
  id: string;
  patientId: string;
  /** What `prescriptions/standing.ts` judges, and nothing else. Null: the record holds one that cannot be read. */
  fhir: FhirWords | null;
  codes: { system: string; code: string }[];
  writtenOn: RecordedDate | null;
  /** Null: from when it was written. */
  validFrom: RecordedDate | null;
  /** Its last day. Null is never "for ever". */
  validUntil: RecordedDate | null;
  /** All fills, the first one included. */
  fillsAllowed: number | null;
  /** Completed dispenses that name this prescription. Null: they were not counted, for nothing can be filled under it. */
  fillsDispensed: number | null;
  /** Dispenses on file that may have used a fill of it, and do not say so. Absent: none. */
  uncertainFills?: number;
  /** Of the latest completed dispense; null when there is none or it does not say. */
  lastDispensedOn: RecordedDate | null;
  /** Days one fill lasts. */
  daysSupply: number | null;
}

/** A patient, reduced to what tells who it is. Held in memory only. */
export interface HealthPatient {
  id: string;
  /** False: the record is in use no more. */
  active: boolean;
  /** Those in use, as the record has them. */
  identifiers: { system: string; value: string }[];
  /** The record that stands in this one's place. `unclear`: there is one, but which cannot be told. */
  replacement: { kind: "none" } | { kind: "patient"; id: string } | { kind: "unclear" };
  /** Records that this one says it replaced. True only where they say so too. */
  replaces: string[];
  /** A hint who it may be; never proof. */
  emails: string[];
}

/** The health record: owner of addresses and of prescriptions on file. */
export interface HealthRecord {
  /** Null when the patient was deleted or never was. */
  getPatient(patientId: string): Promise<HealthPatient | null>;
  /** The address in use for shipping now, or null when there is none that is complete. */
  getShippingAddress(patientId: string): Promise<ShippingAddress | null>;
  /** Every prescription on file, whatever its status. An unknown patient gives `refused`. */
  listPrescriptions(patientId: string): Promise<Prescription[]>;
  /**
   * As {@link HealthRecord.listPrescriptions} for many patients (at most 100) in few calls. A patient whom the record
   * does not know is not in the map, and neither is an id that can be none of its own. Fills are counted only under what
   * may still be filled.
   */
  listPrescriptionsOf(patientIds: readonly string[]): Promise<Map<string, Prescription[]>>;
  /** One prescription, or null when it was deleted or never was. */
  getPrescription(prescriptionId: string): Promise<Prescription | null>;
  /**
   * What was written or changed in a window (`since` belongs to it, `until` does not), oldest first, each resource once
   * in its version of now, reduced as the webhook is: `<type>.update` events with an id of their own, for a list does not
   * tell which subscription would have sent them. A delete does not show. `type` is the word that events use, e.g.
   * `medicationrequest`; one that cannot be listed is `refused`. The cursor may be stored.
   */
  listChanges(query: {
    type: string;
    since: Date;
    until: Date;
    cursor: string | null;
  }): Promise<Page<VendorEvent<Hint<"health">>>>;
  /** Of these patients (at most 100), the ones that were deleted, as `patient.delete` events. One that never was is not. */
  listDeletedPatients(patientIds: readonly string[]): Promise<VendorEvent<Hint<"health">>[]>;
}

/** Where an order stands, for every pharmacy. In order of progress; the last three end it. */
export const PHARMACY_ORDER_STATES = [
  "accepted",
  "needs_attention",
  "filling",
  "shipped",
  "out_for_delivery",
  "delivered",
  "returned",
  "canceled",
  "failed",
] as const;
export type PharmacyOrderState = (typeof PHARMACY_ORDER_STATES)[number];

export interface PharmacyOrder {
  id: string;
  /** Our reference, given when the order was created. */
  reference: string | null;
  patientId: string | null;
  state: PharmacyOrderState;
  carrier: string | null;
  trackingNumber: string | null;
  /** Where the pharmacy will send it; null when it does not say. Held in memory only. */
  address: ShippingAddress | null;
}

export interface PharmacyPrescription {
  id: string;
  /** The health record's id of the same prescription. */
  reference: string | null;
  active: boolean;
  fillsRemaining: number | null;
  /** The last day on which the pharmacy fills it; null where it does not say. */
  lastDay: Day | null;
}

/** The pharmacy: fills and ships. */
export interface Pharmacy {
  /** The pharmacy's copy of a prescription, by the health record's id; null while it has not arrived. */
  findPrescription(query: { patientId: string; reference: string }): Promise<PharmacyPrescription | null>;
  /** Not idempotent at the vendor: only ever called through the effects ledger. */
  createOrder(order: {
    patientId: string;
    prescriptionId: string;
    reference: string;
    address: ShippingAddress;
  }): Promise<PharmacyOrder>;
  getOrder(orderId: string): Promise<PharmacyOrder | null>;
  /** Orders of the patient with our reference, through a list that shows the vendor's own latest writes. Oldest first. */
  findOrders(query: { patientId: string; reference: string }): Promise<PharmacyOrder[]>;
  /**
   * Every order of the organisation, or only those that have not ended, page by page, in no order to rely on. One that
   * moves on meanwhile may be missing or come twice.
   */
  listOrders(cursor: string | null, only?: "open"): Promise<Page<PharmacyOrder>>;
  /** Every prescription the pharmacy holds, page by page: what is really in use. `treatmentId` is the pharmacy's. */
  listTreatments(cursor: string | null): Promise<Page<{ id: string; treatmentId: string; active: boolean }>>;
  /** Refused when it is too late. Cancelling a canceled order is the same as cancelling it once. */
  cancelOrder(orderId: string): Promise<PharmacyOrder>;
}

/** A person in the CRM, reduced to the facts it owns and those it mirrors. Null: it has none. Held in memory only. */
export interface CrmProfile {
  email: string | null;
  phone: string | null;
  planState: string | null;
  /** `YYYY-MM-DD`. */
  nextRefillOn: string | null;
}

/** The CRM: talks to customers; owner of email and phone. Never told a medical fact. */
export interface Crm {
  /**
   * `id` and `at` (when it happened) make the idempotency key, so neither may change between two tries. `tellAt` is
   * the time the event carries, `at` unless given: an event over 72 h old is stored and starts no campaign.
   */
  sendEvent(event: {
    personId: string;
    id: string;
    name: string;
    at: Date;
    tellAt?: Date;
    data: Record<string, string | number | boolean | null>;
  }): Promise<void>;
  /** Profiles of up to 100 people in one call. Someone the CRM does not know is not in the map. */
  readProfiles(personIds: readonly string[]): Promise<Map<string, CrmProfile>>;
  /**
   * Sets mirrored facts of a person who exists (never makes one). `asOf`: when the owner was read; an update that
   * was read earlier and arrives later does not win.
   */
  updateProfile(
    personId: string,
    facts: Pick<CrmProfile, "planState" | "nextRefillOn">,
    asOf: Date,
  ): Promise<void>;
}

/** A login, reduced to what is compared. Held in memory only. */
export interface LoginUser {
  id: string;
  email: string | null;
  /** Whether somebody proved to hold `email`. */
  isConfirmed: boolean;
  /** An address that was asked for and is not confirmed yet. */
  pendingEmail: string | null;
  /** When the mails about it were sent last. */
  pendingSince: Date | null;
}

/** Why a change of email is `refused`, as `details.code`. Any other code is the vendor's own. */
export const LOGIN_REFUSALS = {
  /** Another login has the address. */
  taken: "email_exists",
  /** The user protects the login with a second factor, which we do not have. */
  secondFactor: "insufficient_aal",
  /** The vendor sends no more mails for now. */
  tooManyMails: "over_email_send_rate_limit",
  /** Nobody proved to hold the present address: acting for its owner would prove it. */
  unconfirmed: "email_not_confirmed",
  /** The vendor is set to take an address without asking whoever holds it. */
  noConfirmation: "confirm_email_is_off",
} as const;

/** The logins: Supabase Auth. It mirrors the email, and only ever by its own confirmation. */
export interface Login {
  /** Null for a user who was deleted or never was. */
  getUser(userId: string): Promise<LoginUser | null>;
  /** Every user, page by page (one call), up to 100 a page. Users who come or go meanwhile may turn up twice or not at all. */
  listUsers(cursor: string | null): Promise<Page<LoginUser>>;
  /** Whoever has this address now; a pending one does not count. */
  findUser(email: string): Promise<LoginUser | null>;
  /**
   * Has the vendor ask the customer, by its own mails, whether the login's email may change. Nothing changes until they
   * say so. Not idempotent: each call mails, so it is only ever called through the effects ledger.
   * Refused with one of {@link LOGIN_REFUSALS} or the vendor's own code; nothing was mailed then.
   */
  requestEmailChange(userId: string, email: string): Promise<void>;
}
