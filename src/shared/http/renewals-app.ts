import { Hono } from "hono";
import { z } from "zod";
import type { Database } from "../db/database.ts";
import type { Log } from "../queue/deps.ts";
import { UNDER_WAY } from "../queue/find.ts";
import { openTasks } from "../queue/open.ts";
import { insertTasks } from "../queue/tasks.ts";
import { needsCronSecret } from "./cron-secret.ts";

interface RenewalsAppDeps {
  /** As for the drain: undefined or empty lets nobody in. */
  cronSecret: string | undefined;
  log: Log;
  db: Database;
}

const body = z.strictObject({ customer_id: z.int().positive().optional() });

/**
 * `POST /renewals` with `Authorization: Bearer <cron secret>`: asks the drain for a look at every active refill now, or
 * with `{"customer_id": 12}` at that customer's alone. Answers 202 with the id of the task; while a look at all refills
 * is under way, the id is that one's. 400 for any other body, 404 for an unknown customer.
 */
export function makeRenewalsApp({ cronSecret, log, db }: RenewalsAppDeps): Hono {
  const app = new Hono();
  app.post("/renewals", needsCronSecret(cronSecret, log), async (c) => {
    const isEmpty = (await c.req.text()).trim() === "";
    const parsed = body.safeParse(isEmpty ? {} : await c.req.json().catch(() => undefined));
    if (!parsed.success) return c.json({ error: 'the body is {} or {"customer_id": <number>}' }, 400);
    const { customer_id: customerId } = parsed.data;
    const taskId = customerId === undefined ? await findAll(db) : await checkOne(db, customerId);
    if (taskId === undefined) return c.json({ error: `there is no customer ${customerId}` }, 404);
    return c.json({ task_id: taskId }, 202);
  });
  app.notFound((c) => c.json({ error: "no such endpoint" }, 404));
  app.onError((error, c) => {
    log("renewals_failed", { error: error.name });
    return c.json({ error: "try again" }, 503);
  });
  return app;
}

async function findAll(db: Database): Promise<number | undefined> {
  const [running] = await openTasks(db, { step: "renewal.find", status: UNDER_WAY });
  if (running) return running.id;
  const [id] = await insertTasks(db, [
    { step: "renewal.find", key: `on demand:${crypto.randomUUID()}`, vendor: "stripe", data: {} },
  ]);
  return id;
}

async function checkOne(db: Database, customerId: number): Promise<number | undefined> {
  const customer = await db.selectFrom("registry.customers").select("id").where("id", "=", customerId)
    .executeTakeFirst();
  if (!customer) return undefined;
  const [id] = await insertTasks(db, [{
    step: "renewal.check",
    key: `on demand:${crypto.randomUUID()}`,
    vendor: "health",
    data: { customer_id: customerId },
    customerId,
  }]);
  return id;
}
