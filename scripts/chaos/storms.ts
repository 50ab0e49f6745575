import { setTimeout as sleep } from "node:timers/promises";
import type { Queue } from "../../src/shared/queue/reasons.ts";
import type { Fault } from "../sandbox/faults.ts";
import type { Stack } from "../stack/stack.ts";
import { type Vendor, VENDORS } from "./stage.ts";
import { asSuperuser, type Watch } from "./watch.ts";

/** A fault that begins, lasts, and ends. */
export interface Storm {
  name: string;
  /** Reports its end to the watch, and resolves. */
  blow(): Promise<void>;
}

/** Storms over the machinery. */
export function machineryStorms(stack: Stack, watch: Watch): Storm[] {
  const { server } = stack;
  /** Recovered: each queue that was running tasks when it struck goes on. */
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

/** SIGKILL; its keeper starts it again. Recovered: each queue that the drain was running goes on. */
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

/** The vendors' faults, each for a moment. */
export function vendorStorms(stack: Stack, watch: Watch, random: () => number): Storm[] {
  const faultsOf = (name: Vendor): Fault[] => [
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
      const name = `${vendor} ${
        fault.kind === "status" ? `replies ${fault.status ?? 500}` : WORDS[fault.kind]
      }`;
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
  lose_answer: "does it and loses the reply",
  lose_request: "loses the request",
  late_commit: "does it after our look",
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
  const faults = { doubled: isDisturbed ? 0.2 : 0, shuffled: isDisturbed, silent: false };
  for (const vendor of VENDORS) Object.assign(stack.vendors[vendor].outbox.faults, faults);
}

/** Ends all faults of the vendors. Their late commits are done. */
export async function calmVendors(stack: Stack): Promise<void> {
  for (const vendor of VENDORS) {
    const { faults } = stack.vendors[vendor];
    faults.clear();
    faults.limitRate(null);
    await faults.commitLate();
  }
}
