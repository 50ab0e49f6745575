import type { Page } from "./contract.ts";

/** A login, reduced to the facts that are compared. Kept in memory only. */
export interface LoginUser {
  id: string;
  email: string | null;
  /** True when somebody proved to own `email`. */
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
  /** Nobody proved to own the present address: acting for its owner would prove it. */
  unconfirmed: "email_not_confirmed",
  /** The vendor is set to take an address without asking its owner. */
  noConfirmation: "confirm_email_is_off",
} as const;

/** The logins: Supabase Auth. It mirrors the email, and only ever by its own confirmation. */
export interface Login {
  /** Null for a user who was deleted or never was. */
  getUser(userId: string): Promise<LoginUser | null>;
  /** Every user, page by page (one call), up to 100 a page. Users who come or go meanwhile may come twice or not at all. */
  listUsers(cursor: string | null): Promise<Page<LoginUser>>;
  /** The user who has this address now; a pending one does not count. */
  findUser(email: string): Promise<LoginUser | null>;
  /**
   * Makes the vendor ask the customer, by its own mails, to confirm another email for the login. Nothing changes until
   * the customer does. Not idempotent: each call mails, so it is only ever called through the effects ledger.
   * Refused with one of {@link LOGIN_REFUSALS} or the vendor's own code; nothing was mailed then.
   */
  requestEmailChange(userId: string, email: string): Promise<void>;
}
