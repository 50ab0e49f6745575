import { Refusal } from "../app.ts";
import { randomId, uuid } from "../random.ts";

/** A link in a mail is good for this long: Supabase's default. */
const LINK_SECONDS = 3600;
/** The least time between two mails of one kind to one user: GOTRUE_SMTP_MAX_FREQUENCY's default. */
const SECONDS_BETWEEN_MAILS = 60;
const SESSION_SECONDS = 3600;

/** The kinds of one-time tokens in the table auth.one_time_tokens. */
type TokenKind = "recovery_token" | "email_change_token_current" | "email_change_token_new";

export interface AuthUser {
  id: string;
  /** In lower case. Empty for a user with only a phone. */
  email: string;
  emailConfirmedAt: Date | null;
  /** The requested email until every address that must confirm it did; else empty. */
  newEmail: string;
  emailChangeSentAt: Date | null;
  /** True once one of the two mails of a change was answered. */
  halfConfirmed: boolean;
  recoverySentAt: Date | null;
  lastSignInAt: Date | null;
  createdAt: Date;
  /** A verified second factor. A change of the login then needs a session that used it. */
  hasSecondFactor: boolean;
  banned: boolean;
}

export interface AuthMail {
  to: string;
  userId: string;
  /** The link in it. */
  url: string;
  at: Date;
}

const expired = () => new Refusal(403, "otp_expired", "Email link is invalid or has expired");

interface UsersDeps {
  now: () => Date;
  random: () => number;
  /** The address for the links in mails. */
  url: () => string;
}

/** The users, their one-time tokens and sessions, and the change of their email. Throws {@link Refusal}. */
export class Users {
  readonly byId = new Map<string, AuthUser>();
  readonly mails: AuthMail[] = [];
  /** Secure email change, which is Supabase's default: the old and the new address must both confirm. */
  bothConfirm = true;
  /** The setting "Confirm email". Off, a project takes addresses unproved. */
  confirmsEmail = true;
  /** Null: no limit. */
  mailsPerHour: number | null = null;
  readonly #tokens = new Map<string, { userId: string; kind: TokenKind }>();
  readonly #sessions = new Map<string, { userId: string; until: Date }>();
  readonly #deps: UsersDeps;

  constructor(deps: UsersDeps) {
    this.#deps = deps;
  }

  create(email: string, confirmed: boolean): AuthUser {
    if (email !== "" && this.withEmail(email)) throw emailExists();
    return this.import(email, confirmed);
  }

  /** As {@link create}, for many thousands at once: does not check that the address is free. */
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

  /** A token for a link that is not mailed. The user's earlier recovery token is dead from now on. */
  recoveryToken(user: AuthUser): string {
    user.recoverySentAt = this.#deps.now();
    return this.#newToken(user, "recovery_token");
  }

  /** Signs in the user of a recovery token. Every other link to this user is dead from now on. */
  recover(token: string): AuthUser {
    const issued = this.#tokens.get(token);
    const user = issued?.kind === "recovery_token" ? this.byId.get(issued.userId) : undefined;
    if (!user || !isFresh(user.recoverySentAt, LINK_SECONDS, this.#deps.now())) throw expired();
    if (user.banned) throw new Refusal(403, "user_banned", "User is banned");
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

  /** The user of an open session. */
  sessionUser(accessToken: string): AuthUser {
    const session = this.#sessions.get(accessToken);
    const user = session && session.until > this.#deps.now() ? this.byId.get(session.userId) : undefined;
    if (!user) throw new Refusal(403, "session_not_found", "Session from session_id claim does not exist");
    return user;
  }

  closeSession(accessToken: string): void {
    this.#sessions.delete(accessToken);
  }

  sessionsOf(userId: string): number {
    return [...this.#sessions.values()].filter((session) => session.userId === userId).length;
  }

  /** A signed-in user asks for another email: mails go out, and nothing changes until they are answered. */
  requestEmailChange(user: AuthUser, given: string): void {
    const email = given.toLowerCase();
    if (email === user.email) return;
    // A session that a link opened has used one factor.
    if (user.hasSecondFactor) {
      throw new Refusal(401, "insufficient_aal", "AAL2 session is required to update email or password");
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

  /** A reader opens the link in a mail. True when the email is now the new one. */
  confirmEmailChange(token: string): boolean {
    const issued = this.#tokens.get(token);
    const user = issued && issued.kind !== "recovery_token" ? this.byId.get(issued.userId) : undefined;
    if (!user || !isFresh(user.emailChangeSentAt, LINK_SECONDS, this.#deps.now())) throw expired();
    if (this.bothConfirm && !user.halfConfirmed && user.email !== "") {
      user.halfConfirmed = true;
      this.#tokens.delete(token);
      return false;
    }
    // The unique index comes last: another user may have taken the address meanwhile.
    if (this.withEmail(user.newEmail)) {
      throw new Refusal(500, "unexpected_failure", "Error confirm email");
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
    this.mails.push({ to, userId: user.id, url, at: this.#deps.now() });
  }

  #countMails(now: Date): void {
    if (this.mailsPerHour === null) return;
    const sent = this.mails.filter(({ at }) => isFresh(at, 3600, now)).length;
    if (sent >= this.mailsPerHour) throw tooManyMails();
  }

  /** One token of a kind per user. */
  #newToken(user: AuthUser, kind: TokenKind): string {
    for (const [token, issued] of this.#tokens) {
      if (issued.userId === user.id && issued.kind === kind) this.#tokens.delete(token);
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

function emailExists(): Refusal {
  return new Refusal(422, "email_exists", "A user with this email address has already been registered");
}

function tooManyMails(): Refusal {
  return new Refusal(429, "over_email_send_rate_limit", "email rate limit exceeded");
}
