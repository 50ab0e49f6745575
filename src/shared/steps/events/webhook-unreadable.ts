import { Permanent } from "../../queue/reasons.ts";
import { defineOwnStep } from "../../queue/step.ts";

/** A signed message that could not be read. It was not kept, so a resend stops again. */
export const webhookUnreadable = defineOwnStep("webhook.unreadable", {
  queue: "internal",
  run: (_ctx, data) => Promise.reject(new Permanent("UNREADABLE_EVENT", data)),
});
