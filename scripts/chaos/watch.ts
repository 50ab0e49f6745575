import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import type { Queue } from "../../src/shared/queue/reasons.ts";
import type { Stack } from "../stack/stack.ts";
import type { Vendor } from "./stage.ts";

/** One kind of fault: its number, and the time until work went on, in seconds of Clockwork's time. */
export interface Recovery {
  fault: string;
  injected: number;
  /** The faults after which work went on. */
  recovered: number;
  median: number | null;
  worst: number | null;
}

/** Watches tasks being settled, over a connection of its own that survives all faults. */
export interface Watch {
  /**
   * A fault has just ended. Recovered: each of `queues` has settled a task since, or `vendor` has answered a call;
   * without either: any queue has.
   */
  ended(fault: string, awaited?: { queues?: readonly Queue[]; vendor?: Vendor }): void;
  /** Faults after which nothing was settled yet. */
  open(): readonly string[];
  /** Tasks settled so far. */
  settled(): number;
  table(): Recovery[];
  stop(): Promise<void>;
}

interface OpenFault {
  fault: string;
  at: number;
  /** Empty: any queue will do. */
  awaited: Set<string>;
  vendor: { name: Vendor; answered: number } | null;
  /** A task settled before it is no sign of recovery. */
  after: number;
}

const POLL_EVERY_MS = 100;

export function watchTasks(stack: Stack): Watch {
  /** The seconds to each recovery, and the number of faults, by kind of fault. */
  const kinds = new Map<string, { injected: number; seconds: number[] }>();
  const open: OpenFault[] = [];
  let settled = 0;
  let lastId = 0;
  let client: pg.Client | undefined;
  let stopped = false;

  const poll = async (): Promise<void> => {
    client ??= await connectAsSuperuser(stack);
    const polledAt = performance.now();
    const { rows } = await client.query<{ id: string; vendor: string; ended: boolean }>(
      `select task_history.id, tasks.vendor, task_history.from_status = 'QUEUED' and task_history.to_status
         in ('DONE', 'CANCELLED', 'MANUAL_INTERVENTION', 'PARKED', 'PENDING')
         and task_history.actor = 'clockwork:drain' as ended
       from clockwork.task_history join clockwork.tasks on tasks.id = task_history.task_id
       where task_history.id > $1 order by task_history.id`,
      [lastId],
    );
    for (const row of rows) {
      lastId = Number(row.id);
      if (!row.ended) continue;
      settled += 1;
      for (const one of [...open]) {
        if (one.vendor || one.after > polledAt) continue;
        one.awaited.delete(row.vendor);
        if (one.awaited.size === 0) close(one);
      }
    }
  };
  const close = (one: OpenFault): void => {
    kinds.get(one.fault)?.seconds.push((stack.clock.now().getTime() - one.at) / 1000);
    open.splice(open.indexOf(one), 1);
  };
  const loop = (async () => {
    while (!stopped) {
      for (const one of [...open]) {
        if (one.vendor && stack.vendors[one.vendor.name].faults.answered > one.vendor.answered) close(one);
      }
      await poll().catch(async () => {
        await client?.end().catch(() => {});
        client = undefined;
      });
      await sleep(POLL_EVERY_MS);
    }
    await client?.end().catch(() => {});
  })();

  return {
    ended(fault, { queues = [], vendor } = {}) {
      const { injected, seconds } = kinds.get(fault) ?? { injected: 0, seconds: [] };
      kinds.set(fault, { injected: injected + 1, seconds });
      open.push({
        fault,
        at: stack.clock.now().getTime(),
        awaited: new Set(queues),
        vendor: vendor ? { name: vendor, answered: stack.vendors[vendor].faults.answered } : null,
        after: performance.now() + POLL_EVERY_MS,
      });
    },
    open: () => open.map(({ fault }) => fault),
    settled: () => settled,
    table: () =>
      [...kinds].sort(([a], [b]) => (a < b ? -1 : 1)).map(([fault, { injected, seconds }]) => {
        const sorted = seconds.toSorted((a, b) => a - b);
        return {
          fault,
          injected,
          recovered: sorted.length,
          median: sorted[Math.floor((sorted.length - 1) / 2)] ?? null,
          worst: sorted.at(-1) ?? null,
        };
      }),
    async stop() {
      stopped = true;
      await loop;
    },
  };
}

/** A superuser may connect when nobody else can. */
export async function connectAsSuperuser(stack: Stack): Promise<pg.Client> {
  const client = new pg.Client({
    connectionString: stack.server.superuserUrl("postgres"),
    connectionTimeoutMillis: 5_000,
  });
  client.on("error", () => {});
  await client.connect();
  return client;
}

/** Works as a superuser. Tries again, a hundred times, while the database refuses. */
export async function asSuperuser<T>(stack: Stack, work: (client: pg.Client) => Promise<T>): Promise<T> {
  for (let left = 100;; left--) {
    let client: pg.Client | undefined;
    try {
      client = await connectAsSuperuser(stack);
      return await work(client);
    } catch (error) {
      if (left === 0) throw error;
      await sleep(100);
    } finally {
      await client?.end().catch(() => {});
    }
  }
}
