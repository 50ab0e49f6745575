import { z } from "zod";

/** An unset variable and an empty one are the same: not configured. */
const text = z.string().optional().transform((value) => value?.trim() || undefined);
const url = text.pipe(z.url({ protocol: /^https?$/ }).optional());
const urlOr = (standard: string) => url.transform((value) => value ?? standard);

/** Every variable a function reads, under the names the README lists (STRIPE_API_URL and CLOCKWORK_LOCAL are the local stack's alone). Parsed once. */
const schema = z.object({
  CLOCKWORK_DB_URL: text,
  SUPABASE_DB_URL: text,
  CLOCKWORK_CRON_SECRET: text,
  CLOCKWORK_LOCAL: text,
  SUPABASE_URL: urlOr("http://127.0.0.1:54321"),
  SUPABASE_SERVICE_ROLE_KEY: text,
  STRIPE_API_KEY: text,
  STRIPE_API_URL: url,
  STRIPE_WEBHOOK_SECRET: text,
  MEDPLUM_BASE_URL: urlOr("https://api.medplum.com"),
  MEDPLUM_CLIENT_ID: text,
  MEDPLUM_CLIENT_SECRET: text,
  MEDPLUM_WEBHOOK_SECRET: text,
  PHOTON_API_URL: urlOr("https://api.photon.health/graphql"),
  PHOTON_AUTH_URL: urlOr("https://auth.photon.health"),
  PHOTON_CLIENT_ID: text,
  PHOTON_CLIENT_SECRET: text,
  PHOTON_PHARMACY_ID: text,
  PHOTON_WEBHOOK_SECRET: text,
  CUSTOMERIO_TRACK_URL: urlOr("https://track.customer.io"),
  CUSTOMERIO_SITE_ID: text,
  CUSTOMERIO_API_KEY: text,
  CUSTOMERIO_WEBHOOK_SECRET: text,
  CUSTOMERIO_APP_URL: urlOr("https://api.customer.io"),
  CUSTOMERIO_APP_API_KEY: text,
});
export type Env = z.output<typeof schema> & {
  /** `STANDARD_WEBHOOK_SECRET_<SOURCE>`, by source in lower case. */
  standardSecrets: ReadonlyMap<string, string>;
};

const STANDARD_PREFIX = "STANDARD_WEBHOOK_SECRET_";

/** Throws with the names of the variables that are wrong, never their values. */
export function parseEnv(variables: Record<string, string | undefined>): Env {
  const parsed = schema.safeParse(variables);
  if (!parsed.success) {
    const names = [...new Set(parsed.error.issues.map((issue) => issue.path.join(".")))];
    throw new Error(`environment: ${names.join(", ")} cannot be used`);
  }
  const standardSecrets = new Map<string, string>();
  for (const [name, value] of Object.entries(variables)) {
    if (!name.startsWith(STANDARD_PREFIX) || !value) continue;
    standardSecrets.set(name.slice(STANDARD_PREFIX.length).toLowerCase().replaceAll("_", "-"), value);
  }
  return { ...parsed.data, standardSecrets };
}

/** The pooler's URL is preferred: a function that opens direct connections uses up the database's. */
export function databaseUrl(env: Env): string {
  const found = env.CLOCKWORK_DB_URL ?? env.SUPABASE_DB_URL;
  if (!found) throw new Error("environment: CLOCKWORK_DB_URL is not set");
  return found;
}

/** A secret that is being rolled is written as `new,old`. */
export function liveSecrets(value: string | undefined): readonly string[] {
  return (value ?? "").split(",").map((secret) => secret.trim()).filter((secret) => secret !== "");
}
