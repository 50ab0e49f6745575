import { GoTrueAdminApi } from "@supabase/supabase-js";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type AuthSandbox, makeAuthSandbox } from "../../scripts/sandbox/auth.ts";
import { seeded } from "../../scripts/sandbox/random.ts";
import { CALL_TIMEOUT_MS } from "../../src/shared/vendors/call.ts";
import { VendorError } from "../../src/shared/vendors/contract.ts";
import type { Login } from "../../src/shared/vendors/login.ts";
import { makeSupabaseAuthClient } from "../../src/shared/vendors/supabase-auth/client.ts";

const NOW = new Date("2026-03-01T10:00:00Z");
const LEVELS = ["debug", "log", "info", "warn", "error", "trace"] as const;

type Answer = (init: RequestInit, real: () => Promise<Response>) => Promise<Response> | Response;

let auth: AuthSandbox;
let ada: string;
/** Every request: method, path and query. */
let asked: string[];

beforeEach(() => {
  for (const level of LEVELS) vi.spyOn(console, level);
  vi.spyOn(globalThis, "setInterval");
  auth = makeAuthSandbox({ now: () => NOW, random: seeded(3) });
  ada = auth.signUp("ada@old.test");
  asked = [];
});
afterEach(() => {
  // The library writes to no log and leaves no timer behind.
  for (const level of LEVELS) expect(console[level]).not.toHaveBeenCalled();
  expect(setInterval).not.toHaveBeenCalled();
  vi.restoreAllMocks();
});

/** The login of the sandbox. The requests to `path` (`:id` is Ada's) are answered by `answer` instead. */
function loginWith(path = "", answer: Answer = (_, real) => real()): Login {
  return makeSupabaseAuthClient({
    url: "https://auth.test",
    serviceKey: auth.keys.service,
    fetch: async (input, init = {}) => {
      const { pathname, search } = new URL(String(input));
      asked.push(`${init.method} ${pathname}${search}`);
      const real = async () => await auth.app.request(String(input), init);
      return pathname.replace(ada, ":id") === `/auth/v1${path}` ? await answer(init, real) : await real();
    },
  });
}

async function failure(work: Promise<unknown>): Promise<VendorError> {
  const error = await work.then(() => undefined, (thrown: unknown) => thrown);
  if (error instanceof VendorError) return error;
  throw new Error("no VendorError", { cause: error });
}

const change = (login: Login) => login.requestEmailChange(ada, "ada@new.test");

/**
 * Each request there is: its operation, its path, the work that makes it, how many requests that is up to this one, and
 * the failure when it may have been carried out. One before the mails changes nothing.
 */
const REQUESTS: [string, string, (login: Login) => Promise<unknown>, number, VendorError["failure"]][] = [
  ["get user", "/admin/users/:id", (login) => login.getUser(ada), 1, "unanswered"],
  ["list users", "/admin/users", (login) => login.listUsers(null), 1, "unanswered"],
  ["find user", "/admin/users", (login) => login.findUser("ada@old.test"), 1, "unanswered"],
  ["get settings", "/settings", change, 1, "unreachable"],
  ["get user", "/admin/users/:id", change, 2, "unreachable"],
  ["generate link", "/admin/generate_link", change, 3, "unreachable"],
  ["open session", "/verify", change, 4, "unreachable"],
  // The session is closed after it.
  ["request email change", "/user", change, 6, "unanswered"],
];

describe.each(REQUESTS)("%s (%s)", (operation, path, work, requests, unanswered) => {
  /** How the work fails; it has sent each request once. */
  async function failureBy(answer: Answer): Promise<VendorError> {
    asked = [];
    const error = await failure(work(loginWith(path, answer)));
    expect(asked).toHaveLength(requests);
    expect(new Set(asked).size).toBe(requests);
    expect(error.operation).toBe(operation);
    return error;
  }

  test("is sent once, whatever is answered", async () => {
    for (const status of [408, 500, 502, 503, 504, 520]) {
      const error = await failureBy(() => Response.json({}, { status }));
      expect(error).toMatchObject({ failure: unanswered, details: { status } });
    }
    const headers = { "retry-after": "7" };
    expect(await failureBy(() => Response.json({}, { status: 429, headers }))).toMatchObject({
      failure: "rate_limited",
      details: { status: 429, retryAfterSeconds: 7 },
    });
    const redirects: unknown[] = [];
    const redirected = await failureBy((init) => {
      redirects.push(init.redirect);
      return new Response(null, { status: 307, headers: { location: "https://elsewhere.test" } });
    });
    expect([redirected.failure, redirects]).toEqual(["refused", ["manual"]]);
  });

  test("tells whether it was sent", async () => {
    const cut = (code: string) => () =>
      Promise.reject(new TypeError("fetch failed", { cause: Object.assign(new Error(), { code }) }));
    expect((await failureBy(cut("ECONNREFUSED"))).failure).toBe("unreachable");
    expect((await failureBy(cut("ECONNRESET"))).failure).toBe(unanswered);
  });

  test("ends in time, also in the middle of an answer", async () => {
    const limits: number[] = [];
    let isOver = new AbortController();
    vi.spyOn(AbortSignal, "timeout").mockImplementation((ms) => {
      limits.push(ms);
      return (isOver = new AbortController()).signal;
    });
    /** Never comes; as fetch does, it listens to the signal it was given. */
    const atTheEnd = (init: RequestInit) =>
      new Promise<never>((_, reject) => {
        init.signal?.addEventListener("abort", () => reject(init.signal?.reason));
        queueMicrotask(() => isOver.abort());
      });
    expect((await failureBy(atTheEnd)).failure).toBe(unanswered);
    const halfRefused = await failureBy((init) =>
      new Response(
        new ReadableStream({
          start: (body) => body.enqueue(new TextEncoder().encode("{")),
          pull: () => atTheEnd(init),
        }),
        { status: 422 },
      )
    );
    // Its status was heard.
    expect(halfRefused).toMatchObject({ failure: "refused", details: { status: 422 } });
    expect(new Set(limits)).toEqual(new Set([CALL_TIMEOUT_MS]));
  });

  test("keeps of a refusal the code alone, in either form that Auth has", async () => {
    const forms = [{ code: 422, error_code: "some_code", msg: "CANARY" }, {
      code: "some_code",
      message: "CANARY",
    }];
    const sentences = [{ error_code: "CANARY of Ada" }, { code: "CANARY of Ada" }, "CANARY", null];
    for (const body of [...forms, ...sentences]) {
      const error = await failureBy(() => Response.json(body, { status: 422 }));
      expect(error.failure).toBe("refused");
      expect(error.details).toEqual({
        status: 422,
        ...(forms.some((form) => form === body) ? { code: "some_code" } : {}),
      });
      expect(`${error.stack} ${JSON.stringify(error)} ${String(error.cause)}`).not.toContain("CANARY");
    }
  });
});

describe("sessions", () => {
  test("of two customers at once: each is asked for with its own", async () => {
    const bea = auth.signUp("bea@old.test");
    // Both are open before either is used.
    const waiting: (() => void)[] = [];
    const login = loginWith("/verify", async (_, real) => {
      const response = await real();
      await new Promise<void>((resolve) => {
        waiting.push(resolve);
        if (waiting.length === 2) { for (const proceed of waiting) proceed(); }
      });
      return response;
    });
    await Promise.all([change(login), login.requestEmailChange(bea, "bea@new.test")]);
    const pending = [ada, bea].map((id) => auth.users.get(id)?.newEmail);
    expect(pending).toEqual(["ada@new.test", "bea@new.test"]);
    expect([auth.mails.length, auth.sessionsOf(ada), auth.sessionsOf(bea)]).toEqual([4, 0, 0]);
    // The customer's other sessions are not ours to end.
    const ends = asked.filter((line) => line.includes("/logout"));
    expect(ends).toEqual(Array(2).fill("POST /auth/v1/logout?scope=local"));
  });

  test.each([
    ["is over by this machine's clock", { expires_at: 1 }],
    ["lives for a second", { expires_in: 1, expires_at: undefined }],
  ])("that %s: used all the same, and never refreshed", async (_, ends) => {
    await change(
      loginWith("/verify", async (_, real) => Response.json({ ...await (await real()).json(), ...ends })),
    );
    expect([asked.length, auth.mails.length, auth.sessionsOf(ada)]).toEqual([6, 2, 0]);
  });

  test("that did not come: nothing is asked, least of all by the service role", async () => {
    const error = await failure(change(loginWith("/verify", () => Response.json({ user: { id: ada } }))));
    expect(error).toMatchObject({ failure: "unreachable", details: { code: "shape" } });
    expect([asked.at(-1), auth.mails]).toEqual(["POST /auth/v1/verify", []]);
  });
});

test("a request for a change that Auth took stands, whatever its answer says", async () => {
  await change(loginWith("/user", async (_, real) => {
    await real();
    return new Response("{not JSON");
  }));
  expect([auth.mails.length, auth.sessionsOf(ada)]).toEqual([2, 0]);
});

test("a header about pages that reads otherwise than the library thinks changes nothing", async () => {
  const login = loginWith("/admin/users", async (_, real) => {
    const response = await real();
    response.headers.set("link", "</auth/v1/admin/users>");
    return response;
  });
  expect(await login.listUsers(null)).toMatchObject({ entries: [{ id: ada }], next: null });
});

describe("a version of supabase-js that", () => {
  type GetUser = GoTrueAdminApi["getUserById"];

  /** Has the library read a user by this. */
  function library(getUser: (real: GetUser) => GetUser) {
    const real = GoTrueAdminApi.prototype.getUserById;
    vi.spyOn(GoTrueAdminApi.prototype, "getUserById").mockImplementation(function (this: GoTrueAdminApi, id) {
      return getUser(real.bind(this))(id);
    });
  }

  test("repeats a request by itself: one is sent", async () => {
    library((real) => async (id) => {
      for (let i = 0; i < 3; i++) await real(id);
      return await real(id);
    });
    const error = await failure(
      loginWith("/admin/users/:id", () => Response.json({}, { status: 503 })).getUser(ada),
    );
    expect(error).toMatchObject({ failure: "unanswered", details: { status: 503 } });
    expect(asked).toHaveLength(1);
  });

  test("sends nothing: nothing was sent", async () => {
    library(() => () => Promise.reject(new Error("CANARY")));
    const error = await failure(loginWith().getUser(ada));
    expect(error).toMatchObject({ failure: "unreachable", details: { code: "not_sent" } });
    expect(`${error.stack} ${String(error.cause)}`).not.toContain("CANARY");
  });

  test("fails after an answer: the answer stands", async () => {
    library((real) => async (id) => {
      await real(id);
      throw new Error("CANARY");
    });
    expect(await loginWith().getUser(ada)).toMatchObject({ id: ada });
  });
});
