import { randomBytes } from "node:crypto";
import { STRIPE_EVENTS } from "../../src/shared/steps/table.ts";
import { makeAuthSandbox } from "./auth.ts";
import { CUSTOMERIO_SANDBOX_KEYS, makeCustomerioSandbox } from "./customerio.ts";
import { makeMedplumSandbox } from "./medplum.ts";
import type { Delivery } from "./outbox.ts";
import { makePhotonSandbox, PHOTON_SANDBOX_CLIENT } from "./photon.ts";
import { seeded } from "./random.ts";
import { callWithin, type Sandbox, type SandboxApp, serveSandbox } from "./server.ts";
import { makeStripeSandbox } from "./stripe.ts";

const AUTH_SEED = 5;

export interface VendorsOptions {
  now: () => Date;
  /** 0 to 1, seeded. */
  random: () => number;
  /** The base of the webhooks' addresses: `<url>/stripe` and so on. */
  webhooksUrl: string;
  /** Sends webhooks. The tests hand them to the app directly. */
  fetch?: typeof fetch;
  /** False: calls stay in this process, without a socket. Default: the sandboxes are served on loopback. */
  served?: boolean;
  /** The events that Stripe sends: snapshot, thin, or both. */
  stripeEventKinds?: ("snapshot" | "thin")[];
}

export type LocalVendors = Awaited<ReturnType<typeof startVendors>>;

/** The four vendors and Supabase Auth, with secrets of their own, made anew for each run. */
export async function startVendors(options: VendorsOptions) {
  const { now, random, webhooksUrl, served = true, stripeEventKinds = ["snapshot"] } = options;
  const depsFor = (path: string, secret: string) => ({
    now,
    random,
    fetch: options.fetch ?? fetch,
    webhook: { url: `${webhooksUrl}/${path}`, secret },
  });
  const secrets = {
    stripe: `whsec_${randomBytes(24).toString("hex")}`,
    medplum: randomBytes(24).toString("hex"),
    photon: randomBytes(24).toString("hex"),
    customerio: randomBytes(24).toString("hex"),
    standard: `whsec_${randomBytes(32).toString("base64")}`,
  };
  const stripe = makeStripeSandbox(depsFor("stripe", secrets.stripe), {
    eventKinds: stripeEventKinds,
    enabledEvents: STRIPE_EVENTS,
  });
  const health = makeMedplumSandbox(depsFor("medplum", secrets.medplum));
  // The company subscribed to patients and prescriptions.
  health.state.subscriptions.delete("MedicationDispense");
  const pharmacy = makePhotonSandbox(depsFor("photon", secrets.photon));
  const crm = makeCustomerioSandbox(depsFor("customerio", secrets.customerio));
  // Auth has its own random numbers: those of the vendors stay the same with and without it.
  const login = makeAuthSandbox({ now, random: seeded(AUTH_SEED) });
  const sandboxes: Sandbox[] = [stripe, health, pharmacy, crm];
  const within = new Map<string, SandboxApp>();
  const servers: Awaited<ReturnType<typeof serveSandbox>>[] = [];
  const serve = async (name: string, app: SandboxApp): Promise<string> => {
    const url = `http://${name}.test`;
    if (!served) return within.set(url, app) && url;
    const server = await serveSandbox(app);
    servers.push(server);
    return server.url;
  };
  const [atStripe, atMedplum, atPhoton, atCustomerio, atAuth] = await Promise.all([
    serve("stripe", stripe.app),
    serve("medplum", health.app),
    serve("photon", pharmacy.app),
    serve("customerio", crm.app),
    serve("auth", login.app),
  ]);
  login.servedAt(atAuth);
  /** The environment of the functions: the vendors' URLs, keys and signing secrets. */
  const env: Record<string, string> = {
    SUPABASE_URL: atAuth,
    SUPABASE_SERVICE_ROLE_KEY: login.keys.service,
    STRIPE_API_KEY: `sk_test_${randomBytes(16).toString("hex")}`,
    STRIPE_API_URL: atStripe,
    STRIPE_WEBHOOK_SECRET: secrets.stripe,
    MEDPLUM_BASE_URL: atMedplum,
    MEDPLUM_CLIENT_ID: health.clientId,
    MEDPLUM_CLIENT_SECRET: health.clientSecret,
    MEDPLUM_WEBHOOK_SECRET: secrets.medplum,
    PHOTON_API_URL: `${atPhoton}/graphql`,
    PHOTON_AUTH_URL: atPhoton,
    PHOTON_CLIENT_ID: PHOTON_SANDBOX_CLIENT.clientId,
    PHOTON_CLIENT_SECRET: PHOTON_SANDBOX_CLIENT.clientSecret,
    PHOTON_WEBHOOK_SECRET: secrets.photon,
    CUSTOMERIO_TRACK_URL: atCustomerio,
    CUSTOMERIO_SITE_ID: CUSTOMERIO_SANDBOX_KEYS.siteId,
    CUSTOMERIO_API_KEY: CUSTOMERIO_SANDBOX_KEYS.apiKey,
    CUSTOMERIO_APP_URL: atCustomerio,
    CUSTOMERIO_APP_API_KEY: CUSTOMERIO_SANDBOX_KEYS.appApiKey,
    CUSTOMERIO_WEBHOOK_SECRET: secrets.customerio,
    STANDARD_WEBHOOK_SECRET_EXAMPLE: secrets.standard,
  };
  return {
    stripe,
    health,
    pharmacy,
    crm,
    /** Supabase Auth: it sends no webhooks. */
    login,
    env,
    /** Calls the vendors. */
    fetch: served ? fetch : callWithin(within),
    /** Each vendor tries its waiting webhooks once. */
    async flush(): Promise<Delivery[]> {
      const rounds = await Promise.all(sandboxes.map((sandbox) => sandbox.outbox.flush()));
      return rounds.flat();
    },
    /** The number of webhooks that wait to be sent. */
    waiting: () => sandboxes.reduce((sum, sandbox) => sum + sandbox.outbox.waiting, 0),
    /** The number of calls that met no fault, Auth's left out. */
    answered: () => sandboxes.reduce((sum, sandbox) => sum + sandbox.faults.answered, 0),
    async close(): Promise<void> {
      await Promise.all(servers.map((server) => server.close()));
    },
  };
}
