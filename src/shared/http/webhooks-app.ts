import { type Context, Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import type { Database } from "../db/database.ts";
import { recordWebhook } from "../ingest/record.ts";
import type { Log } from "../queue/deps.ts";
import type { StepTable } from "../queue/step.ts";
import type { WebhookConnector } from "../vendors/webhook.ts";

/** Every vendor's largest body is far below. A larger one is not read. */
export const MAX_BODY_BYTES = 1024 * 1024;

export interface WebhooksDeps {
  db: Database;
  steps: StepTable;
  /** Now, for replay windows. */
  clock: () => Promise<Date>;
  log: Log;
  /** The connector for `/webhooks/<vendor>` or `/webhooks/standard/<source>`, or undefined. */
  connector: (vendor: string, source?: string) => WebhookConnector | undefined;
  /** The live signing secrets: two while one is rolled; none when ours is not set. */
  secrets: (vendor: string, source?: string) => readonly string[];
}

/**
 * `POST /webhooks/{stripe,medplum,photon,customerio}` and `/webhooks/standard/<source>`.
 *
 * 200 recorded, repeated or parked · 400 or 200 unreadable, as the vendor needs it · 401 wrong signature ·
 * 404 no such vendor · 413 too large · 503 our own secret is missing or the database is away, so that the vendor
 * sends it again.
 */
export function makeWebhooksApp(deps: WebhooksDeps): Hono {
  const app = new Hono();
  const limit = bodyLimit({
    maxSize: MAX_BODY_BYTES,
    onError: (c) => c.json({ error: "body too large" }, 413),
  });
  app.post("/webhooks/standard/:source", limit, (c) => receive(deps, c, "standard", c.req.param("source")));
  app.post("/webhooks/:vendor", limit, (c) => receive(deps, c, c.req.param("vendor")));
  app.all("/webhooks/*", (c) => {
    if (c.req.method === "POST") return c.notFound();
    return c.json({ error: "only POST" }, 405, { allow: "POST" });
  });
  app.notFound((c) => c.json({ error: "no such endpoint" }, 404));
  app.onError((error, c) => {
    // Our own trouble (the database, a bug): the vendor must keep the event and send it again.
    deps.log("webhook_failed", { path: c.req.path.slice(0, 100), error: error.name });
    return c.json({ error: "try again later" }, 503);
  });
  return app;
}

async function receive(deps: WebhooksDeps, c: Context, vendor: string, source?: string): Promise<Response> {
  const connector = deps.connector(vendor, source);
  if (!connector) return c.json({ error: "no such vendor" }, 404);
  const secrets = deps.secrets(vendor, source);
  if (secrets.length === 0) {
    deps.log("webhook_secret_missing", { source: connector.source });
    return c.json({ error: "not configured" }, 503);
  }
  const webhook = { body: new Uint8Array(await c.req.arrayBuffer()), headers: c.req.raw.headers };
  if (!(await connector.verify(webhook, secrets, await deps.clock()))) {
    deps.log("webhook_refused", { source: connector.source, bytes: webhook.body.length });
    return c.json({ error: "signature" }, 401);
  }
  const recorded = await recordWebhook(deps.db, deps.steps, connector, webhook);
  if (recorded === "unreadable") {
    deps.log("webhook_unreadable", { source: connector.source, bytes: webhook.body.length });
    return c.json({ error: "unreadable" }, connector.unreadableStatus);
  }
  return c.json({ ok: true, result: recorded });
}
