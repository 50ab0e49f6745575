/**
 * The common part of all vendors' contracts. A vendor's folder knows the wire (paths, signatures, shapes) and nothing of
 * Clockwork. It offers the interface in its role's file; another vendor of a role is one more folder that does.
 */

/** The roles a vendor can play. Also the names of the queues (`clockwork.vendors.vendor`). */
export type Role = "stripe" | "health" | "pharmacy" | "crm" | "login";

/** A JSON value that may be stored in `tasks.data`. */
export type Json = string | number | boolean | null | Json[] | { [key: string]: Json };

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
 * Why a call to a vendor failed.
 * - `refused`: the vendor understood and said no (4xx). The same call again is useless.
 * - `rate_limited`: 429. Surely not done.
 * - `unreachable`: the request was surely never handled (connection refused, DNS, token refused with 5xx).
 * - `unanswered`: timed out, connection lost or 5xx. It may or may not have been done.
 */
export type VendorFailure = "refused" | "rate_limited" | "unreachable" | "unanswered";

/** A call to a vendor that failed. Never carries the vendor's own words: they can hold clinical facts. */
export class VendorError extends Error {
  override name = "VendorError";
  readonly vendor: Role;
  readonly failure: VendorFailure;
  /** The operation, e.g. `create order`. Ours, never the vendor's text. */
  readonly operation: string;
  /** `code` is one of the vendor's machine codes, or ours for an answer that cannot be used. */
  readonly details: {
    status?: number | undefined;
    code?: string | undefined;
    retryAfterSeconds?: number | undefined;
  };

  constructor(vendor: Role, failure: VendorFailure, operation: string, details: VendorError["details"] = {}) {
    super(`${vendor}: ${operation} ${failure}${details.status ? ` (${details.status})` : ""}`);
    this.vendor = vendor;
    this.failure = failure;
    this.operation = operation;
    this.details = details;
  }
}
