import { createClient, type SupabaseClient } from "@supabase/supabase-js";
import { z } from "zod";
import { beforeSending, callVendor, discardBody, type Fetch, readAnswer, statusError } from "../call.ts";
import { VendorError } from "../contract.ts";
import { type Login, LOGIN_REFUSALS, type LoginUser } from "../login.ts";

interface SupabaseAuthOptions {
  /** The project's own URL, e.g. `https://<ref>.supabase.co`. */
  url: string;
  /** The service role's (secret) key. */
  serviceKey: string;
  fetch: Fetch;
}

/** Empty and absent are the same: Auth shows an empty email for a user who signs in with a phone. */
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

/**
 * A session as supabase-js keeps it. Auth's `expires_at` is left out: a session that is nearly over by this machine's
 * clock would be refreshed first, with the library's own retries. Auth alone judges when it ends.
 */
const sessionAnswer = z.object({
  access_token: z.string().min(1),
  refresh_token: z.string().min(1),
  user: z.object({ id: z.string() }),
}).transform((session) => ({ ...session, expires_in: 3600 }));

/** One of Auth's own words. Longer text may be a sentence about somebody. */
const code = z.string().regex(/^[a-z0-9_]{1,60}$/);
/** supabase-js asks for the second form. Older versions of Auth know the first (supabase/auth, internal/api/errors.go). */
const errorAnswer = z.union([
  z.object({ error_code: code }).transform(({ error_code }) => error_code),
  z.object({ code }).transform((error) => error.code),
]);

/** A filter is a part of an email, so others may match too. */
const USERS_AT_ONCE = 50;

/** Users of a page in the list of all of them. */
const PAGE_SIZE = 100;

/** Statuses with a code. Among them 401 and 429: not each of them is about our key or our pace. */
const REFUSALS = [400, 401, 403, 404, 409, 422, 429];

/** Reads an answer that is no failure. */
type Read<T> = (operation: string, response: Response) => Promise<T>;

function json<Schema extends z.ZodType>(schema: Schema): Read<z.output<Schema>> {
  return (operation, response) => readAnswer("login", operation, response, schema);
}

/** For a call whose status tells all. */
const statusOnly: Read<object> = async (_, response) => {
  await discardBody(response);
  return {};
};

type Auth = SupabaseClient["auth"];

/** Sends one call of supabase-js. */
type Ask = <T>(operation: string, read: Read<T>, call: (auth: Auth) => Promise<unknown>) => Promise<T>;

/**
 * The logins at Supabase Auth, through supabase-js. Two reads are requests of our own, because it has no method for them:
 * the settings, and the users that match a filter.
 * Throws {@link VendorError}; a refusal carries Auth's error code and none of its words.
 */
export function makeSupabaseAuthClient({ url, serviceKey, fetch }: SupabaseAuthOptions): Login {
  const base = `${url.replace(/\/+$/, "")}/auth/v1`;
  const ours = { method: "GET", headers: { apikey: serviceKey, authorization: `Bearer ${serviceKey}` } };

  async function send<T>(operation: string, read: Read<T>, address: string, init?: RequestInit): Promise<T> {
    const response = await callVendor(fetch, "login", operation, address, { ...init, accept: REFUSALS });
    if (!response.ok) throw await refusal(operation, response);
    return await read(operation, response);
  }

  /** A client of supabase-js for one piece of work: no two customers' work can share a session. */
  function openClient(): Ask {
    let request: (address: string, init?: RequestInit) => Promise<unknown>;
    const { auth } = createClient(url, serviceKey, {
      auth: { persistSession: false, autoRefreshToken: false, detectSessionInUrl: false },
      // The library receives the fields that we read of the answer, and needs no more.
      global: { fetch: async (input, init) => Response.json(await request(String(input), init)) },
    });
    return async (operation, read, call) => {
      const sent: ReturnType<typeof read>[] = [];
      request = async (address, init) => {
        // Only the queue sends anything again.
        if (sent.length > 0) throw new Error("one request a call");
        const outcome = send(operation, read, address, init);
        sent.push(outcome);
        return await outcome;
      };
      // The library replaces an error of our fetch by its own without the failure, so the request itself is asked.
      await call(auth).catch(() => {});
      const [outcome] = sent;
      if (!outcome) throw new VendorError("login", "unreachable", operation, { code: "not_sent" });
      return await outcome;
    };
  }

  async function getUser(userId: string, ask = openClient()): Promise<LoginUser | null> {
    // The library throws for an id that is no UUID, and no user has such an id.
    if (!z.guid().safeParse(userId).success) return null;
    try {
      return await ask("get user", json(userAnswer), (auth) => auth.admin.getUserById(userId));
    } catch (error) {
      if (error instanceof VendorError && error.details.code === "user_not_found") return null;
      throw error;
    }
  }

  /**
   * Opens a session of the user in the client of `ask`, by a link that is not mailed. It is a recovery link, because Auth
   * makes no new user for one where the address has none.
   */
  async function openSession(ask: Ask, userId: string, email: string): Promise<void> {
    const asking = "generate link";
    const link = await ask(
      asking,
      json(linkAnswer),
      (auth) => auth.admin.generateLink({ type: "recovery", email }),
    );
    // The address passed to another user since the user was read.
    if (link.id !== userId) throw new VendorError("login", "unreachable", asking, { code: "another_user" });
    await ask(
      "open session",
      json(sessionAnswer),
      (auth) => auth.verifyOtp({ type: "recovery", token_hash: link.hashed_token }),
    );
  }

  return {
    getUser: (userId) => getUser(userId),

    async listUsers(cursor) {
      const page = cursor === null ? 1 : Number(cursor);
      const { users } = await openClient()(
        "list users",
        json(usersAnswer),
        (auth) => auth.admin.listUsers({ page, perPage: PAGE_SIZE }),
      );
      return { entries: users, next: users.length === PAGE_SIZE ? String(page + 1) : null };
    },

    async findUser(email) {
      const wanted = email.toLowerCase();
      const query = new URLSearchParams({ filter: wanted, page: "1", per_page: String(USERS_AT_ONCE) });
      const { users } = await send("find user", json(usersAnswer), `${base}/admin/users?${query}`, ours);
      return users.find((user) => user.email?.toLowerCase() === wanted) ?? null;
    },

    async requestEmailChange(userId, email) {
      const operation = "request email change";
      const refused = (code: string) => new VendorError("login", "refused", operation, { code });
      const ask = openClient();
      const prepare = async () => {
        const settings = await send("get settings", json(settingsAnswer), `${base}/settings`, ours);
        if (settings.mailer_autoconfirm) throw refused(LOGIN_REFUSALS.noConfirmation);
        const user = await getUser(userId, ask);
        if (!user?.email) throw refused(user ? "no_email" : "user_not_found");
        // Opening a session by a link counts as proof of the address.
        if (!user.isConfirmed) throw refused(LOGIN_REFUSALS.unconfirmed);
        await openSession(ask, userId, user.email);
      };
      await beforeSending(prepare());
      try {
        await ask(operation, statusOnly, (auth) => auth.updateUser({ email }));
      } finally {
        // The session also ends by itself, and nobody has its tokens: a failure to close it early changes nothing.
        await ask("close session", statusOnly, (auth) => auth.signOut({ scope: "local" })).catch(() => {});
      }
    },
  };
}

async function refusal(operation: string, response: Response): Promise<VendorError> {
  const { status, headers } = response;
  const code = errorAnswer.safeParse(await response.json().catch(() => null)).data;
  // A limit on mails or a weak session says nothing about our pace or our key.
  if (code === LOGIN_REFUSALS.tooManyMails || code === LOGIN_REFUSALS.secondFactor) {
    return new VendorError("login", "refused", operation, { code });
  }
  const error = statusError("login", operation, status, headers.get("retry-after"));
  return new VendorError("login", error.failure, operation, { ...error.details, code });
}
