import { Faults } from "./faults.ts";
import { Outbox } from "./outbox.ts";
import type { Sandbox, SandboxDeps } from "./server.ts";
import { makeActions, type StripeActions } from "./stripe/actions.ts";
import { type EventKind, EventLog } from "./stripe/events.ts";
import { IdempotencyMemory } from "./stripe/idempotency.ts";
import { StripeRouter } from "./stripe/router.ts";
import { addRoutes } from "./stripe/routes.ts";
import { StripeState } from "./stripe/state.ts";

export interface StripeSandboxOptions {
  /** What the webhook endpoint gets for each event; both during a move to thin events. Default: snapshots. */
  eventKinds?: readonly EventKind[];
  /** The event types the endpoint is subscribed to. Default: all. Every event is listed at /v1/events. */
  enabledEvents?: readonly string[];
}

export interface StripeSandbox extends Sandbox, StripeActions {
  /** What Stripe knows, for checks. */
  state: StripeState;
  /** The charge behind an invoice; null for a $0 invoice. */
  invoiceChargeId(invoiceId: string): string | null;
  /** As after 24 hours: a repeated key does the thing again. */
  forgetIdempotencyKeys(): void;
}

/**
 * Stands in for Stripe: its API over HTTP, its webhooks signed as Stripe signs them, its own state.
 * Takes any key that begins with `sk_` or `rk_`.
 */
export function makeStripeSandbox(deps: SandboxDeps, options: StripeSandboxOptions = {}): StripeSandbox {
  const { eventKinds = ["snapshot"], enabledEvents = ["*"] } = options;
  const state = new StripeState(deps);
  const faults = new Faults(deps.random);
  const outbox = new Outbox(
    { url: deps.webhook.url, fetch: deps.fetch, now: deps.now, random: deps.random },
    // Retried for three days whatever the answer, each event for itself.
    { givesUpOn: () => false, headOfLine: false },
  );
  const events = new EventLog(state, outbox, {
    secret: deps.webhook.secret,
    kinds: eventKinds,
    enabledEvents,
  });
  const idempotency = new IdempotencyMemory(deps.now);
  const router = new StripeRouter({ state, faults, idempotency });
  addRoutes(router, { state, events });
  return {
    app: router.app,
    faults,
    outbox,
    state,
    ...makeActions({ state, events }),
    invoiceChargeId: (invoiceId) => state.invoiceChargeId(invoiceId),
    forgetIdempotencyKeys: () => idempotency.forget(),
  };
}
