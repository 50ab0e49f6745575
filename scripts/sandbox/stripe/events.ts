import Stripe from "stripe";
import type { Outbox, OutboxMessage } from "../outbox.ts";
import { API_VERSION, type StripeEvent } from "./objects.ts";
import type { StripeState } from "./state.ts";
import { show } from "./wire.ts";

/** The form of an event at its destination: with the whole object, or with its address alone. */
export type EventKind = "snapshot" | "thin";

/** An event destination. Every event is kept and listed, sent or not. */
interface EventDestination {
  secret: string;
  kinds: readonly EventKind[];
  /** The subscribed event types; `*` is all. */
  enabledEvents: readonly string[];
}

/** Makes events, keeps them and puts their webhooks into the outbox. */
export class EventLog {
  readonly #state: StripeState;
  readonly #outbox: Outbox;
  readonly #destination: EventDestination;
  /** The ids of an event's webhooks, by event: its own, and the thin event's. */
  readonly #webhookIds = new Map<string, string[]>();
  /** Of a connected account's events alone. */
  readonly #account: { account?: string };

  constructor(state: StripeState, outbox: Outbox, destination: EventDestination, connectedId?: string) {
    this.#account = connectedId === undefined ? {} : { account: connectedId };
    this.#state = state;
    this.#outbox = outbox;
    this.#destination = destination;
  }

  /** An event shows `object` as it is now. `previous` are its former values. */
  emit(type: string, object: object, previous?: Record<string, unknown>): StripeEvent {
    const event: StripeEvent = {
      id: this.#state.newId("evt_1", 23),
      object: "event",
      ...this.#account,
      api_version: API_VERSION,
      created: this.#state.nowSeconds(),
      data: {
        object: show(object),
        ...(previous === undefined ? {} : { previous_attributes: structuredClone(previous) }),
      },
      livemode: this.#state.livemode,
      pending_webhooks: 1,
      request: { id: null, idempotency_key: null },
      type,
    };
    this.#state.events.set(event.id, event);
    const { kinds, enabledEvents } = this.#destination;
    if (!enabledEvents.includes("*") && !enabledEvents.includes(type)) return event;
    for (const kind of kinds) {
      const body = kind === "snapshot" ? event : this.#thin(event);
      this.#webhookIds.set(event.id, [...(this.#webhookIds.get(event.id) ?? []), body.id]);
      this.#outbox.push(this.#message(body.id, JSON.stringify(body)));
    }
    return event;
  }

  /** True when every webhook of the event was taken, or none was to be sent. */
  delivered(eventId: string): boolean {
    return (this.#webhookIds.get(eventId) ?? []).every((id) => this.#outbox.acknowledged.has(id));
  }

  #thin(event: StripeEvent) {
    const { id, object } = event.data.object;
    return {
      id: this.#state.newId("evt_2", 23),
      object: "v2.core.event",
      ...(this.#account.account === undefined ? {} : { context: this.#account.account }),
      type: `v1.${event.type}`,
      livemode: this.#state.livemode,
      created: new Date(event.created * 1000).toISOString(),
      related_object: typeof id === "string"
        ? { id, type: String(object), url: `/v1/${String(object)}s/${id}` }
        : null,
      snapshot_event: event.id,
      reason: null,
    };
  }

  #message(id: string, payload: string): OutboxMessage {
    return {
      id,
      sign: async (now) => ({
        body: payload,
        headers: {
          "content-type": "application/json; charset=utf-8",
          "user-agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
          "stripe-signature": await Stripe.webhooks.generateTestHeaderStringAsync({
            payload,
            secret: this.#destination.secret,
            timestamp: Math.floor(now.getTime() / 1000),
          }),
        },
      }),
    };
  }
}
