import { uuid } from "../medplum/store.ts";
import { randomId } from "../server.ts";

/** How long a link in a mail is good: Supabase's default. */
const LINK_SECONDS = 3600;
/** Between two mails of one kind to one user: GOTRUE_SMTP_MAX_FREQUENCY's default. */
const SECONDS_BETWEEN_MAILS = 60;
const SESSION_SECONDS = 3600;

/** The kinds of one-time tokens, as the table auth.one_time_tokens has them. */
type TokenKind = "recovery_token" | "email_change_token_current" | "email_change_token_new";

export interface AuthUser {
  id: string;
  /** In lower case. Empty for somebody who signs in with a phone alone. */
  email: string;
  emailConfirmedAt: Date | null;
  /** What was asked for and not confirmed by everybody who must; empty when there is nothing. */
  newEmail: string;
  emailChangeSentAt: Date | null;
  /** True once one of the two mails of a change was answered. */
  halfConfirmed: boolean;
  recoverySentAt: Date | null;
  lastSignInAt: Date | null;
  createdAt: Date;
  /** A verified second factor: what changes the login needs a session that used it. */
  hasSecondFactor: boolean;
  banned: boolean;
}

export interface AuthMail {
  to: string;
  userId: string;
  kind: "email_change";
  /** The link in it. */
  url: string;
  at: Date;
}

/** An answer that is no success: Auth's own status, code and text. */
export class AuthRefusal extends Error {
  override name = "AuthRefusal";
  readonly status: number;
  readonly code: string;
  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

const expired = () => new AuthRefusal(403, "otp_expired", "Email link is invalid or has expired");

/** The users, their one-time tokens and sessions, and what a change of email does to them. */
export class Users {
  readonly byId = new Map<string, AuthUser>();
  readonly mails: AuthMail[] = [];
  /** Secure email change, which is Supabase's default: the old and the new address must both confirm. */
  bothConfirm = true;
  /** The setting "Confirm email". Off, a project takes addresses unproved. */
  confirmsEmail = true;
  /** Null: as many mails as anybody likes. */
  mailsPerHour: number | null = null;
  readonly #tokens = new Map<string, { userId: string; kind: TokenKind }>();
  readonly #sessions = new Map<string, { userId: string; until: Date }>();
  readonly #deps: { now: () => Date; random: () => number; url: () => string };

  constructor(deps: { now: () => Date; random: () => number; url: () => string }) {
    this.#deps = deps;
  }

  create(email: string, confirmed: boolean): AuthUser {
    if (email !== "" && this.withEmail(email)) throw emailExists();
    return this.import(email, confirmed);
  }

  /** As {@link create}, for many thousands at once: whether the address is free is not looked at. */
  import(email: string, confirmed: boolean): AuthUser {
    const now = this.#deps.now();
    const user: AuthUser = {
      id: uuid(this.#deps.random),
      email: email.toLowerCase(),
      emailConfirmedAt: confirmed ? now : null,
      newEmail: "",
      emailChangeSentAt: null,
      halfConfirmed: false,
      recoverySentAt: null,
      lastSignInAt: null,
      createdAt: now,
      hasSecondFactor: false,
      banned: false,
    };
    this.byId.set(user.id, user);
    return user;
  }

  withEmail(email: string): AuthUser | undefined {
    const wanted = email.toLowerCase();
    for (const user of this.byId.values()) if (user.email === wanted) return user;
    return undefined;
  }

  /** A token for a link that nobody is mailed. Whoever asked for one before holds a dead one. */
  recoveryToken(user: AuthUser): string {
    user.recoverySentAt = this.#deps.now();
    return this.#newToken(user, "recovery_token");
  }

  /** Signs in whoever holds the token; every other link to this user is dead from now on. */
  recover(token: string): AuthUser {
    const held = this.#tokens.get(token);
    const user = held?.kind === "recovery_token" ? this.byId.get(held.userId) : undefined;
    if (!user || !isFresh(user.recoverySentAt, LINK_SECONDS, this.#deps.now())) throw expired();
    if (user.banned) throw new AuthRefusal(403, "user_banned", "User is banned");
    this.#dropTokens(user);
    user.emailConfirmedAt ??= this.#deps.now();
    user.lastSignInAt = this.#deps.now();
    return user;
  }

  openSession(user: AuthUser): { accessToken: string; refreshToken: string; expiresAt: Date } {
    const accessToken = randomId(this.#deps.random, "access.", 40);
    const expiresAt = new Date(this.#deps.now().getTime() + SESSION_SECONDS * 1000);
    this.#sessions.set(accessToken, { userId: user.id, until: expiresAt });
    return { accessToken, refreshToken: randomId(this.#deps.random, "", 12), expiresAt };
  }

  /** Whose session it is; undefined for one that is over. */
  sessionUser(accessToken: string): AuthUser | undefined {
    const session = this.#sessions.get(accessToken);
    return session && session.until > this.#deps.now() ? this.byId.get(session.userId) : undefined;
  }

  closeSession(accessToken: string): void {
    this.#sessions.delete(accessToken);
  }

  sessionsOf(userId: string): number {
    return [...this.#sessions.values()].filter((session) => session.userId === userId).length;
  }

  /** What a signed-in user's own change of email does: mails, and nothing else until they are answered. */
  requestEmailChange(user: AuthUser, given: string): void {
    const email = given.toLowerCase();
    if (email === user.email) return;
    // A session that was opened by a link has used one factor.
    if (user.hasSecondFactor) {
      throw new AuthRefusal(401, "insufficient_aal", "AAL2 session is required to update email or password");
    }
    if (this.withEmail(email)) throw emailExists();
    const now = this.#deps.now();
    if (isFresh(user.emailChangeSentAt, SECONDS_BETWEEN_MAILS, now)) throw tooManyMails();
    this.#countMails(now);
    user.newEmail = email;
    user.emailChangeSentAt = now;
    user.halfConfirmed = false;
    this.#mail(user, email, "email_change_token_new");
    if (this.bothConfirm && user.email !== "") this.#mail(user, user.email, "email_change_token_current");
  }

  /** Somebody opens the link in a mail. True when the email is now the new one. */
  confirmEmailChange(token: string): boolean {
    const held = this.#tokens.get(token);
    const user = held && held.kind !== "recovery_token" ? this.byId.get(held.userId) : undefined;
    if (!user || !isFresh(user.emailChangeSentAt, LINK_SECONDS, this.#deps.now())) throw expired();
    if (this.bothConfirm && !user.halfConfirmed && user.email !== "") {
      user.halfConfirmed = true;
      this.#tokens.delete(token);
      return false;
    }
    // The unique index is looked at last: somebody else may have been faster.
    if (this.withEmail(user.newEmail)) {
      throw new AuthRefusal(500, "unexpected_failure", "Error confirm email");
    }
    user.email = user.newEmail;
    user.newEmail = "";
    user.halfConfirmed = false;
    user.emailConfirmedAt ??= this.#deps.now();
    this.#dropTokens(user);
    return true;
  }

  #mail(user: AuthUser, to: string, kind: TokenKind): void {
    const query = new URLSearchParams({ token: this.#newToken(user, kind), type: "email_change" });
    const url = `${this.#deps.url()}/auth/v1/verify?${query}`;
    this.mails.push({ to, userId: user.id, kind: "email_change", url, at: this.#deps.now() });
  }

  #countMails(now: Date): void {
    if (this.mailsPerHour === null) return;
    const sent = this.mails.filter(({ at }) => isFresh(at, 3600, now)).length;
    if (sent >= this.mailsPerHour) throw tooManyMails();
  }

  /** One token of a kind per user. */
  #newToken(user: AuthUser, kind: TokenKind): string {
    for (const [token, held] of this.#tokens) {
      if (held.userId === user.id && held.kind === kind) this.#tokens.delete(token);
    }
    const token = randomId(this.#deps.random, "", 56, "0123456789abcdef");
    this.#tokens.set(token, { userId: user.id, kind });
    return token;
  }

  #dropTokens(user: AuthUser): void {
    for (const [token, { userId }] of this.#tokens) if (userId === user.id) this.#tokens.delete(token);
  }
}

function isFresh(at: Date | null, seconds: number, now: Date): boolean {
  return at !== null && now.getTime() - at.getTime() < seconds * 1000;
}

function emailExists(): AuthRefusal {
  return new AuthRefusal(422, "email_exists", "A user with this email address has already been registered");
}

function tooManyMails(): AuthRefusal {
  return new AuthRefusal(429, "over_email_send_rate_limit", "email rate limit exceeded");
}
