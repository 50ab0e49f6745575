import { Refusal } from "../app.ts";
import { randomId, ulid } from "../random.ts";
import type { SandboxDeps } from "../server.ts";
import { mustHave } from "../shelf.ts";
import { PHOTON_CANARY, type PhotonEvents } from "./events.ts";
import {
  type PhotonAddress,
  type PhotonFulfillmentState,
  type PhotonOrder,
  type PhotonState,
  prescriptionState,
} from "./state.ts";

export type PhotonOrders = ReturnType<typeof makeOrders>;

const CARRIER = "USPS";

/**
 * The life of an order: ROUTING or PENDING, PLACED (fulfilment SENT, FILLING, SHIPPED, DELIVERED), COMPLETED;
 * CANCELED until it is shipped, ERROR until it has ended. `create` and `cancel` belong to the API and refuse with a
 * {@link Refusal}; the pharmacy's own acts throw a plain error on an order at another stage.
 */
export function makeOrders(deps: SandboxDeps, state: PhotonState, events: PhotonEvents) {
  const newId = (prefix: string) => prefix + ulid(deps.now(), deps.random);

  function create({ patientId, fills, address, externalId, pharmacyId }: {
    patientId: string;
    fills: readonly { prescriptionId: string }[];
    address: PhotonAddress;
    externalId?: string | null | undefined;
    pharmacyId?: string | null | undefined;
  }): PhotonOrder {
    if (!state.patients.has(patientId)) throw refusal("PATIENT_NOT_FOUND");
    const used = new Map<string, number>();
    for (const { prescriptionId } of fills) used.set(prescriptionId, (used.get(prescriptionId) ?? 0) + 1);
    for (const [id, count] of used) requireFills(patientId, id, count);

    const order = state.orders.add({
      id: newId("ord_"),
      externalId: externalId ?? null,
      patientId,
      pharmacyId: pharmacyId ?? null,
      state: pharmacyId ? "PENDING" : "ROUTING",
      createdAt: deps.now().toISOString(),
      address,
      fills: fills.map(({ prescriptionId }) => ({ id: newId("fil_"), prescriptionId })),
      fulfillment: null,
    });
    events.order("created", order);
    for (const [id, count] of used) {
      const prescription = mustHave(state.prescriptions, id);
      prescription.fillsRemaining -= count;
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

  /** A second cancellation changes nothing and sends nothing. */
  function cancel(orderId: string): PhotonOrder {
    const order = state.orders.get(orderId);
    if (!order) throw refusal("ORDER_NOT_FOUND");
    if (order.state === "CANCELED") return order;
    if (order.fulfillment?.state === "SHIPPED" || order.state === "COMPLETED") {
      throw refusal("ORDER_NOT_CANCELABLE");
    }
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

  /** The order. Throws unless it is at one of these stages. */
  function orderAt(orderId: string, ...stages: readonly string[]): PhotonOrder {
    const order = mustHave(state.orders, orderId);
    const stage = stageOf(order);
    if (!stages.includes(stage)) throw new Error(`order ${orderId} is ${stage}, not ${stages.join(" or ")}`);
    return order;
  }

  function place(orderId: string): void {
    const order = orderAt(orderId, "ROUTING", "PENDING");
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
    progress(orderAt(orderId, "SENT"), "FILLING");
  }

  function ship(orderId: string): void {
    const order = orderAt(orderId, "FILLING");
    const trackingNumber = randomId(deps.random, "94", 20, "0123456789");
    order.fulfillment = { state: "FILLING", carrier: CARRIER, trackingNumber };
    progress(order, "SHIPPED");
  }

  function deliver(orderId: string): void {
    const order = orderAt(orderId, "SHIPPED");
    progress(order, "DELIVERED");
    order.state = "COMPLETED";
    events.order("completed", order);
  }

  /** Moves the order to its next stage, and returns that stage; null when the order has ended. */
  function advance(orderId: string): "PLACED" | Exclude<PhotonFulfillmentState, "SENT"> | null {
    switch (stageOf(mustHave(state.orders, orderId))) {
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
    orderAt(orderId, "ROUTING", "PENDING", "SENT", "FILLING");
    cancel(orderId);
  }

  /** An order in error keeps its fills until it is canceled. */
  function fail(orderId: string): void {
    const order = orderAt(orderId, "ROUTING", "PENDING", "SENT", "FILLING", "SHIPPED");
    order.state = "ERROR";
    events.order("error", order);
  }

  /** Gives the order to another pharmacy. {@link place} comes next. */
  function reroute(orderId: string): void {
    const order = orderAt(orderId, "ROUTING", "PENDING", "SENT", "FILLING");
    order.pharmacyId = newId("phr_");
    order.state = "PENDING";
    order.fulfillment = null;
    events.order("rerouted", order);
  }

  return { create, cancel, place, fill, ship, deliver, advance, cancelByPharmacy, fail, reroute };
}

/** The state of the order, or of its fulfilment while it is with a pharmacy. */
function stageOf(order: PhotonOrder): string {
  return order.state === "PLACED" ? order.fulfillment?.state ?? "PLACED" : order.state;
}

/** Photon answers 200 where an operation ran and was refused, and 400 where it never ran. */
function refusal(code: string): Refusal {
  return new Refusal(200, code, PHOTON_CANARY);
}
