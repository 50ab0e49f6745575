import { Hono } from "hono";
import type { HttpBindings } from "@hono/node-server";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Fault, Faults, withFaults } from "../../scripts/sandbox/faults.ts";
import { seeded } from "../../scripts/sandbox/random.ts";
import { serveSandbox } from "../../scripts/sandbox/server.ts";

let faults: Faults;
let done: string[];
let sandbox: Awaited<ReturnType<typeof serveSandbox>>;

beforeEach(async () => {
  faults = new Faults(seeded(1));
  done = [];
  const app = new Hono<{ Bindings: HttpBindings }>();
  app.post("/orders/:id", withFaults(faults, "create order"), async (c) => {
    const body = await c.req.json();
    done.push(`${c.req.param("id")}:${body.note}`);
    c.header("x-made", "yes");
    return c.json({ id: c.req.param("id") }, 201);
  });
  app.post("/raw", withFaults(faults, "raw"), async (c) => {
    done.push(new TextDecoder().decode(await c.req.arrayBuffer()));
    return c.text("ok");
  });
  app.get("/orders", withFaults(faults, "list orders"), (c) => c.json({ orders: done }));
  app.post("/broken", withFaults(faults, "broken"), () => {
    throw new Error("a handler that fails");
  });
  app.post(
    "/graphql",
    withFaults(faults, async (c) => {
      const { operation } = await c.req.json();
      return String(operation);
    }),
    async (c) => {
      const { operation } = await c.req.json();
      done.push(operation);
      return c.json({ ok: true });
    },
  );
  app.onError((_, c) => c.json({ error: {} }, 500));
  sandbox = await serveSandbox(app);
});
afterEach(() => sandbox.close());

function post(path: string, body: unknown): Promise<Response> {
  return fetch(`${sandbox.url}${path}`, { method: "POST", body: JSON.stringify(body) });
}
const create = (id = "1") => post(`/orders/${id}`, { note: "n" });
const add = (fault: Fault) => faults.add(fault);

test("without a fault the answer passes through whole", async () => {
  const response = await create();
  expect([response.status, response.headers.get("x-made"), await response.json()]).toEqual([
    201,
    "yes",
    { id: "1" },
  ]);
  expect(done).toEqual(["1:n"]);
  expect(faults.calls.get("create order")).toBe(1);
});

describe("lose_answer", () => {
  test("breaks the connection after the handler ran", async () => {
    add({ kind: "lose_answer", times: 1 });
    await expect(create()).rejects.toThrow(TypeError);
    expect(done).toEqual(["1:n"]);
    expect((await create("2")).status).toBe(201);
  });

  test("breaks a connection that was already in use", async () => {
    await (await create()).text();
    add({ kind: "lose_answer", times: 1 });
    await expect(create("2")).rejects.toThrow(TypeError);
    expect(done).toEqual(["1:n", "2:n"]);
  });

  test("breaks the connection when the handler failed, too", async () => {
    add({ kind: "lose_answer" });
    await expect(post("/broken", {})).rejects.toThrow(TypeError);
  });
});

test("lose_request breaks the connection and does nothing", async () => {
  add({ kind: "lose_request", times: 1 });
  await expect(create()).rejects.toThrow(TypeError);
  await faults.commitLate();
  expect(done).toEqual([]);
});

describe("late_commit", () => {
  test("runs the handler, with its body and its path, only on commitLate", async () => {
    add({ kind: "late_commit", times: 2 });
    await expect(create("1")).rejects.toThrow(TypeError);
    await expect(create("2")).rejects.toThrow(TypeError);
    const listed = await (await fetch(`${sandbox.url}/orders`)).json();
    expect(listed).toEqual({ orders: [] });
    await faults.commitLate();
    expect(done).toEqual(["1:n", "2:n"]);
    await faults.commitLate();
    expect(done).toHaveLength(2);
  });

  test("keeps a body of many packets", async () => {
    add({ kind: "late_commit", times: 1 });
    const long = "x".repeat(1_000_000);
    await expect(fetch(`${sandbox.url}/raw`, { method: "POST", body: long })).rejects.toThrow(TypeError);
    expect(done).toEqual([]);
    await faults.commitLate();
    expect(done[0]?.length).toBe(long.length);
  });

  test("works where the operation's name was read from the body", async () => {
    add({ kind: "late_commit", operation: "createOrder", times: 1 });
    await expect(post("/graphql", { operation: "createOrder" })).rejects.toThrow(TypeError);
    expect(done).toEqual([]);
    await faults.commitLate();
    expect(done).toEqual(["createOrder"]);
  });
});

describe("status", () => {
  test("answers it and does nothing", async () => {
    add({ kind: "status", status: 429, retryAfterSeconds: 7, times: 1 });
    const response = await create();
    expect([response.status, response.headers.get("retry-after")]).toEqual([429, "7"]);
    expect(done).toEqual([]);
  });

  test("is 500 by default, without a retry-after", async () => {
    add({ kind: "status" });
    const response = await create();
    expect([response.status, response.headers.has("retry-after")]).toEqual([500, false]);
  });
});

describe("which calls a fault hits", () => {
  const statuses = async (count: number) => {
    const got: number[] = [];
    for (let i = 0; i < count; i++) got.push((await create(String(i))).status);
    return got;
  };

  test("only its operation", async () => {
    add({ kind: "status", operation: "create order" });
    expect((await fetch(`${sandbox.url}/orders`)).status).toBe(200);
    expect((await create()).status).toBe(500);
  });

  test("only the operation that the body names", async () => {
    add({ kind: "status", operation: "cancelOrder" });
    expect((await post("/graphql", { operation: "createOrder" })).status).toBe(200);
    expect((await post("/graphql", { operation: "cancelOrder" })).status).toBe(500);
    expect(faults.calls.get("cancelOrder")).toBe(1);
  });

  test("only so many times, and the next fault after it", async () => {
    add({ kind: "status", status: 503, times: 2 });
    add({ kind: "status", status: 500, times: 1 });
    expect(await statuses(4)).toEqual([503, 503, 500, 201]);
    expect(faults.calls.get("create order")).toBe(4);
  });

  test("only a share, and a miss does not use up a time", async () => {
    add({ kind: "status", share: 0, times: 1 });
    expect(await statuses(3)).toEqual([201, 201, 201]);
    faults.clear();
    add({ kind: "status", share: 0.5 });
    const failed = (await statuses(40)).filter((status) => status === 500).length;
    expect(failed).toBeGreaterThan(8);
    expect(failed).toBeLessThan(32);
  });

  test("none once cleared", async () => {
    add({ kind: "status" });
    faults.clear();
    expect(await statuses(1)).toEqual([201]);
  });

  test("adding a fault leaves the caller's object alone", async () => {
    const fault: Fault = { kind: "status", times: 1 };
    add(fault);
    await create();
    expect(fault.times).toBe(1);
  });
});

test("a port that is taken is said, not thrown about", async () => {
  const port = Number(new URL(sandbox.url).port);
  await expect(serveSandbox(new Hono<{ Bindings: HttpBindings }>(), port)).rejects.toThrow("EADDRINUSE");
});

test("a limit of its own: one second's worth of calls, then 429 with Retry-After, until it is lifted", async () => {
  faults.limitRate(2);
  const answers = [await create("1"), await create("2"), await create("3")];
  expect(answers.map(({ status }) => status)).toEqual([201, 201, 429]);
  expect(answers[2]?.headers.get("retry-after")).toBe("1");
  expect(done).toEqual(["1:n", "2:n"]);
  expect(faults).toMatchObject({ overRate: 1, answered: 2 });
  faults.limitRate(null);
  expect((await create("4")).status).toBe(201);
});

test("silence: nothing is done and nothing said, then the connection breaks", async () => {
  add({ kind: "silence", seconds: 0.01, times: 1 });
  await expect(create("1")).rejects.toThrow();
  expect(done).toEqual([]);
  expect(faults.met.get("silence")).toBe(1);
  expect((await create("2")).status).toBe(201);
  expect(faults.answered).toBe(1);
});
