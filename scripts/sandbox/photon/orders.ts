import { randomId, type SandboxDeps, ulid } from "../server.ts";
import { PHOTON_CANARY, type PhotonEvents } from "./events.ts";
import { PhotonRefusal } from "./refusal.ts";
import {
  mustHave,
  type PhotonAddress,
  type PhotonFulfillmentState,
  type PhotonOrder,
  type PhotonState,
  prescriptionState,
} from "./state.ts";

/** Where {@link PhotonOrders.advance} can take an order. */
export type PhotonProgress = "PLACED" | Exclude<PhotonFulfillmentState, "SENT">;

export type PhotonOrders = ReturnType<typeof makeOrders>;

const CARRIER = "USPS";

/**
 * The life of an order: ROUTING or PENDING, PLACED (fulfilment SENT, FILLING, SHIPPED, DELIVERED), COMPLETED;
 * CANCELED until it is shipped, ERROR until it has ended. `create` and `cancel` are what the API offers and
 * refuse with a {@link PhotonRefusal}; the rest is what the pharmacy does and throws a plain error on nonsense.
 */
export function makeOrders(deps: SandboxDeps, state: PhotonState, events: PhotonEvents) {
  const newId = (prefix: string) => prefix + ulid(deps.now(), deps.random);

  function create(input: {
    patientId: string;
    prescriptionIds: readonly string[];
    address: PhotonAddress;
    externalId: string | null;
    pharmacyId: string | null;
  }): PhotonOrder {
    if (!state.patients.has(input.patientId)) throw refusal("PATIENT_NOT_FOUND");
    const used = new Map<string, number>();
    for (const id of input.prescriptionIds) used.set(id, (used.get(id) ?? 0) + 1);
    for (const [id, fills] of used) requireFills(input.patientId, id, fills);

    const order: PhotonOrder = {
      id: newId("ord_"),
      externalId: input.externalId,
      patientId: input.patientId,
      pharmacyId: input.pharmacyId,
      state: input.pharmacyId === null ? "ROUTING" : "PENDING",
      createdAt: deps.now().toISOString(),
      address: input.address,
      fills: input.prescriptionIds.map((prescriptionId) => ({ id: newId("fil_"), prescriptionId })),
      fulfillment: null,
    };
    state.orders.set(order.id, order);
    events.order("created", order);
    for (const [id, fills] of used) {
      const prescription = mustHave(state.prescriptions, id);
      prescription.fillsRemaining -= fills;
      if (prescription.fillsRemaining === 0) events.prescription("depleted", prescription);
    }
    return order;
  }

  function requireFills(patientId: string, prescriptionId: string, fills: number): void {
    const prescription = state.prescriptions.get(prescriptionId);
    if (!prescription) throw refusal("PRESCRIPTION_NOT_FOUND");
    if (prescription.patientId !== patientId) throw refusal("PRESCRIPTION_PATIENT_MISMATCH");
    const standing = prescriptionState(prescription, deps.now());
    if (standing === "EXPIRED" || standing === "CANCELED") throw refusal("PRESCRIPTION_NOT_ACTIVE");
    if (prescription.fillsRemaining < fills) throw refusal("NO_FILLS_REMAINING");
  }

  /** Canceling a canceled order changes nothing and sends nothing. */
  function cancel(orderId: string): PhotonOrder {
    const order = state.orders.get(orderId);
    if (!order) throw refusal("ORDER_NOT_FOUND");
    if (order.state === "CANCELED") return order;
    if (isOnItsWay(order)) throw refusal("ORDER_NOT_CANCELABLE");
    order.state = "CANCELED";
    events.order("canceled", order);
    for (const { prescriptionId } of order.fills) {
      const prescription = mustHave(state.prescriptions, prescriptionId);
      prescription.fillsRemaining += 1;
      const active = prescriptionState(prescription, deps.now()) === "ACTIVE";
      if (active && prescription.fillsRemaining === 1) events.prescription("active", prescription);
    }
    return order;
  }

  /** The order, when it stands at `at`; throws when it does not. */
  function standing(orderId: string, ...at: readonly string[]): PhotonOrder {
    const order = mustHave(state.orders, orderId);
    const where = step(order);
    if (!at.includes(where)) throw new Error(`order ${orderId} is ${where}, not ${at.join(" or ")}`);
    return order;
  }

  function place(orderId: string): void {
    const order = standing(orderId, "ROUTING", "PENDING");
    order.pharmacyId ??= newId("phr_");
    order.state = "PLACED";
    order.fulfillment = { state: "SENT", carrier: null, trackingNumber: null };
    events.order("placed", order);
  }

  function progress(order: PhotonOrder, to: PhotonFulfillmentState): void {
    order.fulfillment = { carrier: null, trackingNumber: null, ...order.fulfillment, state: to };
    events.order("fulfillment", order);
  }

  function fill(orderId: string): void {
    progress(standing(orderId, "SENT"), "FILLING");
  }

  function ship(orderId: string): void {
    const order = standing(orderId, "FILLING");
    const trackingNumber = randomId(deps.random, "94", 20, "0123456789");
    order.fulfillment = { state: "FILLING", carrier: CARRIER, trackingNumber };
    progress(order, "SHIPPED");
  }

  function deliver(orderId: string): void {
    const order = standing(orderId, "SHIPPED");
    progress(order, "DELIVERED");
    order.state = "COMPLETED";
    events.order("completed", order);
  }

  /** Does whatever comes next; null when the order has ended. */
  function advance(orderId: string): PhotonProgress | null {
    switch (step(mustHave(state.orders, orderId))) {
      case "ROUTING":
      case "PENDING":
        place(orderId);
        return "PLACED";
      case "SENT":
        fill(orderId);
        return "FILLING";
      case "FILLING":
        ship(orderId);
        return "SHIPPED";
      case "SHIPPED":
        deliver(orderId);
        return "DELIVERED";
      default:
        return null;
    }
  }

  function cancelByPharmacy(orderId: string): void {
    standing(orderId, "ROUTING", "PENDING", "SENT", "FILLING");
    cancel(orderId);
  }

  /** An order in error keeps its fills until somebody cancels it. */
  function fail(orderId: string): void {
    const order = standing(orderId, "ROUTING", "PENDING", "SENT", "FILLING", "SHIPPED");
    order.state = "ERROR";
    events.order("error", order);
  }

  /** To another pharmacy, which is to be {@link place}d anew. */
  function reroute(orderId: string): void {
    const order = standing(orderId, "ROUTING", "PENDING", "SENT", "FILLING");
    order.pharmacyId = newId("phr_");
    order.state = "PENDING";
    order.fulfillment = null;
    events.order("rerouted", order);
  }

  return { create, cancel, place, fill, ship, deliver, advance, cancelByPharmacy, fail, reroute };
}

function isOnItsWay(order: PhotonOrder): boolean {
  return order.fulfillment?.state === "SHIPPED" || order.state === "COMPLETED";
}

/** The state of the order, or of its fulfilment while it is with a pharmacy. */
function step(order: PhotonOrder): string {
  return order.state === "PLACED" ? order.fulfillment?.state ?? "PLACED" : order.state;
}

function refusal(code: string): PhotonRefusal {
  return new PhotonRefusal(code, PHOTON_CANARY);
}
