import { createHmac } from "node:crypto";
import { sql } from "kysely";
import type { Database } from "../../src/shared/db/database.ts";
import { makeWebhooksApp } from "../../src/shared/http/webhooks-app.ts";
import { drain } from "../../src/shared/queue/drain.ts";
import type { DrainDeps } from "../../src/shared/queue/turn.ts";
import { defineOwnStep } from "../../src/shared/queue/step.ts";
import { insertTasks, type NewTask } from "../../src/shared/queue/tasks.ts";
import { makeStepTable, STEPS } from "../../src/shared/steps/table.ts";
import { parseEnv } from "../../src/shared/env.ts";
import { photonWebhook } from "../../src/shared/vendors/photon/webhook.ts";
import { drainDeps } from "../sandbox/world.ts";
import { type BenchContext, median, type Section, table } from "./section.ts";

// The cost of the protocol, as ratios to a bare floor. Both are measured in turns, so that a busy machine slows both. The
// floor does the same writes by hand: no pg-boss, no ledger, no HTTP.

const ROUNDS = 3;
const TASKS = 1500;
const WEBHOOKS = 1500;
const AT_ONCE = 8;

/** Items a second, of one round. */
interface Rates {
  floor: number;
  ours: number;
}

/** Does nothing; under the name of a step of ours, as follow-ups are made by those alone. */
const noop = defineOwnStep("renewal.advance", {
  queue: "internal",
  run: (_ctx, { renewal_id: n }) =>
    Promise.resolve({
      kind: "done",
      commit: () => Promise.resolve(n % 2 ? [{ step: "renewal.advance", data: { renewal_id: n - 1 } }] : []),
    }),
});

/** Runs `work` on `count` items, eight at once, and gives the items a second. */
async function rate(count: number, work: (n: number) => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  let next = 0;
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    for (let n = next++; n < count; n = next++) await work(n);
  }));
  return count / ((performance.now() - startedAt) / 1000);
}

/** One task by hand: taken, done, its follow-up inserted; one transaction. */
async function bareTask(db: Database): Promise<void> {
  await db.transaction().execute(async (trx) => {
    const { rows } = await sql<{ id: number; n: number }>`
      select id, (data ->> 'n')::int as n from bench.tasks where status = 'PENDING' order by id limit 1 for update skip locked
    `.execute(trx);
    const [task] = rows;
    if (!task) return;
    await sql`update bench.tasks set status = 'DONE' where id = ${task.id}`.execute(trx);
    if (task.n % 2) {
      await sql`insert into bench.tasks (data) values (${JSON.stringify({ n: task.n - 1 })})`.execute(trx);
    }
  });
}

async function benchTasks(db: Database, deps: DrainDeps): Promise<Rates> {
  await sql`truncate bench.tasks`.execute(db);
  await sql`insert into bench.tasks (data) select jsonb_build_object('n', n) from generate_series(1, ${TASKS}) as n`
    .execute(db);
  const floor = await rate(TASKS * 1.5, () => bareTask(db));
  const tasks = Array.from({ length: TASKS }, (_, n): NewTask => ({
    step: "renewal.advance",
    key: crypto.randomUUID(),
    vendor: "internal",
    data: { renewal_id: n + 1 },
  }));
  for (let i = 0; i < TASKS; i += 500) await insertTasks(db, tasks.slice(i, i + 500));
  const startedAt = performance.now();
  const { settled } = await drain(deps);
  return { floor, ours: settled / ((performance.now() - startedAt) / 1000) };
}

async function benchWebhooks(db: Database, deps: DrainDeps): Promise<Rates> {
  const secret = "bench";
  const app = makeWebhooksApp({
    db,
    steps: makeStepTable(STEPS),
    log: () => {},
    clock: () => Promise.resolve(deps.clock()),
    connector: () => photonWebhook,
    secrets: () => [secret],
  });
  const bodyOf = (n: number) =>
    JSON.stringify({
      id: `${crypto.randomUUID()}-${n}`,
      type: "photon:order:created",
      time: "2026-11-22T00:00:00Z",
      data: { id: `ord_${n}` },
    });
  const floor = await rate(
    WEBHOOKS,
    (n) =>
      sql`insert into bench.tasks (data, key) values (${
        bodyOf(n)
      }, ${crypto.randomUUID()}) on conflict do nothing`.execute(db),
  );
  const ours = await rate(WEBHOOKS, async (n) => {
    const body = bodyOf(n);
    const signature = createHmac("sha256", secret).update(body).digest("hex");
    const response = await app.request("/webhooks/photon", {
      method: "POST",
      body,
      headers: { "x-photon-signature": signature },
    });
    if (response.status !== 200) throw new Error(`webhook answered ${response.status}`);
  });
  await sql`update clockwork.tasks set status = 'CANCELLED' where status = 'PENDING'`.execute(db);
  return { floor, ours };
}

async function runQueue({ db, progress }: BenchContext): Promise<string> {
  await sql`create schema if not exists bench`.execute(db);
  await sql`create table bench.tasks (id bigint generated always as identity primary key, status text not null default 'PENDING',
    data jsonb not null, key text unique)`.execute(db);
  await sql`create index on bench.tasks (id) where status = 'PENDING'`.execute(db);
  const deps: DrainDeps = {
    ...drainDeps({ db, env: parseEnv({}), steps: [noop] }),
    budget: { milliseconds: 120_000, tasks: 1_000_000 },
  };
  const tasks: Rates[] = [];
  const webhooks: Rates[] = [];
  for (let round = 1; round <= ROUNDS; round++) {
    progress(`queue: round ${round} of ${ROUNDS}`);
    tasks.push(await benchTasks(db, deps));
    webhooks.push(await benchWebhooks(db, deps));
  }
  const row = (name: string, rounds: readonly Rates[]) => [
    name,
    median(rounds.map(({ floor }) => floor)).toFixed(0),
    median(rounds.map(({ ours }) => ours)).toFixed(0),
    median(rounds.map(({ floor, ours }) => ours / floor)).toFixed(2),
  ];
  return table([
    ["what", "floor/s", "ours/s", "ours : floor (median of the rounds)"],
    row("tasks through the drain", tasks),
    row("webhooks recorded", webhooks),
  ]);
}

export const queue: Section = { name: "queue", run: runQueue };
