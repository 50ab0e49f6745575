import { type ChildProcess, fork } from "node:child_process";
import { on } from "node:events";
import { fileURLToPath } from "node:url";
import { sql } from "kysely";
import { z } from "zod";
import type { Database } from "../../src/shared/db/database.ts";
import { type Env, parseEnv } from "../../src/shared/env.ts";

const message = z.union([
  z.object({ keys: z.array(z.array(z.string())) }),
  z.object({ env: z.record(z.string(), z.string()) }),
  z.object({ calls: z.record(z.string(), z.number()) }),
]);

/** The vendors with a crowd of customers, in another process: the memory that a section shows is its own. */
export interface Crowd {
  /** Their URLs and keys. */
  env: Env;
  /** Calls answered so far, by vendor. */
  calls(): Promise<Record<string, number>>;
}

interface CrowdOptions {
  db: Database;
  /** Started with the number of customers; it makes them with `importAll` and `serveCrowd`. */
  process: "refills-process.ts" | "members-process.ts";
  customers: number;
  /** The columns of registry.customers for the first of each customer's keys, and their types. */
  columns: readonly (readonly [name: string, type: "text" | "uuid"])[];
  /** Called with the keys of some more customers. */
  onKeys?: (keys: readonly string[][]) => void;
  progress: (line: string) => void;
}

/** Works once every customer is at the vendors and in the registry. The vendors' process ends with `work`. */
export async function withCrowd<T>(
  { db, process, customers, columns, onKeys, progress }: CrowdOptions,
  work: (crowd: Crowd) => Promise<T>,
): Promise<T> {
  const child = fork(fileURLToPath(new URL(process, import.meta.url)), [String(customers)], {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  const env = await new Promise<Record<string, string>>((resolve, reject) => {
    let [inserted, count] = [Promise.resolve(), 0];
    child.once("exit", (code) => reject(new Error(`the vendors' process ended with ${code}`)));
    child.on("message", (raw) => {
      const received = message.parse(raw);
      if ("keys" in received) {
        count += received.keys.length;
        if (count % 20_000 === 0) progress(`${count} customers are there`);
        onKeys?.(received.keys);
        inserted = inserted.then(() => register(db, columns, received.keys));
      } else if ("env" in received) inserted.then(() => resolve(received.env), reject);
    });
  });
  await sql`analyze registry.customers`.execute(db);
  try {
    return await work({ env: parseEnv(env), calls: () => askCalls(child) });
  } finally {
    child.kill();
  }
}

async function register(
  db: Database,
  columns: CrowdOptions["columns"],
  keys: readonly string[][],
): Promise<void> {
  const names = sql.join(columns.map(([name]) => sql.ref(name)));
  const values = sql.join(
    columns.map(([, type], at) => sql`${keys.map((row) => row[at])}::${sql.raw(type)}[]`),
  );
  await sql`insert into registry.customers (${names}) select * from unnest(${values})`.execute(db);
}

async function askCalls(child: ChildProcess): Promise<Record<string, number>> {
  child.send("calls");
  for await (const [raw] of on(child, "message")) {
    const received = message.parse(raw);
    if ("calls" in received) return received.calls;
  }
  throw new Error("the vendors' process does not answer");
}
