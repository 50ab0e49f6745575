import { z } from "zod";
import { Permanent } from "../../queue/reasons.ts";
import { defineStep } from "../../queue/step.ts";

/** A signed message that could not be read. It was not kept, so running this again only says so again. */
export const webhookUnreadable = defineStep({
  handles: ["webhook.unreadable"],
  queue: "internal",
  data: z.strictObject({ source: z.string(), sha256: z.string(), bytes: z.number().int() }),
  run: (_ctx, data) => Promise.reject(new Permanent("UNREADABLE_EVENT", data)),
});
