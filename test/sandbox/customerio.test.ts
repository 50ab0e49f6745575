import { Hono } from "hono";
import type { HttpBindings } from "@hono/node-server";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  CUSTOMERIO_SANDBOX_KEYS,
  type CustomerioSandbox,
  makeCustomerioSandbox,
} from "../../scripts/sandbox/customerio.ts";
import { serveSandbox } from "../../scripts/sandbox/server.ts";
import type { VendorEvent } from "../../src/shared/vendors/webhook.ts";
import { seeded, ulid } from "../../scripts/sandbox/random.ts";
import { customerioWebhook } from "../../src/shared/vendors/customerio/webhook.ts";

const { siteId, apiKey, appApiKey } = CUSTOMERIO_SANDBOX_KEYS;
const SECRET = "workspace-key";
const HOUR_MS = 60 * 60 * 1000;

let now: Date;
let sandbox: CustomerioSandbox;
/** The events that came in at our endpoint with a right signature. */
let events: VendorEvent[];
let bodies: string[];
let status: 200 | 500;
let endpoint: Awaited<ReturnType<typeof serveSandbox>>;

beforeEach(async () => {
  now = new Date("2026-03-01T10:00:00Z");
  events = [];
  bodies = [];
  status = 200;
  const app = new Hono<{ Bindings: HttpBindings }>();
  app.post("/hook", async (c) => {
    const webhook = { body: new Uint8Array(await c.req.arrayBuffer()), headers: c.req.raw.headers };
    if (!await customerioWebhook.verify(webhook, [SECRET], now)) return c.text("", 401);
    bodies.push(new TextDecoder().decode(webhook.body));
    if (status === 200) events.push(customerioWebhook.read(webhook));
    return c.text("", status);
  });
  endpoint = await serveSandbox(app);
  sandbox = makeCustomerioSandbox({
    now: () => now,
    random: seeded(11),
    fetch,
    webhook: { url: `${endpoint.url}/hook`, secret: SECRET },
  });
});
afterEach(() => endpoint.close());

async function call(
  method: string,
  path: string,
  body?: unknown,
  authorization = `Basic ${btoa(`${siteId}:${apiKey}`)}`,
) {
  const init = body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) };
  return await sandbox.app.request(path, { method, headers: { authorization }, ...init });
}
const put = (id: string, body: unknown) => call("PUT", `/api/v1/customers/${id}`, body);
const post = (id: string, body: unknown) => call("POST", `/api/v1/customers/${id}/events`, body);
const attribute = (id: string, name: string) => sandbox.people.get(id)?.attributes.get(name)?.value;
const seconds = () => now.getTime() / 1000;
const wireId = () => ulid(now, seeded(1));

describe("people", () => {
  test("PUT makes a person, then changes it, and leaves the other attributes", async () => {
    expect((await put("p1", { email: "a@clinic.test", plan_state: "active" })).status).toBe(200);
    await put("p1", { plan_state: "paused" });
    expect([attribute("p1", "email"), attribute("p1", "plan_state")]).toEqual(["a@clinic.test", "paused"]);
  });

  test("an older update that comes late does not win, attribute by attribute", async () => {
    await put("p1", { plan_state: "paused", _timestamp: seconds() });
    await put("p1", { plan_state: "active", next_refill: "2026-04-01", _timestamp: seconds() - 60 });
    expect([attribute("p1", "plan_state"), attribute("p1", "next_refill")]).toEqual(["paused", "2026-04-01"]);
    await put("p1", { plan_state: "active", _timestamp: seconds() });
    expect(attribute("p1", "plan_state")).toBe("active");
    expect(attribute("p1", "_timestamp")).toBe(undefined);
  });

  test("_update never makes a person", async () => {
    expect((await put("p1", { plan_state: "active", _update: true })).status).toBe(200);
    expect(sandbox.people.size).toBe(0);
    await put("p1", {});
    await put("p1", { plan_state: "active", _update: true });
    expect(attribute("p1", "plan_state")).toBe("active");
  });

  test("DELETE forgets; a later PUT makes another person", async () => {
    await put("p1", { plan_state: "active" });
    const cioId = sandbox.people.get("p1")?.cioId;
    await call("DELETE", "/api/v1/customers/p1");
    expect(sandbox.people.size).toBe(0);
    await put("p1", {});
    expect(sandbox.people.get("p1")?.cioId).not.toBe(cioId);
    expect(attribute("p1", "plan_state")).toBe(undefined);
  });

  test("a suppressed person is answered 200 and stored nowhere, until unsuppressed", async () => {
    await put("p1", {});
    await call("POST", "/api/v1/customers/p1/suppress");
    expect(sandbox.people.size).toBe(0);
    expect((await put("p1", { plan_state: "active" })).status).toBe(200);
    expect((await post("p1", { name: "renewal_due" })).status).toBe(200);
    expect([sandbox.people.size, sandbox.heard("p1"), sandbox.receipts[0]?.outcome]).toEqual([
      0,
      [],
      "suppressed",
    ]);
    await call("POST", "/api/v1/customers/p1/unsuppress");
    await put("p1", {});
    expect(sandbox.people.has("p1")).toBe(true);
  });

  test("cio_ and Customer.io's id name the same person", async () => {
    await put("p1", {});
    await put(`cio_${sandbox.people.get("p1")?.cioId}`, { plan_state: "active" });
    expect([sandbox.people.size, attribute("p1", "plan_state")]).toEqual([1, "active"]);
  });
});

describe("the App API", () => {
  const read = (ids: unknown, authorization = `Bearer ${appApiKey}`) =>
    call("POST", "/v1/customers/attributes", { ids }, authorization);

  test("gives people with their attributes as text, each once, and leaves out unknown ones", async () => {
    sandbox.createPerson("p1", { email: "a@clinic.test", phone: "+15005550001" });
    await put("p1", { plan_state: "active", next_refill_on: null, visits: 3 });
    const cio_id = sandbox.people.get("p1")?.cioId;
    expect(await (await read(["p1", "p9", "p1"])).json()).toEqual({
      customers: [{
        customer: {
          id: "p1",
          identifiers: { id: "p1", email: "a@clinic.test", cio_id },
          attributes: {
            id: "p1",
            cio_id,
            email: "a@clinic.test",
            phone: "+15005550001",
            plan_state: "active",
            visits: "3",
          },
          timestamps: { email: seconds(), phone: seconds(), plan_state: seconds(), visits: seconds() },
          unsubscribed: false,
          devices: [],
        },
      }],
    });
    sandbox.unsubscribe("p1");
    expect(await (await read(["p1"])).json()).toMatchObject({
      customers: [{ customer: { unsubscribed: true } }],
    });
  });

  test("has a key of its own", async () => {
    sandbox.createPerson("p1", { email: "a@clinic.test", phone: "" });
    for (const authorization of ["", `Basic ${btoa(`${siteId}:${apiKey}`)}`, `Bearer ${apiKey}`]) {
      expect((await read(["p1"], authorization)).status).toBe(401);
    }
    expect((await call("PUT", "/api/v1/customers/p1", {}, `Bearer ${appApiKey}`)).status).toBe(401);
  });

  test("takes 1 to 100 ids", async () => {
    const ids = Array.from({ length: 101 }, (_, i) => `p${i}`);
    for (const bad of [ids, [], undefined, [7]]) expect((await read(bad)).status).toBe(400);
    expect(await (await read(ids.slice(1))).json()).toEqual({ customers: [] });
  });
});

describe("events", () => {
  test("makes the person, and fills in the time", async () => {
    await post("p1", { name: "renewal_due" });
    expect(sandbox.people.has("p1")).toBe(true);
    expect(sandbox.heard("p1")).toEqual([
      { personId: "p1", name: "renewal_due", id: null, timestamp: seconds(), data: {}, started: true },
    ]);
    expect(sandbox.heard("p2")).toEqual([]);
  });

  test("the same id is ignored, also for another person; no id is never the same", async () => {
    const id = wireId();
    await post("p1", { name: "renewal_due", id });
    await post("p1", { name: "another", id });
    await post("p2", { name: "renewal_due", id });
    await post("p1", { name: "renewal_due" });
    await post("p1", { name: "renewal_due" });
    expect([sandbox.heard("p1").length, sandbox.heard("p2").length]).toEqual([3, 0]);
    expect(sandbox.receipts).toHaveLength(5);
  });

  test("older than 72 hours starts nothing", async () => {
    const at = seconds();
    now = new Date(now.getTime() + 72 * HOUR_MS);
    await post("p1", { name: "on time", timestamp: at });
    now = new Date(now.getTime() + 1000);
    await post("p1", { name: "late", timestamp: at });
    expect(sandbox.heard("p1").map(({ started }) => started)).toEqual([true, false]);
  });
});

describe("refusals", () => {
  test.each([
    ["PUT", "/api/v1/customers/p1"],
    ["DELETE", "/api/v1/customers/p1"],
    ["POST", "/api/v1/customers/p1/events"],
    ["POST", "/api/v1/customers/p1/suppress"],
    ["POST", "/api/v1/customers/p1/unsuppress"],
    ["POST", "/api/v2/batch"],
  ])("%s %s without the keys", async (method, path) => {
    for (const authorization of ["", `Basic ${btoa(`${siteId}:x`)}`, `Bearer ${apiKey}`]) {
      expect(
        (await call(method, path, method === "DELETE" ? undefined : { name: "n" }, authorization)).status,
      ).toBe(401);
    }
    expect([sandbox.people.size, sandbox.receipts.length]).toEqual([0, 0]);
  });

  test.each([
    {},
    { name: "" },
    { name: 7 },
    { name: "n", id: "not-a-ulid" },
    { name: "n", timestamp: "now" },
    [],
    "{",
  ])(
    "an event that is none: %j",
    async (body) => {
      const response = await post("p1", body);
      expect([response.status, await response.json()]).toEqual([400, {
        meta: { error: expect.any(String) },
      }]);
      expect(sandbox.receipts).toEqual([]);
    },
  );

  test("attributes that are none", async () => {
    for (const body of ["{", [], "7"]) expect((await put("p1", body)).status).toBe(400);
    expect(sandbox.people.size).toBe(0);
  });
});

test("a path it does not know answers 200 and does nothing", async () => {
  expect((await call("POST", "/api/v1/customers//events", { name: "n" })).status).toBe(200);
  expect((await call("POST", "/api/v1/customers/a/b/events", { name: "n" })).status).toBe(200);
  expect(sandbox.receipts).toEqual([]);
});

describe("batch", () => {
  const item = (action: string, id: string, more: object = {}) => ({
    type: "person",
    action,
    identifiers: { id },
    ...more,
  });

  test("does each item in turn", async () => {
    const batch = [
      item("identify", "p1", { attributes: { plan_state: "active" } }),
      item("event", "p1", { name: "renewal_due", id: wireId(), attributes: { reason: "soon" } }),
      item("identify", "p2"),
      item("delete", "p2"),
    ];
    expect((await call("POST", "/api/v2/batch", { batch })).status).toBe(200);
    expect([...sandbox.people.keys()]).toEqual(["p1"]);
    expect(sandbox.heard("p1")[0]).toMatchObject({ name: "renewal_due", data: { reason: "soon" } });
  });

  test("207 names the items that failed; the others are done", async () => {
    const batch = [item("event", "p1"), item("identify", "p1"), item("dance", "p1"), { action: "identify" }];
    const response = await call("POST", "/api/v2/batch", { batch });
    expect(response.status).toBe(207);
    const { errors } = await response.json();
    expect(errors.map((error: { batch_index: number }) => error.batch_index)).toEqual([0, 2, 3]);
    expect(sandbox.people.has("p1")).toBe(true);
  });

  test("no batch is refused", async () => {
    for (const body of [{}, { batch: [] }, "{"]) {
      expect((await call("POST", "/api/v2/batch", body)).status).toBe(400);
    }
  });
});

describe("webhooks", () => {
  beforeEach(() => put("p1", { email: "a@clinic.test", phone: "+15005550001" }));

  test("unsubscribe: a reporting event that our connector reads", async () => {
    sandbox.unsubscribe("p1");
    await sandbox.outbox.flush();
    expect(events).toEqual([{
      id: expect.stringMatching(/^[0-7][0-9A-HJKMNP-TV-Z]{25}$/),
      type: "customer.unsubscribed",
      attributes: { person_id: "p1", cio_id: sandbox.people.get("p1")?.cioId, at: now.toISOString() },
    }]);
    expect(attribute("p1", "unsubscribed")).toBe(true);
  });

  test("changeProfile: our campaign's body, with edited and unedited fields", async () => {
    sandbox.changeProfile("p1", { email: "new@clinic.test" });
    await sandbox.outbox.flush();
    expect(events).toMatchObject([{ type: "profile.changed", attributes: { person_id: "p1" } }]);
    expect(JSON.parse(bodies[0] ?? "")).toMatchObject({ email: "new@clinic.test", phone: "+15005550001" });
    expect(attribute("p1", "email")).toBe("new@clinic.test");
  });

  test("two edits within a second are two events; an edit that changes nothing is none", async () => {
    sandbox.changeProfile("p1", { email: "b@clinic.test" });
    sandbox.changeProfile("p1", { email: "c@clinic.test" });
    sandbox.changeProfile("p1", { email: "c@clinic.test" });
    await sandbox.outbox.flush();
    expect(new Set(events.map(({ id }) => id)).size).toBe(2);
    expect(events).toHaveLength(2);
  });

  test("our own update of the email sets the campaign off, too; of another attribute it does not", async () => {
    await put("p1", { plan_state: "active" });
    await put("p1", { email: "a@clinic.test" });
    expect(sandbox.outbox.waiting).toBe(0);
    await put("p1", { email: "ours@clinic.test" });
    expect(sandbox.outbox.waiting).toBe(1);
  });

  test("an event that fails holds back the later ones, for days, and is signed anew", async () => {
    status = 500;
    sandbox.unsubscribe("p1");
    sandbox.changeProfile("p1", { phone: "+15005550002" });
    await sandbox.outbox.flush();
    now = new Date(now.getTime() + 20 * 24 * HOUR_MS);
    await sandbox.outbox.flush();
    expect(bodies.map((body) => JSON.parse(body).metric)).toEqual(["unsubscribed", "unsubscribed"]);
    status = 200;
    await sandbox.outbox.flush();
    expect(events.map(({ type }) => type)).toEqual(["customer.unsubscribed", "profile.changed"]);
  });

  test("writes counts the API's writes, not people's edits, nor an update that makes no person", async () => {
    await put("p1", { plan_state: "active" });
    await put("p1", { plan_state: "paused", _timestamp: 1 });
    sandbox.changeProfile("p1", { phone: "+15005550003" });
    await put("p2", { plan_state: "active", _update: true });
    await call("POST", "/api/v2/batch", {
      batch: [{ type: "person", action: "identify", identifiers: { id: "p1" }, attributes: { a: 1 } }],
    });
    expect([sandbox.writes("p1"), sandbox.writes("p2"), attribute("p1", "plan_state")]).toEqual([
      4,
      0,
      "active",
    ]);
  });

  test("createPerson sends no webhook, and makes no person twice", () => {
    sandbox.createPerson("p2", { email: "b@clinic.test", phone: "+15005550004" });
    expect([attribute("p2", "email"), attribute("p2", "phone"), sandbox.outbox.waiting]).toEqual([
      "b@clinic.test",
      "+15005550004",
      0,
    ]);
    expect(() => sandbox.createPerson("p2", { email: "", phone: "" })).toThrow("p2");
  });

  test("mergePeople: one is gone, the other takes missing attributes, and the campaign sends them", async () => {
    await put("p2", { email: "b@clinic.test", plan_state: "paused" });
    await put("p3", {});
    sandbox.mergePeople("p2", "p1");
    expect(sandbox.people.has("p2")).toBe(false);
    expect([attribute("p1", "email"), attribute("p1", "plan_state")]).toEqual(["a@clinic.test", "paused"]);
    expect(sandbox.outbox.waiting).toBe(0);
    sandbox.mergePeople("p1", "p3");
    await sandbox.outbox.flush();
    expect(events).toMatchObject([{ type: "profile.changed", attributes: { person_id: "p3" } }]);
  });

  test("no unknown person unsubscribes, is edited or merged", () => {
    expect(() => sandbox.mergePeople("p1", "p9")).toThrow("p9");
    expect(sandbox.people.has("p1")).toBe(true);
    expect(() => sandbox.unsubscribe("p9")).toThrow("p9");
    expect(() => sandbox.changeProfile("p9", {})).toThrow("p9");
  });
});

test("every route is named for faults", async () => {
  sandbox.faults.add({ kind: "status", status: 503 });
  await put("p1", {});
  await post("p1", { name: "n" });
  await call("DELETE", "/api/v1/customers/p1");
  await call("POST", "/api/v1/customers/p1/suppress");
  await call("POST", "/api/v1/customers/p1/unsuppress");
  await call("POST", "/api/v2/batch", {});
  await call("POST", "/v1/customers/attributes", {});
  expect(Object.fromEntries(sandbox.faults.calls)).toEqual({
    "update person": 1,
    "send event": 1,
    "delete person": 1,
    "suppress person": 1,
    "unsuppress person": 1,
    "batch": 1,
    "read people": 1,
  });
  expect([sandbox.people.size, sandbox.suppressed.size, sandbox.receipts.length]).toEqual([0, 0, 0]);
});
