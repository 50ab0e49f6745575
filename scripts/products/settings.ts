import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Env, parseEnv } from "../../src/shared/env.ts";
import { PROJECT } from "../stack/project.ts";

/** The file of the running `npm start`. */
const LOCAL_ENV = join(PROJECT, ".clockwork/local.env");

interface Settings {
  env: Env;
  /** The Clockwork that this is about, in words. */
  of: string;
}

/**
 * The environment when it names a database, else the running local stack. Never a mixture: a hosted database with the
 * sandbox's Stripe would be a lie.
 * Throws a sentence for the person who typed it.
 */
export function readSettings(variables: NodeJS.ProcessEnv): Settings {
  if (variables["CLOCKWORK_DB_URL"] || variables["SUPABASE_DB_URL"]) {
    return { env: parseEnv(variables), of: "the environment's database" };
  }
  const file = variables["CLOCKWORK_ENV_FILE"] || LOCAL_ENV;
  if (!existsSync(file)) {
    throw new Error(
      "Set CLOCKWORK_DB_URL (and STRIPE_API_KEY to move subscribers), or start the local stack: npm start",
    );
  }
  return { env: parseEnv(parseLocalEnv(readFileSync(file, "utf8"))), of: "the local stack" };
}

/** Reads the lines of `scripts/stack/local-env.ts`: `NAME='value'`, a quote inside as `'\''`. */
export function parseLocalEnv(text: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const line of text.split("\n")) {
    const [, name, value] = /^(\w+)='(.*)'$/.exec(line) ?? [];
    if (name !== undefined && value !== undefined) found[name] = value.replaceAll(`'\\''`, "'");
  }
  return found;
}
