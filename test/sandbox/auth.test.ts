import { beforeEach, describe, expect, test } from "vitest";
import { type AuthSandbox, makeAuthSandbox } from "../../scripts/sandbox/auth.ts";
import { seeded } from "../../scripts/sandbox/random.ts";

const HOUR_MS = 3_600_000;

let now: Date;
let auth: AuthSandbox;
let ada: string;

beforeEach(() => {
  now = new Date("2026-03-01T10:00:00Z");
  auth = makeAuthSandbox({ now: () => now, random: seeded(3) });
  auth.servedAt("https://auth.test");
  ada = auth.signUp("Ada@Old.test");
});

async function call(method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
  const response = await auth.app.request(`/auth/v1${path}`, {
    method,
    headers: { apikey: auth.keys.service, authorization: `Bearer ${auth.keys.service}`, ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: text ? JSON.parse(text) : null };
}

/** As our client: a link without a mail, and the session that it opens. */
async function session(email = "ada@old.test"): Promise<string> {
  const link = await call("POST", "/admin/generate_link", { type: "recovery", email });
  const opened = await call("POST", "/verify", { type: "recovery", token_hash: link.body.hashed_token });
  return opened.body.access_token;
}
const asUser = (token: string) => ({ authorization: `Bearer ${token}` });

describe("keys", () => {
  test("the gateway wants one it knows, and the admin's paths want the service role's", async () => {
    const path = "/auth/v1/admin/users";
    expect((await auth.app.request(path)).status).toBe(401);
    expect((await call("GET", "/admin/users", undefined, { apikey: "other" })).status).toBe(401);
    const asAnybody = { apikey: auth.keys.anon, authorization: `Bearer ${auth.keys.anon}` };
    expect(await call("GET", "/admin/users", undefined, asAnybody)).toMatchObject({
      status: 403,
      body: { code: 403, error_code: "not_admin" },
    });
    expect(
      (await call("POST", "/admin/generate_link", { type: "recovery", email: "a@b.test" }, asAnybody))
        .status,
    ).toBe(403);
  });

  test("a user's paths want a session that is open", async () => {
    const token = await session();
    expect((await call("PUT", "/user", { email: "a@b.test" }, asUser("made-up"))).status).toBe(403);
    expect((await call("POST", "/logout?scope=local", undefined, asUser(token))).status).toBe(204);
    expect(await call("PUT", "/user", { email: "a@b.test" }, asUser(token))).toMatchObject({
      status: 403,
      body: { error_code: "session_not_found" },
    });
  });
});

test("errors have the form of the API version that was asked for", async () => {
  const missing = (headers?: Record<string, string>) =>
    call("GET", "/admin/users/nobody", undefined, headers);
  expect((await missing()).body).toEqual({ code: 404, error_code: "user_not_found", msg: "User not found" });
  const newer = await missing({ "x-supabase-api-version": "2024-01-01" });
  expect(newer.body).toEqual({ code: "user_not_found", message: "User not found" });
  expect([newer.status, newer.headers.get("x-supabase-api-version")]).toEqual([404, "2024-01-01"]);
});

describe("the admin's reading", () => {
  test("gives a user with the email in lower case, and 404 for an unknown one", async () => {
    expect(await call("GET", `/admin/users/${ada}`)).toMatchObject({
      status: 200,
      body: { id: ada, email: "ada@old.test", email_confirmed_at: now.toISOString(), phone: "" },
    });
    expect(await call("GET", "/admin/users/nobody")).toMatchObject({
      status: 404,
      body: { error_code: "user_not_found" },
    });
  });

  test("lists users page by page, and by a part of their email", async () => {
    for (let i = 0; i < 4; i++) auth.signUp(`user${i}@x.test`);
    expect((await call("GET", "/admin/users?page=2&per_page=2")).body.users).toHaveLength(2);
    const found = await call("GET", "/admin/users?filter=user3%40x.test");
    expect(found.body.users.map(({ email }: { email: string }) => email)).toEqual(["user3@x.test"]);
    expect(found.headers.get("x-total-count")).toBe("1");
  });
});

describe("a recovery link", () => {
  test("signs in its user once, sends no mail, and makes no user for an unknown address", async () => {
    const link = await call("POST", "/admin/generate_link", { type: "recovery", email: "ADA@old.test" });
    expect(link.body).toMatchObject({ id: ada, verification_type: "recovery" });
    const use = { type: "recovery", token_hash: link.body.hashed_token };
    expect(await call("POST", "/verify", use)).toMatchObject({ status: 200, body: { user: { id: ada } } });
    expect(await call("POST", "/verify", use)).toMatchObject({
      status: 403,
      body: { error_code: "otp_expired" },
    });
    expect(await call("POST", "/admin/generate_link", { type: "recovery", email: "no@x.test" }))
      .toMatchObject({
        status: 404,
        body: { error_code: "user_not_found" },
      });
    expect([auth.mails, auth.users.size]).toEqual([[], 1]);
  });

  test("is dead after an hour, after the next one, and for a banned user", async () => {
    const first = await call("POST", "/admin/generate_link", { type: "recovery", email: "ada@old.test" });
    const second = await call("POST", "/admin/generate_link", { type: "recovery", email: "ada@old.test" });
    const use = (link: typeof first) =>
      call("POST", "/verify", { type: "recovery", token_hash: link.body.hashed_token });
    expect((await use(first)).status).toBe(403);
    now = new Date(now.getTime() + HOUR_MS);
    expect((await use(second)).status).toBe(403);
    const third = await call("POST", "/admin/generate_link", { type: "recovery", email: "ada@old.test" });
    auth.ban(ada);
    expect(await use(third)).toMatchObject({ status: 403, body: { error_code: "user_banned" } });
  });

  test("confirms the address of its user", async () => {
    const id = auth.signUp("new@x.test", { confirmed: false });
    expect((await call("GET", `/admin/users/${id}`)).body.email_confirmed_at).toBe(undefined);
    await session("new@x.test");
    expect((await call("GET", `/admin/users/${id}`)).body.email_confirmed_at).toBe(now.toISOString());
  });
});

describe("a change of email", () => {
  const change = async (email: string) => call("PUT", "/user", { email }, asUser(await session()));

  test("mails both addresses and changes when both links were opened, in either order", async () => {
    expect((await change("Ada@New.test")).body).toMatchObject({
      email: "ada@old.test",
      new_email: "ada@new.test",
    });
    expect(auth.mails.map(({ to }) => to)).toEqual(["ada@new.test", "ada@old.test"]);
    const opened = await auth.app.request(auth.mails[1]?.url.replace("https://auth.test", "") ?? "");
    expect(opened.status).toBe(303);
    expect(opened.headers.get("location")).toContain("message=Confirmation+link+accepted");
    expect(auth.users.get(ada)?.email).toBe("ada@old.test");
    await auth.app.request(auth.mails[0]?.url.replace("https://auth.test", "") ?? "");
    expect(auth.users.get(ada)).toMatchObject({ email: "ada@new.test", newEmail: "" });
  });

  test("mails the new address alone where secure email change is off", async () => {
    auth.setSecureEmailChange(false);
    await change("ada@new.test");
    expect(auth.mails.map(({ to }) => to)).toEqual(["ada@new.test"]);
    auth.openAll(ada);
    expect(auth.users.get(ada)?.email).toBe("ada@new.test");
  });

  test("to the present address does nothing", async () => {
    expect((await change("ADA@old.test")).status).toBe(200);
    expect(auth.mails).toEqual([]);
  });

  test("is refused for an address in use, for a weak session, too soon, and beyond the limit of mails", async () => {
    auth.signUp("taken@x.test");
    expect(await change("Taken@x.test")).toMatchObject({ status: 422, body: { error_code: "email_exists" } });
    auth.limitMails(0);
    const limited = { status: 429, body: { error_code: "over_email_send_rate_limit" } };
    expect(await change("ada@new.test")).toMatchObject(limited);
    auth.limitMails(null);
    expect((await change("ada@new.test")).status).toBe(200);
    expect(await change("ada@newer.test")).toMatchObject(limited);
    auth.addSecondFactor(ada);
    now = new Date(now.getTime() + HOUR_MS);
    expect(await change("ada@newest.test")).toMatchObject({
      status: 401,
      body: { error_code: "insufficient_aal" },
    });
    expect(auth.mails).toHaveLength(2);
  });

  test("is dead after an hour, after a sign-in by link, and when another user took the address meanwhile", async () => {
    await change("ada@new.test");
    now = new Date(now.getTime() + HOUR_MS);
    auth.openAll(ada);
    expect(auth.users.get(ada)?.email).toBe("ada@old.test");
    await change("ada@newer.test");
    await session();
    auth.openAll(ada);
    expect(auth.users.get(ada)?.email).toBe("ada@old.test");
    now = new Date(now.getTime() + HOUR_MS);
    auth.setSecureEmailChange(false);
    await change("ada@newest.test");
    auth.signUp("ada@newest.test");
    const mail = auth.mails.at(-1);
    expect(() => mail && auth.open(mail)).toThrow("Error confirm email");
  });
});

test("the settings say whether an address must be confirmed", async () => {
  expect((await call("GET", "/settings")).body.mailer_autoconfirm).toBe(false);
  auth.setConfirmEmail(false);
  expect((await call("GET", "/settings")).body.mailer_autoconfirm).toBe(true);
});
