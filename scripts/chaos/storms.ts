import { setTimeout as sleep } from "node:timers/promises";
import type { Queue } from "../../src/shared/queue/reasons.ts";
import type { Fault } from "../sandbox/faults.ts";
import type { Stack } from "../stack/stack.ts";
import { asSuperuser, type Watch } from "./watch.ts";

const VENDORS = ["stripe", "health", "pharmacy", "crm"] as const;
type VendorName = (typeof VENDORS)[number];

/** A fault that begins, lasts, and ends. */
export interface Storm {
  name: string;
  /** Resolves when it is over; says so to the watch. */
  blow(): Promise<void>;
}

/** What can happen to the machinery. */
export function machineryStorms(stack: Stack, watch: Watch): Storm[] {
  const { server } = stack;
  /** Recovered: each queue that had work in hand when it struck goes on. */
  const striking = (name: string, strike: () => Promise<unknown>): Storm => ({
    name,
    async blow() {
      const queues = await busyQueues(stack);
      await strike();
      watch.ended(name, { queues });
    },
  });
  return [
    striking("database restarted", () => server.restart()),
    striking("database killed (-9)", async () => {
      await server.kill9();
      await server.restart();
    }),
    striking("backends killed", () => asSuperuser(stack, (client) => client.query(TERMINATE_ALL))),
    striking("connections run out", async () => {
      await asSuperuser(stack, async (client) => {
        await client.query("alter role postgres connection limit 0");
        await client.query(TERMINATE_ALL);
      });
      await sleep(1500);
      await asSuperuser(stack, (client) => client.query("alter role postgres connection limit -1"));
    }),
    { name: "drain function killed", blow: () => killFunction(stack, watch, "drain") },
    { name: "webhooks function killed", blow: () => killFunction(stack, watch, "webhooks") },
  ];
}

const TERMINATE_ALL = `select pg_terminate_backend(pid) from pg_stat_activity
  where usename = 'postgres' and pid <> pg_backend_pid()`;

/** SIGKILL; its keeper starts it again. Recovered: each queue that the drain held in its hands goes on. */
export async function killFunction(stack: Stack, watch: Watch, name: "drain" | "webhooks"): Promise<void> {
  const pid = stack.functionPid(name);
  if (pid === undefined) return;
  const queues = name === "drain" ? await busyQueues(stack) : [];
  process.kill(pid, "SIGKILL");
  while (stack.functionPid(name) === pid) await sleep(10);
  watch.ended(`${name} function killed`, { queues });
}

async function busyQueues(stack: Stack): Promise<Queue[]> {
  const names = await asSuperuser(stack, async (client) => {
    const { rows } = await client.query<{ vendor: string }>(
      `select vendor from clockwork.vendors where leased_by is not null and leased_until > clockwork.now()
         and (paused_until is null or paused_until < clockwork.now())
         and exists (select from clockwork.tasks where tasks.vendor = vendors.vendor and tasks.status = 'QUEUED')`,
    );
    return rows.map(({ vendor }) => vendor);
  });
  return ([...VENDORS, "internal"] as const).filter((queue) => names.includes(queue));
}

/** What a vendor can do to us, each for a moment. */
export function vendorStorms(stack: Stack, watch: Watch, random: () => number): Storm[] {
  const faultsOf = (name: VendorName): Fault[] => [
    { kind: "lose_answer", share: 0.3 },
    { kind: "lose_request", share: 0.3 },
    { kind: "status", status: 500, share: 0.5 },
    { kind: "status", status: 429, retryAfterSeconds: 2, share: 0.2 },
    { kind: "status", status: 503 },
    { kind: "silence", seconds: 20, share: 0.5 },
    ...(name === "pharmacy"
      ? [
        { kind: "late_commit", operation: "create order", times: 3 } as const,
        { kind: "lose_answer", operation: "create order" } as const,
        { kind: "lose_answer", operation: "cancel order" } as const,
      ]
      : []),
  ];
  return VENDORS.flatMap((vendor) =>
    faultsOf(vendor).map((fault) => {
      const kind = fault.kind === "status" ? `answers ${fault.status ?? 500}` : WORDS[fault.kind];
      const name = `${vendor} ${kind}`;
      return {
        name,
        async blow() {
          const { faults } = stack.vendors[vendor];
          const before = faults.met.get(fault.kind) ?? 0;
          faults.add(fault);
          await sleep(500 + random() * 1500);
          // There is no late commit before an order is made.
          for (let left = fault.kind === "late_commit" ? 50 : 0; left > 0; left--) {
            if ((faults.met.get(fault.kind) ?? 0) > before) break;
            await sleep(100);
          }
          faults.clear();
          watch.ended(name, { vendor });
        },
      };
    })
  );
}

const WORDS = {
  lose_answer: "does it and loses the answer",
  lose_request: "loses the request",
  late_commit: "does it after we looked",
  silence: "goes silent",
} as const;

/** A vendor's webhooks stay away for a while. */
export function silentMail(stack: Stack, watch: Watch, random: () => number): Storm {
  return {
    name: "webhooks stay away",
    async blow() {
      const vendor = VENDORS[Math.floor(random() * VENDORS.length)] ?? "stripe";
      const { outbox } = stack.vendors[vendor];
      outbox.faults.silent = true;
      await sleep(1500);
      outbox.faults.silent = false;
      watch.ended("webhooks stay away");
    },
  };
}

/** All webhooks doubled by share and shuffled, or as they should be. */
export function disturbMail(stack: Stack, isDisturbed: boolean): void {
  for (const vendor of VENDORS) {
    Object.assign(stack.vendors[vendor].outbox.faults, {
      doubled: isDisturbed ? 0.2 : 0,
      shuffled: isDisturbed,
      silent: false,
    });
  }
}

/** No vendor makes any more trouble; what they kept back is done. */
export async function calmVendors(stack: Stack): Promise<void> {
  for (const vendor of VENDORS) {
    stack.vendors[vendor].faults.clear();
    stack.vendors[vendor].faults.limitRate(null);
    await stack.vendors[vendor].faults.commitLate();
  }
}
