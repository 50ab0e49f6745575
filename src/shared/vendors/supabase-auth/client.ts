import { z } from "zod";
import { callVendor, type Fetch, statusError } from "../call.ts";
import { type Login, LOGIN_REFUSALS, type LoginUser, VendorError } from "../contract.ts";
import { readAnswer } from "../json.ts";

export interface SupabaseAuthOptions {
  /** The project's own URL, e.g. `https://<ref>.supabase.co`. */
  url: string;
  /** The service role's (secret) key. */
  serviceKey: string;
  fetch: Fetch;
}

/** Empty and absent are the same here: Auth shows an empty email for somebody who signs in with a phone. */
const text = z.string().nullish().transform((value) => value || null);

const userAnswer = z.object({
  id: z.string(),
  email: text,
  email_confirmed_at: text,
  new_email: text,
  email_change_sent_at: z.iso.datetime({ offset: true }).nullish(),
}).transform(({ id, email, email_confirmed_at, new_email, email_change_sent_at }): LoginUser => ({
  id,
  email,
  isConfirmed: email_confirmed_at !== null,
  pendingEmail: new_email,
  pendingSince: email_change_sent_at ? new Date(email_change_sent_at) : null,
}));
const usersAnswer = z.object({ users: z.array(userAnswer) });
const settingsAnswer = z.object({ mailer_autoconfirm: z.boolean() });
const linkAnswer = z.object({ id: z.string(), hashed_token: z.string().min(1) });
const sessionAnswer = z.object({ access_token: z.string().min(1), user: z.object({ id: z.string() }) });

/** A code is one of Auth's own words; anything longer may be a sentence about somebody. */
const errorAnswer = z.object({ error_code: z.string().regex(/^[a-z0-9_]{1,60}$/) });

/** A filter is a part of an email, so others may match too. */
const USERS_AT_ONCE = 50;

/** How many users a page of all of them has. */
const PAGE_SIZE = 100;

/** Answers that carry a code. 401 and 429 too: not each of them is about our key or our pace. */
const REFUSALS = [400, 401, 403, 404, 409, 422, 429];

/**
 * The logins at Supabase Auth (source: supabase/auth, internal/api). Plain calls instead of supabase-js: each must end in
 * time, tell whether it was sent, and never be sent twice by the HTTP client.
 * Throws {@link VendorError}; a refusal carries Auth's error code and none of its words.
 */
export function makeSupabaseAuthClient({ url, serviceKey, fetch }: SupabaseAuthOptions): Login {
  const base = `${url.replace(/\/+$/, "")}/auth/v1`;

  /** One call; by the service role unless `bearer` is somebody else's token. */
  async function call(operation: string, method: string, path: string, options: {
    body?: object;
    bearer?: string;
  } = {}): Promise<Response> {
    const { body, bearer = serviceKey } = options;
    const response = await callVendor(fetch, "login", operation, `${base}${path}`, {
      method,
      headers: {
        apikey: serviceKey,
        authorization: `Bearer ${bearer}`,
        ...(body ? { "content-type": "application/json" } : {}),
      },
      ...(body ? { body: JSON.stringify(body) } : {}),
      accept: REFUSALS,
    });
    if (response.ok) return response;
    throw await refusal(operation, response);
  }

  async function getUser(userId: string): Promise<LoginUser | null> {
    const operation = "get user";
    try {
      const response = await call(operation, "GET", `/admin/users/${encodeURIComponent(userId)}`);
      return await readAnswer("login", operation, response, userAnswer);
    } catch (error) {
      if (error instanceof VendorError && error.details.code === "user_not_found") return null;
      throw error;
    }
  }

  /**
   * A session of the user, opened by a link that nobody is mailed. A recovery link, because Auth makes no new user for
   * it where the address has none. Gives the access token.
   */
  async function openSession(userId: string, email: string): Promise<string> {
    const asking = "generate link";
    const answer = await call(asking, "POST", "/admin/generate_link", { body: { type: "recovery", email } });
    const link = await readAnswer("login", asking, answer, linkAnswer);
    // The address went to somebody else since the user was read.
    if (link.id !== userId) throw new VendorError("login", "unreachable", asking, { code: "another_user" });
    const opening = "open session";
    const opened = await call(opening, "POST", "/verify", {
      body: { type: "recovery", token_hash: link.hashed_token },
    });
    const session = await readAnswer("login", opening, opened, sessionAnswer);
    return session.access_token;
  }

  return {
    getUser,

    async listUsers(cursor) {
      const operation = "list users";
      const page = cursor === null ? 1 : Number(cursor);
      const query = new URLSearchParams({ page: String(page), per_page: String(PAGE_SIZE) });
      const response = await call(operation, "GET", `/admin/users?${query}`);
      const { users } = await readAnswer("login", operation, response, usersAnswer);
      return { entries: users, next: users.length === PAGE_SIZE ? String(page + 1) : null };
    },

    async findUser(email) {
      const operation = "find user";
      const wanted = email.toLowerCase();
      const query = new URLSearchParams({ filter: wanted, page: "1", per_page: String(USERS_AT_ONCE) });
      const response = await call(operation, "GET", `/admin/users?${query}`);
      const { users } = await readAnswer("login", operation, response, usersAnswer);
      return users.find((user) => user.email?.toLowerCase() === wanted) ?? null;
    },

    async requestEmailChange(userId, email) {
      const operation = "request email change";
      const refused = (code: string) => new VendorError("login", "refused", operation, { code });
      const accessToken = await beforeAnyMail(async () => {
        const settings = await call("get settings", "GET", "/settings");
        const { mailer_autoconfirm } = await readAnswer("login", "get settings", settings, settingsAnswer);
        if (mailer_autoconfirm) throw refused(LOGIN_REFUSALS.noConfirmation);
        const user = await getUser(userId);
        if (!user?.email) throw refused(user ? "no_email" : "user_not_found");
        // Opening a session by a link counts as proof of the address.
        if (!user.isConfirmed) throw refused(LOGIN_REFUSALS.unconfirmed);
        return await openSession(userId, user.email);
      });
      try {
        await call(operation, "PUT", "/user", { body: { email }, bearer: accessToken });
      } finally {
        // It ends by itself too, and nobody has its tokens: a failure to end it early changes nothing.
        await call("close session", "POST", "/logout?scope=local", { bearer: accessToken }).catch(() => {});
      }
    },
  };
}

/** A failure before the one call that mails: whatever was done, no mail was sent. */
async function beforeAnyMail<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof VendorError) || error.failure !== "unanswered") throw error;
    throw new VendorError("login", "unreachable", error.operation, error.details);
  }
}

async function refusal(operation: string, response: Response): Promise<VendorError> {
  const { status, headers } = response;
  const parsed = errorAnswer.safeParse(await response.json().catch(() => null));
  const code = parsed.success ? parsed.data.error_code : null;
  // A limit on mails, or a session that is too weak, says nothing of our pace or our key.
  if (code === LOGIN_REFUSALS.tooManyMails || code === LOGIN_REFUSALS.secondFactor) {
    return new VendorError("login", "refused", operation, { code });
  }
  const error = statusError("login", operation, status, headers.get("retry-after"));
  return new VendorError("login", error.failure, operation, { ...error.details, ...(code ? { code } : {}) });
}
