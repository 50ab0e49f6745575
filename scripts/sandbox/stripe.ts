import { Faults } from "./faults.ts";
import { Outbox } from "./outbox.ts";
import type { Sandbox, SandboxApp, SandboxDeps } from "./server.ts";
import { makeActions } from "./stripe/actions.ts";
import { type EventKind, EventLog } from "./stripe/events.ts";
import { IdempotencyMemory } from "./stripe/idempotency.ts";
import { StripeRouter } from "./stripe/router.ts";
import { addRoutes } from "./stripe/routes.ts";
import { StripeState } from "./stripe/state.ts";

export interface StripeSandboxOptions {
  /** The forms of each event for the webhook endpoint; both during a move to thin events. Default: snapshots. */
  eventKinds?: readonly EventKind[];
  /** The event types of the endpoint's subscription. Default: all. Every event is listed at /v1/events. */
  enabledEvents?: readonly string[];
  /** Of every object and event. Default: false, as in Stripe's test mode. */
  livemode?: boolean;
}

/**
 * Stands in for Stripe: its API over HTTP, its webhooks signed as Stripe signs them, its own state.
 * Takes any key that begins with `sk_` or `rk_`.
 */
export function makeStripeSandbox(deps: SandboxDeps, options: StripeSandboxOptions = {}) {
  const { eventKinds = ["snapshot"], enabledEvents = ["*"], livemode = false } = options;
  const faults = new Faults(deps.random);
  // Stripe retries each event by itself for three days, after any answer but 2xx.
  const outbox = new Outbox({ ...deps, url: deps.webhook.url });
  const destination = { secret: deps.webhook.secret, kinds: eventKinds, enabledEvents };
  const apps = new Map<string, SandboxApp>();
  /** One account: the platform's own, or one that is connected to it. */
  function open(accountId?: string) {
    const state = new StripeState(deps, { livemode });
    const events = new EventLog(state, outbox, destination, accountId);
    const idempotency = new IdempotencyMemory(deps.now);
    const router = new StripeRouter({ state, faults, idempotency, connected: (id) => apps.get(id) });
    addRoutes(router, { state, events });
    if (accountId !== undefined) apps.set(accountId, router.app);
    return {
      app: router.app,
      state,
      ...makeActions({ state, events }),
      /** The charge behind an invoice; null for a $0 invoice. */
      invoiceChargeId: (invoiceId: string) => state.invoiceChargeId(invoiceId),
      /** As after 24 hours: a repeated key acts again. */
      forgetIdempotencyKeys: () => idempotency.forget(),
    };
  }
  return {
    ...open(),
    faults,
    outbox,
    /** A connected account (`acct_…`), with objects of its own. Its events name it, and come to the same endpoint. */
    connect: (accountId: string) => open(accountId),
    /** Another request holds the object: calls about it are refused with 429 and `lock_timeout`, so many times. */
    lock: (objectId: string, times = 1) =>
      faults.add({ kind: "status", status: 429, code: "lock_timeout", objectId, times }),
  } satisfies Sandbox & Record<string, unknown>;
}
