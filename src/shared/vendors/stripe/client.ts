import Stripe from "stripe";
import { CALL_TIMEOUT_MS, type Fetch } from "../call.ts";
import { makeCustomers } from "./customers.ts";
import { callStripe } from "./errors.ts";
import { makeEvents } from "./events.ts";
import { makePayments } from "./payments.ts";
import { toCheckoutSession, toPrice } from "./reduce.ts";
import { makeSubscriptions } from "./subscriptions.ts";
import type { StripeClient } from "./types.ts";

export type * from "./types.ts";

interface StripeOptions {
  apiKey: string;
  fetch: Fetch;
  /** Of a sandbox, e.g. `http://127.0.0.1:4310`. Default: Stripe's own. */
  baseUrl?: string | undefined;
}

/**
 * Reads and acts at Stripe at the API version the SDK pins.
 * Every method throws a `VendorError` of the role `stripe`; an unknown id is `refused` with status 404 and
 * code `resource_missing`. Nothing is retried here: the queue does that.
 */
export function makeStripeClient({ apiKey, fetch, baseUrl }: StripeOptions): StripeClient {
  const stripe = new Stripe(apiKey, {
    httpClient: Stripe.createFetchHttpClient(fetch),
    maxNetworkRetries: 0,
    timeout: CALL_TIMEOUT_MS,
    telemetry: false,
    ...addressOf(baseUrl),
  });
  return {
    ...makePayments(stripe),
    ...makeCustomers(stripe),
    ...makeSubscriptions(stripe),
    ...makeEvents(stripe),
    getPrice: (id) => callStripe("get price", async () => toPrice(await stripe.prices.retrieve(id))),
    getCheckoutSession: (id) =>
      callStripe(
        "get checkout session",
        async () => toCheckoutSession(await stripe.checkout.sessions.retrieve(id)),
      ),
  };
}

function addressOf(baseUrl: string | undefined): Stripe.StripeConfig {
  if (baseUrl === undefined) return {};
  const { protocol, hostname, port } = new URL(baseUrl);
  const isPlain = protocol === "http:";
  return { protocol: isPlain ? "http" : "https", host: hostname, port: port || (isPlain ? 80 : 443) };
}
