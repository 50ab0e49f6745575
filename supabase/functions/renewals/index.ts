import { parseEnv } from "../../../src/shared/env.ts";
import { wireRenewals } from "../../../src/shared/wiring.ts";

Deno.serve(wireRenewals(parseEnv(Deno.env.toObject())).fetch);
