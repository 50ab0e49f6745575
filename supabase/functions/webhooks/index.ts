import { parseEnv } from "../../../src/shared/env.ts";
import { wireWebhooks } from "../../../src/shared/wiring.ts";

Deno.serve(wireWebhooks(parseEnv(Deno.env.toObject())).fetch);
