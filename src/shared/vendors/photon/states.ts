import type { PharmacyOrderState } from "../pharmacy.ts";

/**
 * Photon's words and ours. `shipped` comes from SHIPPED and from nothing else; a word we do not know is `needs_attention`.
 * Source: `OrderState` and `FulfillmentState` in @photonhealth/sdk 1.3.4.
 */

/** In these states an order's state is that of its fulfilment; `accepted` without one. */
export const OPEN_STATES: readonly string[] = ["ROUTING", "PENDING", "PLACED"];

const ENDED = new Map<string, PharmacyOrderState>([
  ["COMPLETED", "delivered"],
  ["CANCELED", "canceled"],
  ["ERROR", "failed"],
]);

/** FILLING and SHIPPED are of mail orders, RECEIVED and READY of a pick-up. */
const FULFILLMENT = new Map<string, PharmacyOrderState>([
  ["SENT", "accepted"],
  ["FILLING", "filling"],
  ["RECEIVED", "filling"],
  ["READY", "filling"],
  ["SHIPPED", "shipped"],
  ["DELIVERED", "delivered"],
  ["PICKED_UP", "delivered"],
]);

/** Events that tell an order's state by their type alone. The others (`created`, `rerouted`) do not. */
const EVENTS = new Map<string, PharmacyOrderState>([
  ["order.placed", "accepted"],
  ["order.completed", "delivered"],
  ["order.canceled", "canceled"],
  ["order.error", "failed"],
]);

/** Our state of an order, from Photon's states of the order and of its fulfilment (null: none yet). */
export function orderState(state: string, fulfillment: string | null): PharmacyOrderState {
  if (!OPEN_STATES.includes(state)) return ENDED.get(state) ?? "needs_attention";
  return fulfillment === null ? "accepted" : fulfillmentState(fulfillment);
}

/** The order's state that an order event tells; null when it tells none. `type` is ours, with dots. */
export function eventState(type: string, fulfillment: string | null): PharmacyOrderState | null {
  if (type !== "order.fulfillment") return EVENTS.get(type) ?? null;
  return fulfillment === null ? null : fulfillmentState(fulfillment);
}

function fulfillmentState(state: string): PharmacyOrderState {
  return FULFILLMENT.get(state) ?? "needs_attention";
}
