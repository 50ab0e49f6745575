import { z } from "zod";

/** An unset variable and an empty one are the same: not configured. */
const text = z.string().optional().transform((value) => value?.trim() || undefined);
const url = text.pipe(z.url({ protocol: /^https?$/ }).optional());
const urlOr = (standard: string) => url.transform((value) => value ?? standard);

/** Every variable that a function reads, with its use. `npm run generate` writes docs/deploy.md's table from it. */
export const VARIABLES = z.object({
  CLOCKWORK_DB_URL: text.describe(
    "the database, through the transaction pooler (port 6543); without it `SUPABASE_DB_URL` is used",
  ),
  SUPABASE_DB_URL: text.describe("the database, directly; set by Supabase"),
  CLOCKWORK_CRON_SECRET: text.describe(
    "the secret that pg_cron shows to `drain`, and a caller to `renewals`: a long random string",
  ),
  CLOCKWORK_LOCAL: text.describe("the local stack alone: the clock may be moved"),
  SUPABASE_URL: urlOr("http://127.0.0.1:54321").describe("the logins; set by Supabase"),
  SUPABASE_SERVICE_ROLE_KEY: text.describe("the logins; set by Supabase"),
  STRIPE_API_KEY: text.describe("a restricted key, with the permissions below"),
  STRIPE_API_URL: url.describe("the local stack alone: the sandbox instead of Stripe"),
  STRIPE_WEBHOOK_SECRET: text.describe("the endpoint's `whsec_…`"),
  MEDPLUM_BASE_URL: urlOr("https://api.medplum.com").describe("the health record, for a server of your own"),
  MEDPLUM_CLIENT_ID: text.describe("the health record's client application"),
  MEDPLUM_CLIENT_SECRET: text.describe("its secret"),
  MEDPLUM_WEBHOOK_SECRET: text.describe("the secret of both Subscriptions"),
  PHOTON_API_URL: urlOr("https://api.photon.health/graphql").describe(
    "the pharmacy, for Photon's own sandbox",
  ),
  PHOTON_AUTH_URL: urlOr("https://auth.photon.health").describe(
    "the pharmacy's log-in, for Photon's own sandbox",
  ),
  PHOTON_CLIENT_ID: text.describe("the pharmacy's machine-to-machine client"),
  PHOTON_CLIENT_SECRET: text.describe("its secret"),
  PHOTON_PHARMACY_ID: text.describe("the pharmacy that fills; without it Photon chooses"),
  PHOTON_WEBHOOK_SECRET: text.describe("the webhook's signing secret"),
  CUSTOMERIO_TRACK_URL: urlOr("https://track.customer.io").describe("the CRM's Track API, for the EU"),
  CUSTOMERIO_SITE_ID: text.describe("the Track API's site id"),
  CUSTOMERIO_API_KEY: text.describe("the Track API's key"),
  CUSTOMERIO_WEBHOOK_SECRET: text.describe("the signing key of webhooks"),
  CUSTOMERIO_APP_URL: urlOr("https://api.customer.io").describe("the CRM's App API, for the EU"),
  CUSTOMERIO_APP_API_KEY: text.describe("the App API's key, to read profiles"),
});
export type Env = z.output<typeof VARIABLES> & {
  /** `STANDARD_WEBHOOK_SECRET_<SOURCE>`, by source in lower case. */
  standardSecrets: ReadonlyMap<string, string>;
};

const STANDARD_PREFIX = "STANDARD_WEBHOOK_SECRET_";

/** Throws with the names of the variables that are wrong, never their values. */
export function parseEnv(variables: Record<string, string | undefined>): Env {
  const parsed = VARIABLES.safeParse(variables);
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
  return (value ?? "").split(",").map((secret) => secret.trim()).filter(Boolean);
}
