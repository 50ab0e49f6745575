import { Hono } from "hono";
import type { HttpBindings } from "@hono/node-server";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Outbox, type OutboxMessage, type OutboxRules } from "../../scripts/sandbox/outbox.ts";
import { seeded } from "../../scripts/sandbox/random.ts";
import { serveSandbox } from "../../scripts/sandbox/server.ts";

let now: Date;
let got: { id: string; signature: string }[];
/** The endpoint's answers by message id. Default: 200. */
let answers: Record<string, number>;
let onDelivery: (id: string) => void;
let endpoint: Awaited<ReturnType<typeof serveSandbox>>;

beforeEach(async () => {
  now = new Date("2026-03-01T10:00:00Z");
  got = [];
  answers = {};
  onDelivery = () => {};
  const app = new Hono<{ Bindings: HttpBindings }>();
  app.post("/hook", async (c) => {
    const id = await c.req.text();
    got.push({ id, signature: c.req.header("x-signature") ?? "" });
    onDelivery(id);
    if (answers[id] === 0) c.env.incoming.socket.destroy();
    return c.text("noted", answers[id] === 400 ? 400 : answers[id] === 500 ? 500 : 200);
  });
  endpoint = await serveSandbox(app);
});
afterEach(() => endpoint.close());

function makeOutbox(rules: Partial<OutboxRules> = {}, random = seeded(3), url = `${endpoint.url}/hook`) {
  return new Outbox({ url, fetch, now: () => now, random }, {
    headOfLine: false,
    givesUpOn: () => false,
    ...rules,
  });
}
function message(id: string): OutboxMessage {
  return {
    id,
    sign: (at) => Promise.resolve({ body: id, headers: { "x-signature": at.toISOString() } }),
  };
}
const ids = () => got.map(({ id }) => id);

test("a message is delivered once and counts as taken only after a 2xx", async () => {
  const outbox = makeOutbox();
  outbox.push(message("a"));
  expect([outbox.waiting, outbox.acknowledged.has("a"), ids()]).toEqual([1, false, []]);
  expect(await outbox.flush()).toEqual([{ id: "a", status: 200, body: "noted" }]);
  expect([outbox.waiting, outbox.acknowledged.has("a")]).toEqual([0, true]);
  expect(await outbox.flush()).toEqual([]);
  expect(ids()).toEqual(["a"]);
});

test("every try is signed anew", async () => {
  const outbox = makeOutbox();
  answers["a"] = 500;
  outbox.push(message("a"));
  await outbox.flush();
  expect(outbox.acknowledged.size).toBe(0);
  now = new Date("2026-03-01T11:00:00Z");
  answers = {};
  await outbox.flush();
  expect(got.map(({ signature }) => signature)).toEqual([
    "2026-03-01T10:00:00.000Z",
    "2026-03-01T11:00:00.000Z",
  ]);
  expect(outbox.acknowledged.has("a")).toBe(true);
});

test("a broken connection keeps the message", async () => {
  const outbox = makeOutbox({ givesUpOn: () => true });
  answers["a"] = 0;
  outbox.push(message("a"));
  expect(await outbox.flush()).toEqual([{ id: "a", status: null, body: "" }]);
  expect([outbox.waiting, outbox.givenUp.size]).toEqual([1, 0]);
});

test("an endpoint that is down keeps the message", async () => {
  await endpoint.close();
  const outbox = makeOutbox();
  outbox.push(message("a"));
  expect(await outbox.flush()).toEqual([{ id: "a", status: null, body: "" }]);
  expect(outbox.waiting).toBe(1);
});

test("gives up on the answers its rule names, and only on those", async () => {
  const outbox = makeOutbox({ givesUpOn: (status) => status === 400 });
  answers = { a: 400, b: 500 };
  outbox.push(message("a"));
  outbox.push(message("b"));
  await outbox.flush();
  expect([...outbox.givenUp]).toEqual(["a"]);
  expect(outbox.waiting).toBe(1);
  await outbox.flush();
  expect(ids().filter((id) => id === "a")).toHaveLength(1);
});

describe("faults", () => {
  test("doubled sends a message twice", async () => {
    const outbox = makeOutbox();
    outbox.faults.doubled = 1;
    outbox.push(message("a"));
    await outbox.flush();
    expect(ids()).toEqual(["a", "a"]);
  });

  test("doubled by half sends some twice", () => {
    const outbox = makeOutbox();
    outbox.faults.doubled = 0.5;
    for (let i = 0; i < 40; i++) outbox.push(message(String(i)));
    expect(outbox.waiting).toBeGreaterThan(48);
    expect(outbox.waiting).toBeLessThan(72);
  });

  test("dropped never sends, and does not count as taken", async () => {
    const outbox = makeOutbox();
    outbox.faults.dropped = 1;
    outbox.push(message("a"));
    expect(await outbox.flush()).toEqual([]);
    expect([outbox.waiting, outbox.acknowledged.size]).toEqual([0, 0]);
  });

  test("silent sends nothing, and all of it afterwards", async () => {
    const outbox = makeOutbox();
    outbox.faults.silent = true;
    outbox.push(message("a"));
    expect(await outbox.flush()).toEqual([]);
    expect([outbox.waiting, ids()]).toEqual([1, []]);
    outbox.faults.silent = false;
    await outbox.flush();
    expect(ids()).toEqual(["a"]);
  });

  test("shuffled sends in another order, each one once", async () => {
    const outbox = makeOutbox();
    outbox.faults.shuffled = true;
    const all = Array.from({ length: 12 }, (_, i) => String(i));
    for (const id of all) outbox.push(message(id));
    await outbox.flush(1);
    expect(ids()).not.toEqual(all);
    expect(ids().toSorted()).toEqual(all.toSorted());
  });

  test("without it, one at a time keeps the order", async () => {
    const outbox = makeOutbox();
    for (const id of ["a", "b", "c"]) outbox.push(message(id));
    await outbox.flush(1);
    expect(ids()).toEqual(["a", "b", "c"]);
  });
});

describe("head of line", () => {
  test("later events wait for the first one, in order", async () => {
    const outbox = makeOutbox({ headOfLine: true });
    answers["b"] = 500;
    for (const id of ["a", "b", "c", "d"]) outbox.push(message(id));
    expect((await outbox.flush()).map(({ status }) => status)).toEqual([200, 500]);
    expect(outbox.waiting).toBe(3);
    answers = {};
    await outbox.flush();
    expect(ids()).toEqual(["a", "b", "b", "c", "d"]);
  });

  test("a message from within a round does not overtake", async () => {
    const outbox = makeOutbox({ headOfLine: true });
    answers["a"] = 500;
    onDelivery = () => {
      onDelivery = () => {};
      outbox.push(message("later"));
    };
    outbox.push(message("a"));
    outbox.push(message("b"));
    await outbox.flush();
    answers = {};
    await outbox.flush();
    expect(ids()).toEqual(["a", "a", "b", "later"]);
  });

  test("without it, a failure keeps no other message back", async () => {
    const outbox = makeOutbox();
    answers["a"] = 500;
    for (const id of ["a", "b", "c"]) outbox.push(message(id));
    await outbox.flush();
    expect([...outbox.acknowledged].toSorted()).toEqual(["b", "c"]);
  });
});
