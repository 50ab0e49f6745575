import { type ChildProcess, fork } from "node:child_process";
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
  /** Where they are reached, with what keys. */
  env: Env;
  /** Calls answered so far, by vendor. */
  calls(): Promise<Record<string, number>>;
  stop(): void;
}

export interface CrowdOptions {
  db: Database;
  /** Started with the number of customers; it makes them with `importAll` and `serveCrowd`. */
  process: "refills-process.ts" | "members-process.ts";
  customers: number;
  /** The columns of registry.customers that the first of each customer's keys go into, and their types. */
  columns: readonly (readonly [name: string, type: "text" | "uuid"])[];
  /** Told of the keys of some more customers. */
  onKeys?: (keys: readonly string[][]) => void;
  progress: (line: string) => void;
}

/** Resolves when every customer is at the vendors and in the registry. */
export async function startCrowd(
  { db, process, customers, columns, onKeys, progress }: CrowdOptions,
): Promise<Crowd> {
  const child = fork(fileURLToPath(new URL(process, import.meta.url)), [String(customers)], {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  const env = await new Promise<Record<string, string>>((resolve, reject) => {
    let [inserted, count] = [Promise.resolve(), 0];
    child.once("exit", (code) => reject(new Error(`the vendors' process ended with ${code}`)));
    child.on("message", (raw) => {
      const told = message.parse(raw);
      if ("keys" in told) {
        count += told.keys.length;
        if (count % 20_000 === 0) progress(`${count} customers are there`);
        onKeys?.(told.keys);
        inserted = inserted.then(() => register(db, columns, told.keys));
      } else if ("env" in told) inserted.then(() => resolve(told.env), reject);
    });
  });
  await sql`analyze registry.customers`.execute(db);
  return { env: parseEnv(env), calls: () => askCalls(child), stop: () => void child.kill() };
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
  return await new Promise((resolve) => {
    const listen = (raw: unknown) => {
      const told = message.parse(raw);
      if (!("calls" in told)) return;
      child.off("message", listen);
      resolve(told.calls);
    };
    child.on("message", listen);
    child.send("calls");
  });
}
