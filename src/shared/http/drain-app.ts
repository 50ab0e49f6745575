import { Hono } from "hono";
import type { Log } from "../queue/deps.ts";
import { equalsInConstantTime } from "../vendors/signing.ts";

export interface DrainAppDeps {
  /** The secret that pg_cron sends; undefined or empty means that nobody gets in. */
  cronSecret: string | undefined;
  log: Log;
  drain: () => Promise<unknown>;
  /** Keeps the process alive until the work is done (`EdgeRuntime.waitUntil` where it exists). */
  background: (work: Promise<unknown>) => void;
}

/**
 * `POST /drain` with `Authorization: Bearer <cron secret>`: answers 202 at once and works on in the background,
 * because pg_net gives up after seconds. 401 for a wrong or missing secret, 503 when ours is not set.
 */
export function makeDrainApp(deps: DrainAppDeps): Hono {
  const app = new Hono();
  app.post("/drain", (c) => {
    if (!deps.cronSecret) {
      deps.log("cron_secret_missing", {});
      return c.json({ error: "not configured" }, 503);
    }
    const given = c.req.header("authorization") ?? "";
    if (!equalsInConstantTime(given, `Bearer ${deps.cronSecret}`)) return c.json({ error: "secret" }, 401);
    const work = deps.drain().catch((error: unknown) => {
      deps.log("drain_failed", { error: error instanceof Error ? error.name : typeof error });
    });
    deps.background(work);
    return c.json({ ok: true }, 202);
  });
  app.notFound((c) => c.json({ error: "no such endpoint" }, 404));
  return app;
}
