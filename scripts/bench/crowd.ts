import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { sql } from "kysely";
import { z } from "zod";
import type { Database } from "../../src/shared/db/database.ts";
import { PRODUCTS } from "../sandbox/clinic.ts";

const CHILD = fileURLToPath(new URL("vendors-process.ts", import.meta.url));

const message = z.union([
  z.object({ keys: z.array(z.tuple([z.string(), z.string(), z.string()])) }),
  z.object({ env: z.record(z.string(), z.string()) }),
  z.object({ calls: z.record(z.string(), z.number()) }),
]);

/** The vendors with a crowd of customers, in another process; each customer is in the registry too. */
export interface Crowd {
  /** Where they are reached, with what keys. */
  env: Record<string, string>;
  /** Subscriptions, in the order in which they began. */
  subscriptionIds: string[];
  /** By Stripe customer. */
  patients: ReadonlyMap<string, string>;
  /** Calls answered so far, by vendor. */
  calls(): Promise<Record<string, number>>;
  stop(): void;
}

export async function startCrowd(
  db: Database,
  customers: number,
  progress: (line: string) => void,
): Promise<Crowd> {
  await openShop(db);
  const child = fork(CHILD, [String(customers)], { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  const subscriptionIds: string[] = [];
  const patients = new Map<string, string>();
  const env = await new Promise<Record<string, string>>((resolve, reject) => {
    let inserted = Promise.resolve();
    child.once("exit", (code) => reject(new Error(`the vendors' process ended with ${code}`)));
    child.on("message", (raw) => {
      const told = message.parse(raw);
      if ("keys" in told) {
        for (const [stripe, patient, subscription] of told.keys) {
          subscriptionIds.push(subscription);
          patients.set(stripe, patient);
        }
        if (subscriptionIds.length % 20_000 === 0) progress(`${subscriptionIds.length} customers are there`);
        inserted = inserted.then(() => register(db, told.keys));
      } else if ("env" in told) inserted.then(() => resolve(told.env), reject);
    });
  });
  await sql`analyze registry.customers`.execute(db);
  return { env, subscriptionIds, patients, calls: () => askCalls(child), stop: () => void child.kill() };
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

async function openShop(db: Database): Promise<void> {
  const { name, rxnorm } = PRODUCTS[0];
  const { id } = await db.insertInto("registry.products").values({ name }).returning("id")
    .executeTakeFirstOrThrow();
  await db.insertInto("registry.product_keys").values([
    { system: "rxnorm", key: rxnorm, product_id: id },
    { system: "stripe_price", key: "price_morning_month", product_id: id, fills_per_charge: 1 },
  ]).execute();
}

async function register(db: Database, keys: readonly (readonly [string, string, string])[]): Promise<void> {
  await sql`
    insert into registry.customers (stripe_customer_id, health_patient_id)
    select * from unnest(${keys.map(([stripe]) => stripe)}::text[], ${
    keys.map(([, patient]) => patient)
  }::text[])
  `.execute(db);
}
