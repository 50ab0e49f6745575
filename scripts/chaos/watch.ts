import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import type { Queue } from "../../src/shared/queue/reasons.ts";
import type { Stack } from "../stack/stack.ts";

/** One kind of fault: how often, and how long until work went on, in seconds of Clockwork's time. */
export interface Recovery {
  fault: string;
  injected: number;
  /** After how many of them work was seen to go on. */
  recovered: number;
  median: number | null;
  worst: number | null;
}

/** Watches tasks being settled, over a connection of its own that survives whatever happens. */
export interface Watch {
  /**
   * A fault has just ended. Recovered: each of `queues` has settled a task since, or `vendor` has answered a call;
   * without either: any queue has.
   */
  ended(fault: string, awaited?: { queues?: readonly Queue[]; vendor?: StormedVendor }): void;
  /** Faults after which nothing was settled yet. */
  open(): readonly string[];
  /** Tasks settled so far. */
  settled(): number;
  table(): Recovery[];
  stop(): Promise<void>;
}

/** The vendors that storms hit. */
type StormedVendor = "stripe" | "health" | "pharmacy" | "crm";

interface OpenFault {
  fault: string;
  at: number;
  /** Empty: any queue will do. */
  awaited: Set<string>;
  vendor: { name: StormedVendor; answered: number } | null;
  /** Settled before it is no sign of recovery. */
  after: number;
}

const LOOK_EVERY_MS = 100;

export function watchTasks(stack: Stack): Watch {
  const counts = new Map<string, number>();
  const times = new Map<string, number[]>();
  const open: OpenFault[] = [];
  let settled = 0;
  let seen = 0;
  let client: pg.Client | undefined;
  let stopped = false;

  const look = async (): Promise<void> => {
    client ??= await connectAsSuperuser(stack);
    const looksAt = performance.now();
    const { rows } = await client.query<{ id: string; vendor: string; ended: boolean }>(
      `select task_history.id, tasks.vendor, task_history.from_status = 'QUEUED' and task_history.to_status
         in ('DONE', 'CANCELLED', 'MANUAL_INTERVENTION', 'PARKED', 'PENDING')
         and task_history.actor = 'clockwork:drain' as ended
       from clockwork.task_history join clockwork.tasks on tasks.id = task_history.task_id
       where task_history.id > $1 order by task_history.id`,
      [seen],
    );
    const now = stack.clock.now().getTime();
    for (const row of rows) {
      seen = Number(row.id);
      if (!row.ended) continue;
      settled += 1;
      for (const one of [...open]) {
        if (one.vendor || one.after > looksAt) continue;
        one.awaited.delete(row.vendor);
        if (one.awaited.size === 0) close(one, now);
      }
    }
  };
  const close = (one: OpenFault, now: number): void => {
    const list = times.get(one.fault) ?? [];
    times.set(one.fault, [...list, (now - one.at) / 1000]);
    open.splice(open.indexOf(one), 1);
  };
  const lookAtVendors = (): void => {
    for (const one of [...open]) {
      if (one.vendor && stack.vendors[one.vendor.name].faults.answered > one.vendor.answered) {
        close(one, stack.clock.now().getTime());
      }
    }
  };
  const loop = (async () => {
    while (!stopped) {
      lookAtVendors();
      await look().catch(async () => {
        await client?.end().catch(() => {});
        client = undefined;
      });
      await sleep(LOOK_EVERY_MS);
    }
    await client?.end().catch(() => {});
  })();

  return {
    ended(fault, { queues = [], vendor } = {}) {
      counts.set(fault, (counts.get(fault) ?? 0) + 1);
      open.push({
        fault,
        at: stack.clock.now().getTime(),
        awaited: new Set(queues),
        vendor: vendor ? { name: vendor, answered: stack.vendors[vendor].faults.answered } : null,
        after: performance.now() + LOOK_EVERY_MS,
      });
    },
    open: () => open.map(({ fault }) => fault),
    settled: () => settled,
    table: () =>
      [...counts].sort().map(([fault, injected]) => {
        const list = (times.get(fault) ?? []).sort((a, b) => a - b);
        const at = (index: number) => list[index] ?? null;
        return {
          fault,
          injected,
          recovered: list.length,
          median: at(Math.floor((list.length - 1) / 2)),
          worst: at(list.length - 1),
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

/** Does it as a superuser, again and again until the database lets it. */
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
