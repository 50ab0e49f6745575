import type { MiddlewareHandler } from "hono";
import type { Log } from "../queue/deps.ts";
import { equalsInConstantTime } from "../vendors/signing.ts";

/**
 * Lets in only requests with `Authorization: Bearer <cron secret>`: 401 for a wrong or missing one, 503 when ours is
 * not set, so that an unset secret never means "open".
 */
export function needsCronSecret(secret: string | undefined, log: Log): MiddlewareHandler {
  return async (c, next) => {
    if (!secret) {
      log("cron_secret_missing", {});
      return c.json({ error: "not configured" }, 503);
    }
    const given = c.req.header("authorization") ?? "";
    if (!equalsInConstantTime(given, `Bearer ${secret}`)) return c.json({ error: "secret" }, 401);
    await next();
    return undefined;
  };
}
