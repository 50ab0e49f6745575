import { type Env, liveSecrets } from "./env.ts";
import type { Vendors } from "./queue/step.ts";
import type { Fetch } from "./vendors/call.ts";
import type { Role } from "./vendors/contract.ts";
import type { WebhookConnector } from "./vendors/webhook.ts";
import { makeCustomerioClient } from "./vendors/customerio/client.ts";
import { customerioWebhook } from "./vendors/customerio/webhook.ts";
import { makeMedplumClient } from "./vendors/medplum/client.ts";
import { medplumWebhook } from "./vendors/medplum/webhook.ts";
import { makePhotonClient } from "./vendors/photon/client.ts";
import { photonWebhook } from "./vendors/photon/webhook.ts";
import { makeStandardWebhook } from "./vendors/standard/webhook.ts";
import { makeSupabaseAuthClient } from "./vendors/supabase-auth/client.ts";
import { makeStripeClient } from "./vendors/stripe/client.ts";
import { stripeWebhook } from "./vendors/stripe/webhook.ts";

/**
 * The vendor of each role: the one place to change for another.
 * @param timeZone the pharmacy's
 */
export function makeVendors(
  env: Env,
  fetchFor: (vendor: Role) => Fetch,
  now: () => Date,
  timeZone: () => Promise<string>,
): Vendors {
  // A client without its key is made all the same: its calls fail at the vendor, visibly, and only they.
  return {
    stripe: makeStripeClient({
      apiKey: env.STRIPE_API_KEY ?? "sk_not_set",
      fetch: fetchFor("stripe"),
      baseUrl: env.STRIPE_API_URL,
    }),
    health: makeMedplumClient({
      baseUrl: env.MEDPLUM_BASE_URL,
      clientId: env.MEDPLUM_CLIENT_ID ?? "",
      clientSecret: env.MEDPLUM_CLIENT_SECRET ?? "",
      fetch: fetchFor("health"),
      now,
      timeZone,
    }),
    pharmacy: makePhotonClient({
      apiUrl: env.PHOTON_API_URL,
      authUrl: env.PHOTON_AUTH_URL,
      clientId: env.PHOTON_CLIENT_ID ?? "",
      clientSecret: env.PHOTON_CLIENT_SECRET ?? "",
      pharmacyId: env.PHOTON_PHARMACY_ID,
      fetch: fetchFor("pharmacy"),
      now,
    }),
    crm: makeCustomerioClient({
      trackUrl: env.CUSTOMERIO_TRACK_URL,
      siteId: env.CUSTOMERIO_SITE_ID ?? "",
      apiKey: env.CUSTOMERIO_API_KEY ?? "",
      appUrl: env.CUSTOMERIO_APP_URL,
      appApiKey: env.CUSTOMERIO_APP_API_KEY ?? "",
      fetch: fetchFor("crm"),
    }),
    login: makeSupabaseAuthClient({
      url: env.SUPABASE_URL,
      serviceKey: env.SUPABASE_SERVICE_ROLE_KEY ?? "not_set",
      fetch: fetchFor("login"),
    }),
  };
}

/** The inbound side: the paths under `/webhooks/`, and the variable with each one's signing secret. */
const WEBHOOKS = {
  stripe: { connector: stripeWebhook, secret: "STRIPE_WEBHOOK_SECRET" },
  medplum: { connector: medplumWebhook, secret: "MEDPLUM_WEBHOOK_SECRET" },
  photon: { connector: photonWebhook, secret: "PHOTON_WEBHOOK_SECRET" },
  customerio: { connector: customerioWebhook, secret: "CUSTOMERIO_WEBHOOK_SECRET" },
} as const;

const webhookOf = (vendor: string) => Object.entries(WEBHOOKS).find(([name]) => name === vendor)?.[1];

/** A variable's name has no dash, so `my_shop` and `my-shop` are one source: with two, each event would count twice. */
const canonical = (source: string) => source.replaceAll("_", "-");

export function webhookConnector(vendor: string, source?: string): WebhookConnector | undefined {
  if (vendor === "standard") {
    return source && /^[a-z0-9_-]{1,50}$/.test(source) ? makeStandardWebhook(canonical(source)) : undefined;
  }
  return webhookOf(vendor)?.connector;
}

export function webhookSecrets(env: Env, vendor: string, source?: string): readonly string[] {
  if (vendor === "standard") return liveSecrets(env.standardSecrets.get(canonical(source ?? "")));
  const webhook = webhookOf(vendor);
  return webhook ? liveSecrets(env[webhook.secret]) : [];
}
