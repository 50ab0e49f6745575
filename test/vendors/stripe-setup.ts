import Stripe from "stripe";
import { onTestFinished } from "vitest";
import { seeded } from "../../scripts/sandbox/random.ts";
import { serveSandbox } from "../../scripts/sandbox/server.ts";
import { makeStripeSandbox } from "../../scripts/sandbox/stripe.ts";
import { VendorError } from "../../src/shared/vendors/contract.ts";
import type { VendorEvent } from "../../src/shared/vendors/webhook.ts";
import { makeStripeClient } from "../../src/shared/vendors/stripe/client.ts";
import { stripeWebhook } from "../../src/shared/vendors/stripe/webhook.ts";

/** A Stripe of the test's own over HTTP, the client at it, and what its endpoint reads from each webhook. */
export async function openStripe(start = "2027-03-01T09:00:00.000Z") {
  const clock = { now: new Date(start) };
  const received: VendorEvent[] = [];
  const sandbox = makeStripeSandbox({
    now: () => clock.now,
    random: seeded(17),
    fetch: (_url, init) => {
      const body = new TextEncoder().encode(String(init?.body));
      received.push(stripeWebhook.read({ body, headers: new Headers() }));
      return Promise.resolve(new Response(""));
    },
    webhook: { url: "http://endpoint.test/stripe", secret: "whsec_test" },
  });
  const server = await serveSandbox(sandbox.app);
  onTestFinished(server.close);
  /** The form of each request that changes something, by path. */
  const sent: { path: string; form: URLSearchParams; key: string | null }[] = [];
  const client = makeStripeClient({
    apiKey: "sk_test_clockwork",
    baseUrl: server.url,
    fetch: (input, init) => {
      if (init?.method === "POST") {
        sent.push({
          path: new URL(String(input)).pathname,
          form: new URLSearchParams(String(init.body)),
          key: new Headers(init.headers).get("idempotency-key"),
        });
      }
      return fetch(input, init);
    },
  });
  const { hostname, port } = new URL(server.url);
  /** The SDK alone, for what the client does not do. */
  const sdk = new Stripe("sk_test_clockwork", {
    httpClient: Stripe.createFetchHttpClient(),
    maxNetworkRetries: 0,
    telemetry: false,
    protocol: "http",
    host: hostname,
    port,
  });
  sandbox.addPrice({ id: "price_month", interval: "month", intervalCount: 1, amount: 4900 });
  sandbox.addPrice({ id: "price_month_b", interval: "month", intervalCount: 1, amount: 5900 });
  sandbox.addPrice({ id: "price_quarter", interval: "month", intervalCount: 3, amount: 12_900 });
  const subscribe = (customerId = sandbox.createCustomer({}).id, price = "price_month") =>
    sandbox.subscribe({ customerId, priceIds: [{ price, quantity: 1 }] });
  const passSeconds = (seconds: number) => {
    clock.now = new Date(clock.now.getTime() + seconds * 1000);
  };
  return { clock, passSeconds, received, sandbox, client, sdk, sent, subscribe };
}

/** The error that `work` must fail with. */
export async function failure(work: Promise<unknown>): Promise<VendorError> {
  const error: unknown = await work.then(() => undefined, (error: unknown) => error);
  if (error instanceof VendorError) return error;
  throw new Error("expected a VendorError", { cause: error });
}

/** Every page of a list, one after another. */
export async function everyPage<T>(
  read: (cursor: string | null) => Promise<{ entries: T[]; next: string | null }>,
): Promise<T[][]> {
  const pages: T[][] = [];
  let cursor: string | null = null;
  do {
    const { entries, next } = await read(cursor);
    pages.push(entries);
    cursor = next;
  } while (cursor !== null);
  return pages;
}
