import { execFile } from "node:child_process";
import { createServer, type Server } from "node:net";
import { promisify } from "node:util";
import { afterEach, describe, expect, test } from "vitest";
import { callVendor, type Fetch, statusError } from "../../src/shared/vendors/call.ts";
import { VendorError } from "../../src/shared/vendors/contract.ts";

const SECRET_WORDS = "patient takes something";

/** A fetch that answers this, and remembers what it was asked. */
function answering(response: () => Response): Fetch & { asked: RequestInit[] } {
  const asked: RequestInit[] = [];
  return Object.assign((_: unknown, init: RequestInit = {}) => {
    asked.push(init);
    return Promise.resolve(response());
  }, { asked });
}

function failing(error: Error): Fetch {
  return () => Promise.reject(error);
}

async function failureOf(
  fetch: Fetch,
  init: Parameters<typeof callVendor>[4] = {},
  url = "http://vendor.test/x",
) {
  const error: unknown = await callVendor(fetch, "pharmacy", "create order", url, init).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof VendorError)) throw new Error("not a VendorError", { cause: error });
  return error;
}

describe("statuses", () => {
  test.each([200, 201, 202, 204, 207])("%i is an answer", async (status) => {
    const fetch = answering(() => new Response(null, { status }));
    expect((await callVendor(fetch, "crm", "send event", "http://vendor.test/x")).status).toBe(status);
  });

  test.each(
    [
      [301, "refused"],
      [304, "refused"],
      [400, "refused"],
      [401, "refused"],
      [403, "refused"],
      [404, "refused"],
      [408, "unanswered"],
      [409, "refused"],
      [422, "refused"],
      [429, "rate_limited"],
      [500, "unanswered"],
      [502, "unanswered"],
      [503, "unanswered"],
      [504, "unanswered"],
      [599, "unanswered"],
    ] as const,
  )("%i is %s", async (status, failure) => {
    const error = await failureOf(answering(() => new Response(null, { status })));
    expect(error).toMatchObject({
      vendor: "pharmacy",
      operation: "create order",
      failure,
      details: { status },
    });
  });

  test("a status that the caller accepts is an answer, its body unread; others still fail", async () => {
    const fetch = answering(() => Response.json({ code: "gone" }, { status: 410 }));
    const response = await callVendor(fetch, "health", "get patient", "http://vendor.test/x", {
      accept: [404, 410],
    });
    expect(await response.json()).toEqual({ code: "gone" });
    expect((await failureOf(fetch, { accept: [404] })).failure).toBe("refused");
  });

  test.each([
    ["7", 7],
    ["0", 0],
    ["1.2", 2],
    ["-1", undefined],
    ["Infinity", undefined],
    ["soon", undefined],
    ["", undefined],
    [null, undefined],
    [undefined, undefined],
  ])("retry-after %j is %j seconds", (value, seconds) => {
    expect(statusError("stripe", "list", 429, value).details).toEqual({
      status: 429,
      ...(seconds === undefined ? {} : { retryAfterSeconds: seconds }),
    });
  });

  test("retry-after is heard on a 503, too", async () => {
    const fetch = answering(() => new Response(null, { status: 503, headers: { "retry-after": "30" } }));
    expect((await failureOf(fetch)).details).toEqual({ status: 503, retryAfterSeconds: 30 });
  });
});

describe("what a failure tells", () => {
  test("nothing of the body or the status text, which is thrown away", async () => {
    let cancelled = false;
    const body = new ReadableStream({
      pull: (controller) => controller.enqueue(new TextEncoder().encode(SECRET_WORDS)),
      cancel: () => void (cancelled = true),
    });
    const error = await failureOf(
      answering(() => new Response(body, { status: 422, statusText: SECRET_WORDS })),
      { method: "POST", body: SECRET_WORDS },
      "http://vendor.test/secret-path",
    );
    expect(cancelled).toBe(true);
    expect(error.message).toBe("pharmacy: create order refused (422)");
    const told = `${error.stack} ${JSON.stringify(error)} ${String(error.cause)}`;
    expect(told).not.toContain(SECRET_WORDS);
    expect(told).not.toContain("secret-path");
  });

  test("nothing of what fetch threw", async () => {
    const error = await failureOf(failing(new TypeError(SECRET_WORDS, { cause: new Error(SECRET_WORDS) })));
    expect(error.message).toBe("pharmacy: create order unanswered");
    expect(`${error.stack} ${JSON.stringify(error)} ${String(error.cause)}`).not.toContain(SECRET_WORDS);
  });

  test("a body that breaks off does not hide the status", async () => {
    const broken = () => new ReadableStream({ cancel: () => Promise.reject(new TypeError("terminated")) });
    const error = await failureOf(answering(() => new Response(broken(), { status: 400 })));
    expect([error.failure, error.details.status]).toEqual(["refused", 400]);
  });
});

describe("connections, under Node", () => {
  let server: Server | undefined;
  afterEach(() => server?.close());

  async function listen(onConnection: Parameters<typeof createServer>[1]): Promise<number> {
    const listening = server = createServer(onConnection);
    await new Promise<void>((resolve) => listening.listen(0, "127.0.0.1", resolve));
    const address = listening.address();
    if (address === null || typeof address === "string") throw new Error("no port");
    return address.port;
  }

  test.each(["127.0.0.1", "localhost"])("refused at %s: unreachable", async (host) => {
    const port = await listen(() => {});
    await new Promise((resolve) => server?.close(resolve));
    expect((await failureOf(fetch, { method: "POST", body: "x" }, `http://${host}:${port}/`)).failure)
      .toBe("unreachable");
  });

  test.each(["ENOTFOUND", "EAI_AGAIN", "UND_ERR_CONNECT_TIMEOUT"])("%s: unreachable", async (code) => {
    const cause = Object.assign(new Error("getaddrinfo"), { code });
    expect((await failureOf(failing(new TypeError("fetch failed", { cause })))).failure).toBe("unreachable");
  });

  test.each(["ECONNRESET", "EPIPE", "UND_ERR_SOCKET", "UND_ERR_HEADERS_TIMEOUT"])(
    "%s: unanswered",
    async (code) => {
      const cause = Object.assign(new Error("socket"), { code });
      expect((await failureOf(failing(new TypeError("fetch failed", { cause })))).failure).toBe("unanswered");
    },
  );

  test("closed after the request came in: unanswered, whatever the URL says", async () => {
    const port = await listen((socket) => {
      socket.on("error", () => {});
      socket.once("data", () => socket.destroy());
    });
    const url = `http://127.0.0.1:${port}/?q=ECONNREFUSED+client%20error%20(Connect)`;
    expect((await failureOf(fetch, { method: "POST", body: "x" }, url)).failure).toBe("unanswered");
  });

  test("no answer within the time limit: unanswered", async () => {
    const hanging: Fetch = (_, init) =>
      new Promise((_, reject) =>
        init?.signal?.addEventListener("abort", () => reject(init.signal?.reason ?? new Error("aborted")))
      );
    const error = await failureOf(hanging, { timeoutMs: 1 });
    expect([error.failure, error.details]).toEqual(["unanswered", {}]);
  });

  test("no redirect is followed: a redirected POST would be a GET", async () => {
    const requests: string[] = [];
    const port = await listen((socket) => {
      socket.once("data", (data) => {
        requests.push(String(data).slice(0, 4));
        const head = requests.length === 1 ? "HTTP/1.1 302 Found\r\nlocation: /elsewhere" : "HTTP/1.1 200 OK";
        socket.end(`${head}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n`);
      });
    });
    const error = await failureOf(fetch, { method: "POST", body: "x" }, `http://127.0.0.1:${port}/`);
    expect([error.failure, error.details.status, requests]).toEqual(["refused", 302, ["POST"]]);
  });
});

test("timeoutMs and accept stay out of the request; the caller's init goes in", async () => {
  const fetch = answering(() => new Response());
  await callVendor(fetch, "crm", "send event", "http://vendor.test/x", {
    method: "PUT",
    headers: { "x-a": "1" },
    body: "b",
    accept: [404],
    timeoutMs: 5,
  });
  const { signal, body, ...rest } = fetch.asked[0] ?? {};
  expect(rest).toEqual({ method: "PUT", headers: { "x-a": "1" }, redirect: "manual" });
  expect(body instanceof Blob && await body.text()).toBe("b");
  expect(signal).toBeInstanceOf(AbortSignal);
});

test.each([
  "error sending request for url (http://x/): client error (Connect): dns error: failed to lookup address information",
  "error sending request for url (http://x/): error trying to connect: tcp connect error: Connection refused (os error 111)",
])("an older Deno says it in the message itself: %s", async (message) => {
  expect((await failureOf(failing(new TypeError(message)))).failure).toBe("unreachable");
});

/** Deno words these errors in its own way, and it is where the functions run. */
test("connections, under Deno", { timeout: 60_000 }, async () => {
  const module = new URL("../../src/shared/vendors/call.ts", import.meta.url).href;
  const script = `
    import { callVendor } from ${JSON.stringify(module)};
    const failureOf = (url, init = {}) =>
      callVendor(fetch, "crm", "probe", url, { method: "POST", body: "x", ...init })
        .then(() => "answered", (error) => [error.failure, error.details.status].filter(Boolean).join(" "));
    const closed = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = closed.addr;
    closed.close();
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const answers = [null, null, "302 Found", "429 Slow", "hang"];
    const held = [];
    (async () => {
      for await (const connection of listener) {
        await connection.read(new Uint8Array(4096));
        const answer = answers.shift();
        if (answer === "hang") { held.push(connection); continue; }
        if (answer) {
          await connection.write(new TextEncoder().encode(
            "HTTP/1.1 " + answer + "\\r\\nlocation: /\\r\\ncontent-length: 0\\r\\nconnection: close\\r\\n\\r\\n"));
        }
        connection.close();
      }
    })();
    const open = "http://127.0.0.1:" + listener.addr.port;
    console.log(JSON.stringify({
      refused: await failureOf("http://127.0.0.1:" + port + "/"),
      lost: await failureOf(open + "/"),
      lostWithWords: await failureOf(open + "/?q=ECONNREFUSED client error (Connect)"),
      redirected: await failureOf(open + "/"),
      slow: await failureOf(open + "/"),
      hung: await failureOf(open + "/", { timeoutMs: 20 }),
    }));
    Deno.exit();
  `;
  const deno = new URL("../../node_modules/.bin/deno", import.meta.url).pathname;
  const { stdout } = await promisify(execFile)(deno, ["eval", "--no-config", "--ext=js", script], {
    env: { ...process.env, DENO_NO_PACKAGE_JSON: "1", DENO_NO_UPDATE_CHECK: "1", NO_COLOR: "1" },
  });
  expect(JSON.parse(stdout)).toEqual({
    refused: "unreachable",
    lost: "unanswered",
    lostWithWords: "unanswered",
    redirected: "refused 302",
    slow: "rate_limited 429",
    hung: "unanswered",
  });
});

/** A POST that was carried out must not be sent again by the HTTP client, behind the ledger's back. */
test("a kept-alive connection that breaks: sent once, under Deno", { timeout: 60_000 }, async () => {
  const module = new URL("../../src/shared/vendors/call.ts", import.meta.url).href;
  const script = `
    import { callVendor } from ${JSON.stringify(module)};
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const seen = [];
    const serve = async (connection) => {
      const buffer = new Uint8Array(4096);
      for (let read = await connection.read(buffer); read; read = await connection.read(buffer)) {
        const request = new TextDecoder().decode(buffer.subarray(0, read));
        seen.push(request.split(" ")[1]);
        if (request.startsWith("POST /lose")) { connection.close(); return; }
        await connection.write(new TextEncoder().encode("HTTP/1.1 200 OK\\r\\ncontent-length: 2\\r\\n\\r\\nok"));
      }
    };
    (async () => { for await (const connection of listener) serve(connection).catch(() => {}); })();
    const url = "http://127.0.0.1:" + listener.addr.port;
    const post = (path) => callVendor(fetch, "pharmacy", "probe", url + path, { method: "POST", body: "x" });
    await (await post("/warm")).text();
    const failure = await post("/lose").then(() => "answered", (error) => error.failure);
    console.log(JSON.stringify({ failure, seen }));
    Deno.exit();
  `;
  const deno = new URL("../../node_modules/.bin/deno", import.meta.url).pathname;
  const { stdout } = await promisify(execFile)(deno, ["eval", "--no-config", "--ext=js", script], {
    env: { ...process.env, DENO_NO_PACKAGE_JSON: "1", DENO_NO_UPDATE_CHECK: "1", NO_COLOR: "1" },
  });
  expect(JSON.parse(stdout)).toEqual({ failure: "unanswered", seen: ["/warm", "/lose"] });
});
