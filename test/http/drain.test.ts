import { describe, expect, test } from "vitest";
import { parseEnv } from "../../src/shared/env.ts";
import { type DrainAppDeps, makeDrainApp } from "../../src/shared/http/drain-app.ts";
import { wireDrain, wireWebhooks } from "../../src/shared/wiring.ts";
import { makeWorld } from "../support/world.ts";
import { rows, send, SENDERS } from "./support.ts";

const SECRET = "the-cron-secret-51";

function makeApp(changes: Partial<DrainAppDeps> = {}) {
  const lines: [string, Record<string, unknown>][] = [];
  const works: Promise<unknown>[] = [];
  let runs = 0;
  const app = makeDrainApp({
    cronSecret: SECRET,
    log: (event, fields) => void lines.push([event, fields]),
    drain: () => Promise.resolve(++runs),
    background: (work) => void works.push(work),
    ...changes,
  });
  const call = (authorization?: string, method = "POST", path = "/drain") =>
    app.request(path, { method, headers: authorization === undefined ? {} : { authorization } });
  return { call, lines, works, runs: () => runs };
}

describe("the drain endpoint", () => {
  test("answers 202 at once and works on in the background", async () => {
    let finish = () => {};
    const done = new Promise<void>((resolve) => (finish = resolve));
    let finished = false;
    const app = makeApp({ drain: () => done.then(() => (finished = true)) });
    const response = await app.call(`Bearer ${SECRET}`);
    expect([response.status, await response.json(), finished]).toEqual([202, { ok: true }, false]);
    expect(app.works).toHaveLength(1);
    finish();
    await app.works[0];
    expect(finished).toBe(true);
  });

  test("lets nobody in without the secret, and runs nothing", async () => {
    const app = makeApp();
    const wrong = [
      undefined,
      "",
      " ",
      SECRET,
      "Bearer",
      "Bearer ",
      "Bearer undefined",
      "Bearer null",
      `bearer ${SECRET}`,
      `Basic ${SECRET}`,
      `Bearer ${SECRET}x`,
      `Bearer ${SECRET.slice(1)}`,
      `Bearer ${SECRET.slice(0, -1)}`,
      `Bearer ${SECRET.toUpperCase()}`,
      `Bearer ${SECRET}, Bearer ${SECRET}`,
      `Bearer ${"x".repeat(100_000)}`,
    ];
    for (const authorization of wrong) {
      const response = await app.call(authorization);
      expect([response.status, await response.json()], authorization?.slice(0, 40)).toEqual([401, {
        error: "secret",
      }]);
    }
    expect([app.runs(), app.works]).toEqual([0, []]);
    expect(JSON.stringify(app.lines)).not.toContain(SECRET);
  });

  test("with a secret that is not set, nobody gets in: an unset secret never means open", async () => {
    for (const cronSecret of [undefined, ""]) {
      const app = makeApp({ cronSecret });
      for (const given of [undefined, "", "Bearer", "Bearer ", "Bearer undefined", `Bearer ${SECRET}`]) {
        expect((await app.call(given)).status).toBe(503);
      }
      expect([app.runs(), app.works]).toEqual([0, []]);
      expect(app.lines[0]).toEqual(["cron_secret_missing", {}]);
    }
  });

  test("a drain that fails is logged by the kind of its error alone; the answer is 202 all the same", async () => {
    class DatabaseAway extends Error {
      override name = "DatabaseAway";
    }
    const failures: [() => Promise<unknown>, string][] = [
      [() => Promise.reject(new DatabaseAway("password=hunter2")), "DatabaseAway"],
      [() => Promise.reject("hunter2"), "string"],
    ];
    for (const [drain, error] of failures) {
      const app = makeApp({ drain });
      expect((await app.call(`Bearer ${SECRET}`)).status).toBe(202);
      await expect(app.works[0]).resolves.toBeUndefined();
      expect(app.lines).toEqual([["drain_failed", { error }]]);
    }
  });

  test("takes POST to its own address only", async () => {
    const app = makeApp();
    for (const method of ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"]) {
      expect((await app.call(`Bearer ${SECRET}`, method)).status, method).toBe(404);
    }
    for (const path of ["/", "/drain/", "/drain/x", "/Drain", "/webhooks/stripe"]) {
      expect((await app.call(`Bearer ${SECRET}`, "POST", path)).status, path).toBe(404);
    }
    expect(app.runs()).toBe(0);
  });
});

describe("as wired from the environment", () => {
  test("a webhook comes in by one function and is run by the other", async () => {
    const world = await makeWorld();
    const lines: string[] = [];
    const log = (event: string) => void lines.push(event);
    const env = parseEnv({
      ...world.vendors.env,
      CLOCKWORK_DB_URL: world.url,
      CLOCKWORK_CRON_SECRET: SECRET,
    });
    const webhooks = wireWebhooks(env, log);
    // Nobody is known by the patient's id, so this step has nothing to do and calls no vendor.
    expect((await send(world, SENDERS.medplum, SENDERS.medplum.event("1"), { app: webhooks })).status).toBe(
      200,
    );
    const works: Promise<unknown>[] = [];
    const drain = wireDrain(env, (work) => void works.push(work), log);
    const call = (secret: string) =>
      drain.request("/drain", { method: "POST", headers: { authorization: `Bearer ${secret}` } });
    expect((await call("wrong")).status).toBe(401);
    expect(await rows(world)).toMatchObject([{ status: "PENDING" }]);
    expect((await call(SECRET)).status).toBe(202);
    await Promise.all(works);
    expect(await rows(world)).toMatchObject([{ status: "DONE" }]);
    expect(lines).not.toContain("drain_failed");
  });

  test("a drain without its database is logged and answered 202", async () => {
    const lines: string[] = [];
    const env = parseEnv({
      CLOCKWORK_DB_URL: "postgresql://postgres:pw@127.0.0.1:1/postgres",
      CLOCKWORK_CRON_SECRET: SECRET,
    });
    const works: Promise<unknown>[] = [];
    const drain = wireDrain(env, (work) => void works.push(work), (event, fields) => {
      lines.push(JSON.stringify({ event, ...fields }));
    });
    const response = await drain.request("/drain", {
      method: "POST",
      headers: { authorization: `Bearer ${SECRET}` },
    });
    expect(response.status).toBe(202);
    await Promise.all(works);
    expect(lines.some((line) => line.includes("drain_failed"))).toBe(true);
    expect(lines.join()).not.toContain("pw@");
  });

  test("no function starts without a database", () => {
    expect(() => wireWebhooks(parseEnv({}))).toThrow("CLOCKWORK_DB_URL is not set");
    expect(() => wireDrain(parseEnv({}), () => {})).toThrow("CLOCKWORK_DB_URL is not set");
  });
});
