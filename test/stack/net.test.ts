import type { Pool } from "pg";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { prepareCluster } from "../../scripts/stack/cluster.ts";
import { makeNet } from "../../scripts/stack/net.ts";
import { type LocalPostgres, startPostgres } from "../../scripts/stack/postgres.ts";
import { toughPool } from "../../scripts/stack/client.ts";

let server: LocalPostgres;
let pool: Pool;

beforeAll(async () => {
  server = await startPostgres();
  pool = toughPool((await prepareCluster(server)).url("postgres"));
  await pool.query("create extension pg_net with schema extensions");
});
afterAll(async () => {
  await pool.end();
  await server.stop();
});
beforeEach(async () => {
  await pool.query("truncate net.http_request_queue, net._http_response");
});

async function responses(): Promise<unknown[]> {
  return (await pool.query("select * from net._http_response order by id")).rows;
}

test("sends what is queued and keeps the answer", async () => {
  const sent: Request[] = [];
  const net = makeNet({
    pool,
    fetch: (...args) => {
      sent.push(new Request(...args));
      return Promise.resolve(Response.json({ ok: true }, { status: 202, headers: { "x-n": "1" } }));
    },
  });
  await pool.query(
    `select net.http_post('http://x.test/drain?a=1', '{"n": 1}', headers := '{"authorization": "Bearer s"}')`,
  );
  expect(await net.deliverAll()).toBe(1);
  expect(await net.deliverAll()).toBe(0);
  const [request] = sent;
  expect(request?.method).toBe("POST");
  expect(request?.url).toBe("http://x.test/drain?a=1");
  expect(request?.headers.get("authorization")).toBe("Bearer s");
  expect(request?.headers.get("content-type")).toBe("application/json");
  expect(await request?.json()).toEqual({ n: 1 });
  expect(await responses()).toMatchObject([
    {
      status_code: 202,
      content_type: "application/json",
      content: '{"ok":true}',
      timed_out: false,
      error_msg: null,
      headers: { "x-n": "1" },
    },
  ]);
});

test("keeps a failure and a timeout as such, and forgets both requests", async () => {
  const net = makeNet({
    pool,
    fetch: (input) =>
      Promise.reject(
        String(input).endsWith("/slow")
          ? new DOMException("The operation timed out", "TimeoutError")
          : new TypeError("fetch failed"),
      ),
  });
  await pool.query(
    "select net.http_get('http://x.test/down'), net.http_get('http://x.test/slow', timeout_milliseconds := 1500)",
  );
  expect(await net.deliverAll()).toBe(2);
  expect(await responses()).toMatchObject([
    { status_code: null, timed_out: false, error_msg: "fetch failed" },
    { status_code: null, timed_out: true, error_msg: "Timeout of 1500 ms reached" },
  ]);
  expect(await net.deliverAll()).toBe(0);
});

test("sends nothing before the transaction that asked for it commits", async () => {
  const net = makeNet({ pool, fetch: () => Promise.resolve(new Response()) });
  const client = await pool.connect();
  await client.query("begin");
  await client.query("select net.http_get('http://x.test/')");
  expect(await net.deliverAll()).toBe(0);
  await client.query("rollback");
  client.release();
  expect(await net.deliverAll()).toBe(0);
});

test("start sends by itself until stop", async () => {
  const net = makeNet({ pool, fetch: () => Promise.resolve(new Response("hello")) });
  net.start();
  await pool.query("select net.http_get('http://x.test/')");
  await expect.poll(responses).toHaveLength(1);
  await net.stop();
  await pool.query("select net.http_get('http://x.test/')");
  expect((await pool.query("select from net.http_request_queue")).rows).toHaveLength(1);
});
