import { parseEnv } from "../../../src/shared/env.ts";
import { wireDrain } from "../../../src/shared/wiring.ts";

// Only the hosted runtime has it: it keeps the worker alive until the promise is settled.
declare const EdgeRuntime: { waitUntil(work: Promise<unknown>): void } | undefined;

const background = (work: Promise<unknown>) => {
  if (typeof EdgeRuntime !== "undefined") EdgeRuntime.waitUntil(work);
};
Deno.serve(wireDrain(parseEnv(Deno.env.toObject()), background).fetch);
