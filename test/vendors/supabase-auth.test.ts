import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type AuthSandbox, makeAuthSandbox } from "../../scripts/sandbox/auth.ts";
import { serveSandbox } from "../../scripts/sandbox/server.ts";
import { VendorError } from "../../src/shared/vendors/contract.ts";
import { type Login, LOGIN_REFUSALS } from "../../src/shared/vendors/login.ts";
import { seeded } from "../../scripts/sandbox/random.ts";
import { makeSupabaseAuthClient } from "../../src/shared/vendors/supabase-auth/client.ts";

const NOW = new Date("2026-03-01T10:00:00Z");

let auth: AuthSandbox;
let server: Awaited<ReturnType<typeof serveSandbox>>;
let login: Login;
let ada: string;
/** What was sent: method, path and the kind of its body. */
let sent: { line: string; body: unknown; headers: Headers; redirect: string | undefined }[];

beforeEach(async () => {
  auth = makeAuthSandbox({ now: () => NOW, random: seeded(3) });
  server = await serveSandbox(auth.app);
  sent = [];
  login = makeSupabaseAuthClient({
    url: `${server.url}/`,
    serviceKey: auth.keys.service,
    fetch: async (input, init) => {
      const { pathname } = new URL(String(input));
      sent.push({
        line: `${init?.method} ${pathname}`,
        body: init?.body,
        headers: new Headers(init?.headers),
        redirect: init?.redirect,
      });
      expect(init?.signal).toBeInstanceOf(AbortSignal);
      return await fetch(input, init);
    },
  });
  ada = auth.signUp("ada@old.test");
});
afterEach(() => server.close());

async function failure(work: Promise<unknown>): Promise<VendorError> {
  try {
    await work;
  } catch (error) {
    if (error instanceof VendorError) return error;
    throw error;
  }
  throw new Error("it did not fail");
}

describe("reading", () => {
  test("everybody, a hundred a page, to the end", async () => {
    const ids = [ada, ...Array.from({ length: 199 }, (_, n) => auth.signUp(`user.${n}@x.test`))];
    const pages = [await login.listUsers(null)];
    for (let next = pages[0]?.next ?? null; next !== null;) {
      const page = await login.listUsers(next);
      pages.push(page);
      next = page.next;
    }
    // Two full pages may be all there is; only an empty one says so.
    expect(pages.map(({ entries }) => entries.length)).toEqual([100, 100, 0]);
    expect(pages.flatMap(({ entries }) => entries.map(({ id }) => id)).sort()).toEqual(ids.sort());
    expect(pages[0]?.entries.find(({ id }) => id === ada)).toMatchObject({
      email: "ada@old.test",
      pendingEmail: null,
    });
    auth.faults.add({ operation: "list users", kind: "status", status: 503, times: 1 });
    expect(await failure(login.listUsers(null))).toMatchObject({ vendor: "login", failure: "unanswered" });
  });

  test("a user: its email, whether it is proved, and what waits for confirmation", async () => {
    auth.changeEmail(ada, "Ada@New.test");
    expect(await login.getUser(ada)).toEqual({
      id: ada,
      email: "ada@old.test",
      isConfirmed: true,
      pendingEmail: "ada@new.test",
      pendingSince: NOW,
    });
    const unproved = auth.signUp("new@x.test", { confirmed: false });
    expect(await login.getUser(unproved)).toMatchObject({ isConfirmed: false, pendingEmail: null });
  });

  test("nobody: null; and no id leads to another path", async () => {
    expect(await login.getUser("00000000-0000-4000-a000-000000000000")).toBe(null);
    expect(await login.getUser("../users?page=1")).toBe(null);
  });

  test("whoever has an address, exactly, and not one that only looks alike", async () => {
    auth.signUp("not.ada@old.test");
    expect(await login.findUser("ADA@old.test")).toMatchObject({ id: ada });
    expect(await login.findUser("da@old.test")).toBe(null);
    auth.changeEmail(ada, "ada@new.test");
    expect(await login.findUser("ada@new.test")).toBe(null);
  });
});

describe("a change of email", () => {
  test("is asked for as the user, never set, and the session is closed after it", async () => {
    await login.requestEmailChange(ada, "ada@new.test");
    expect(sent.map(({ line }) => line)).toEqual([
      "GET /auth/v1/settings",
      `GET /auth/v1/admin/users/${ada}`,
      "POST /auth/v1/admin/generate_link",
      "POST /auth/v1/verify",
      "PUT /auth/v1/user",
      "POST /auth/v1/logout",
    ]);
    expect(auth.mails.map(({ to }) => to)).toEqual(["ada@new.test", "ada@old.test"]);
    expect([auth.users.get(ada)?.email, auth.sessionsOf(ada)]).toEqual(["ada@old.test", 0]);
    // Never with the service role's power, by which Auth would set it at once.
    const asking = sent.find(({ line }) => line.startsWith("PUT"));
    expect(asking?.headers.get("authorization")).not.toContain(auth.keys.service);
  });

  test("no call can be sent twice by the HTTP client, or led elsewhere", async () => {
    await login.requestEmailChange(ada, "ada@new.test");
    const withBody = sent.filter(({ body }) => body !== undefined);
    expect(withBody).toHaveLength(3);
    expect(withBody.every(({ body }) => body instanceof Blob)).toBe(true);
    expect(sent.every(({ redirect }) => redirect === "manual")).toBe(true);
  });

  test.each(
    [
      [LOGIN_REFUSALS.taken, (): unknown => auth.signUp("ada@new.test")],
      [LOGIN_REFUSALS.secondFactor, () => auth.addSecondFactor(ada)],
      [LOGIN_REFUSALS.tooManyMails, () => auth.limitMails(0)],
      [LOGIN_REFUSALS.noConfirmation, () => auth.setConfirmEmail(false)],
      ["user_banned", () => auth.ban(ada)],
      ["user_not_found", () => auth.deleteUser(ada)],
    ] as const,
  )("refused with %s: nothing mailed, no session left, none of Auth's words", async (code, arrange) => {
    arrange();
    const error = await failure(login.requestEmailChange(ada, "ada@new.test"));
    expect(error).toMatchObject({ vendor: "login", failure: "refused", details: { code } });
    expect(error.message).not.toMatch(/address|registered|limit exceeded|session is required/i);
    expect(auth.mails).toEqual([]);
    expect(auth.sessionsOf(ada)).toBe(0);
  });

  test("an unproved address is not proved by opening a session for it", async () => {
    const id = auth.signUp("squatted@x.test", { confirmed: false });
    const error = await failure(login.requestEmailChange(id, "ada@new.test"));
    expect(error.details.code).toBe(LOGIN_REFUSALS.unconfirmed);
    expect(auth.users.get(id)?.emailConfirmedAt).toBe(null);
  });

  test("an address that went to another user between two calls opens no session of theirs", async () => {
    const bea = auth.signUp("bea@x.test");
    const stale = makeSupabaseAuthClient({
      url: server.url,
      serviceKey: auth.keys.service,
      fetch: async (input, init) => {
        // As if Ada had had Bea's address when she was read.
        if (String(input).endsWith(`/admin/users/${ada}`)) {
          return Response.json({ id: ada, email: "bea@x.test", email_confirmed_at: NOW.toISOString() });
        }
        return await fetch(input, init);
      },
    });
    const error = await failure(stale.requestEmailChange(ada, "ada@new.test"));
    expect(error).toMatchObject({ failure: "unreachable", details: { code: "another_user" } });
    expect([auth.sessionsOf(bea), auth.mails]).toEqual([0, []]);
  });

  test("what fails before the mails was surely not done; what fails while they are sent may have been", async () => {
    for (const operation of ["settings", "get user", "generate link", "verify"]) {
      auth.faults.add({ operation, kind: "status", status: 500, times: 1 });
      const error = await failure(login.requestEmailChange(ada, "ada@new.test"));
      expect([operation, error.failure]).toEqual([operation, "unreachable"]);
    }
    auth.faults.add({ operation: "update user", kind: "lose_answer", times: 1 });
    expect((await failure(login.requestEmailChange(ada, "ada@new.test"))).failure).toBe("unanswered");
    expect(auth.mails).toHaveLength(2);
  });

  test("a session that cannot be closed is no failure", async () => {
    auth.faults.add({ operation: "log out", kind: "status", status: 500, times: 1 });
    await login.requestEmailChange(ada, "ada@new.test");
    expect(auth.mails).toHaveLength(2);
  });
});

describe("failures", () => {
  test("a key that is not taken, a slow-down, an outage, and nobody there", async () => {
    const keyless = makeSupabaseAuthClient({ url: server.url, serviceKey: "wrong", fetch });
    expect(await failure(keyless.getUser(ada))).toMatchObject({
      failure: "refused",
      details: { status: 401 },
    });
    auth.faults.add({ kind: "status", status: 429, retryAfterSeconds: 7, times: 1 });
    expect(await failure(login.getUser(ada))).toMatchObject({
      failure: "rate_limited",
      details: { retryAfterSeconds: 7 },
    });
    auth.faults.add({ kind: "status", status: 503, times: 1 });
    expect((await failure(login.getUser(ada))).failure).toBe("unanswered");
    const gone = await serveSandbox(auth.app);
    await gone.close();
    const nowhere = makeSupabaseAuthClient({ url: gone.url, serviceKey: "x", fetch });
    expect((await failure(nowhere.getUser(ada))).failure).toBe("unreachable");
  });

  test("an answer of another shape is no user", async () => {
    const odd = makeSupabaseAuthClient({
      url: server.url,
      serviceKey: "x",
      fetch: () => Promise.resolve(Response.json({ name: "CANARY" })),
    });
    const error = await failure(odd.getUser(ada));
    expect(error).toMatchObject({ failure: "unanswered", details: { code: "shape" } });
    expect(error.message).not.toContain("CANARY");
  });
});
