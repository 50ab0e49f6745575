import { z } from "zod";
import { COUNTED_SYSTEMS } from "../../products/counts.ts";
import { keysOutOfPlace, questionAboutKey } from "../../products/questions.ts";
import { defineStep } from "../../queue/step.ts";

/** The question about a key that is in use and should not be: it stays in front of a person until that is settled. */
export const productCheckKey = defineStep({
  handles: ["product.check_key"],
  queue: "internal",
  data: z.strictObject({ system: z.enum(COUNTED_SYSTEMS), key: z.string() }),
  async run(ctx, { system, key }) {
    const [out] = await keysOutOfPlace(ctx.deps.db, system, key);
    const why = out ? questionAboutKey(system, out) : null;
    return why ? { kind: "stopped", reason: why } : { kind: "done" };
  },
});
