import { Hono } from "hono";
import type { Log } from "../queue/deps.ts";
import { needsCronSecret } from "./cron-secret.ts";

export interface DrainAppDeps {
  /** The secret that pg_cron sends. Undefined or empty lets nobody in. */
  cronSecret: string | undefined;
  log: Log;
  drain: () => Promise<unknown>;
  /** Keeps the process alive until the work is done (`EdgeRuntime.waitUntil` where it exists). */
  background: (work: Promise<unknown>) => void;
}

/**
 * `POST /drain` with `Authorization: Bearer <cron secret>`: answers 202 at once and works on in the background,
 * because pg_net gives up after seconds.
 */
export function makeDrainApp(deps: DrainAppDeps): Hono {
  const app = new Hono();
  app.post("/drain", needsCronSecret(deps.cronSecret, deps.log), (c) => {
    const work = deps.drain().catch((error: unknown) => {
      deps.log("drain_failed", { error: error instanceof Error ? error.name : typeof error });
    });
    deps.background(work);
    return c.json({ ok: true }, 202);
  });
  app.notFound((c) => c.json({ error: "no such endpoint" }, 404));
  return app;
}
