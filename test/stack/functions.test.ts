import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { functionsWithoutJwt, type LocalFunctions, serveFunctions } from "../../scripts/stack/functions.ts";
import { freePort } from "../../scripts/stack/ports.ts";

const root = mkdtempSync(join(tmpdir(), "clockwork-functions-"));
const log: string[] = [];
let served: LocalFunctions;

const ECHO = `
import { Hono } from "hono";
const app = new Hono().basePath("/echo");
app.get("/crash", () => Deno.exit(3));
app.get("/files", async (c) => c.text(await Deno.readTextFile("/etc/hostname").catch((e) => e.name)));
app.get("/env", (c) => c.json(Deno.env.toObject()));
app.get("/stream", () => new Response(new ReadableStream({
  start(stream) { stream.enqueue(new TextEncoder().encode("first ")); setTimeout(() => { stream.enqueue(new TextEncoder().encode("last")); stream.close(); }, 20); },
})));
app.all("*", async (c) => c.json({ method: c.req.method, url: c.req.url, headers: c.req.header(), body: await c.req.text() }, 207, { "x-from": "echo" }));
Deno.serve(app.fetch);
`;

beforeAll(async () => {
  for (
    const [name, code] of Object.entries({ echo: ECHO, closed: 'Deno.serve(() => new Response("in"));' })
  ) {
    mkdirSync(join(root, "supabase/functions", name), { recursive: true });
    writeFileSync(join(root, "supabase/functions", name, "index.ts"), code);
  }
  mkdirSync(join(root, "supabase/functions/_shared"));
  writeFileSync(
    join(root, "supabase/functions/deno.json"),
    JSON.stringify({ imports: { hono: "npm:hono@4.13.19" } }),
  );
  writeFileSync(
    join(root, "supabase/config.toml"),
    `project_id = "x"\n[functions.echo]\nverify_jwt = false # signed\n[functions.closed]\n`,
  );
  symlinkSync(fileURLToPath(new URL("../../node_modules", import.meta.url)), join(root, "node_modules"));
  const auth = createServer((req, res) => res.end(`auth ${req.url}`)).listen(0, "127.0.0.1");
  await new Promise((resolve) => auth.once("listening", resolve));
  const address = auth.address();
  if (typeof address !== "object" || !address) throw new Error("no port");
  auth.unref();
  served = await serveFunctions({
    root,
    port: await freePort(),
    env: { SECRET: "s" },
    log: (line) => log.push(line),
    routes: { "/auth/v1": `http://127.0.0.1:${address.port}` },
  });
});
afterAll(async () => {
  await served.stop();
  rmSync(root, { recursive: true });
});

describe("the gateway", () => {
  test("hands on path, query, method, headers and body, and the answer", async () => {
    const response = await fetch(`${served.url}/echo/stripe/a%20b?x=1&y=%2F`, {
      method: "PUT",
      body: "ü raw",
      headers: { "Stripe-Signature": "t=1" },
    });
    expect(response.status).toBe(207);
    expect(response.headers.get("x-from")).toBe("echo");
    const seen = await response.json();
    const host = new URL(served.url).host;
    expect(seen).toMatchObject({
      method: "PUT",
      body: "ü raw",
      headers: { "stripe-signature": "t=1", host },
    });
    expect(seen.url).toBe(`http://${host}/echo/stripe/a%20b?x=1&y=%2F`);
  });

  test("hands on a body that comes in pieces", async () => {
    const answer = await new Promise<string>((resolve, reject) => {
      const onward = request(`${served.url}/echo`, { method: "POST" }, async (response) => {
        let text = "";
        for await (const chunk of response) text += chunk;
        resolve(text);
      }).on("error", reject);
      onward.write("one ");
      onward.end("two");
    });
    expect(JSON.parse(answer)).toMatchObject({ body: "one two" });
    expect(await (await fetch(`${served.url}/echo/stream`)).text()).toBe("first last");
  });

  test("knows only the functions there are", async () => {
    expect((await fetch(`${served.url}/nothing`)).status).toBe(404);
    expect((await fetch(`${served.url}/_shared`)).status).toBe(404);
    expect((await fetch(new URL("/echo", served.url))).status).toBe(404);
  });

  test("wants an Authorization header unless config.toml says otherwise", async () => {
    expect((await fetch(`${served.url}/closed`)).status).toBe(401);
    expect((await fetch(`${served.url}/closed`, { method: "OPTIONS" })).status).toBe(200);
    expect(await (await fetch(`${served.url}/closed`, { headers: { authorization: "Bearer x" } })).text())
      .toBe("in");
  });

  test("serves other routes beside the functions", async () => {
    expect(await (await fetch(new URL("/auth/v1/user?a=1", served.url))).text()).toBe("auth /user?a=1");
  });
});

describe("a function", () => {
  test("sees the environment it was given and no file", async () => {
    const env = await (await fetch(`${served.url}/echo/env`)).json();
    expect(env).toMatchObject({ SECRET: "s" });
    expect(Object.keys(env)).not.toContain("VITEST");
    expect(await (await fetch(`${served.url}/echo/files`)).text()).toBe("NotCapable");
  });

  test("that ends is started again; until then the gateway says so", async () => {
    const before = served.pid("echo");
    const crash = await fetch(`${served.url}/echo/crash`);
    expect(crash.status).toBe(502);
    await vi.waitFor(() => expect(served.pid("echo")).toBeUndefined());
    expect((await fetch(`${served.url}/echo`)).status).toBe(503);
    await vi.waitFor(() => expect(served.pid("echo")).toBeDefined(), { timeout: 20_000 });
    expect(served.pid("echo")).not.toBe(before);
    expect((await fetch(`${served.url}/echo`)).status).toBe(207);
    expect(log).toContainEqual("[echo] ended with exit code 3; starting again in 200 ms");
  });

  test("that cannot start fails the whole start, and the others are stopped", async () => {
    mkdirSync(join(root, "supabase/functions/broken"));
    writeFileSync(join(root, "supabase/functions/broken/index.ts"), `throw new Error("no secret")`);
    const lines: string[] = [];
    const port = await freePort();
    const start = serveFunctions({ root, port, env: {}, names: ["broken"], log: (line) => lines.push(line) });
    await expect(start).rejects.toThrow(/The function broken did not start/);
    expect(lines.join("\n")).toMatch(/\[broken\] .*no secret/);
    await expect(fetch(`http://127.0.0.1:${port}/`)).rejects.toThrow();
  });

  test("is gone after stop", async () => {
    const other = await serveFunctions({
      root,
      port: await freePort(),
      env: {},
      names: ["closed"],
      log: () => {},
    });
    const pid = other.pid("closed");
    if (pid === undefined) throw new Error("not running");
    process.kill(pid, 0);
    await other.stop();
    expect(() => process.kill(pid, 0)).toThrow(/ESRCH/);
    await expect(fetch(other.url)).rejects.toThrow();
  });
});

test("config.toml: only a plain verify_jwt = false opens a function", () => {
  const file = join(root, "some.toml");
  writeFileSync(
    file,
    `[functions.a]\nverify_jwt = true\n[functions."sign-in"]\nverify_jwt=false\n[functions.c]\n# verify_jwt = false\n[auth]\nverify_jwt = false\n`,
  );
  expect([...functionsWithoutJwt(file)]).toEqual(["sign-in"]);
  expect([...functionsWithoutJwt(join(root, "none.toml"))]).toEqual([]);
});
