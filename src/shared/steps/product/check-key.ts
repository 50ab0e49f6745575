import { misusedKeys } from "../../products/questions.ts";
import { defineOwnStep } from "../../queue/step.ts";

/** The question about a key that is in use, but retired or unregistered. It stays in front of a person while that is so. */
export const productCheckKey = defineOwnStep("product.check_key", {
  queue: "internal",
  async run(ctx, { system, key }) {
    const [misused] = await misusedKeys(ctx.deps.db, system, key);
    return misused ? { kind: "stopped", reason: misused.why } : { kind: "done" };
  },
});
