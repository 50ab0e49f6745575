import { questionAbout } from "../../checks/endpoint.ts";
import { defineOwnStep } from "../../queue/step.ts";

/**
 * The question about a webhook endpoint that seems to be off. A check that found most messages missing asks it; it ends
 * once most messages come.
 */
export const completenessEndpoint = defineOwnStep("completeness.endpoint", {
  queue: "internal",
  async run(ctx, { vendor, kind }) {
    const why = await questionAbout(ctx.deps.db, vendor, kind);
    return why ? { kind: "stopped", reason: why } : { kind: "done" };
  },
});
