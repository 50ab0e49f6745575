import type { Json } from "../../../src/shared/vendors/contract.ts";
import { hmacSha256, toHex } from "../../../src/shared/vendors/signing.ts";
import type { Outbox } from "../outbox.ts";
import { ulid } from "../random.ts";
import type { SandboxDeps } from "../server.ts";
import { mustHave } from "../shelf.ts";
import type { PhotonOrder, PhotonPatient, PhotonPrescription, PhotonState } from "./state.ts";

/** Free text that only a clinic may read. Outside Photon it is a leak. */
export const PHOTON_CANARY = "CANARY-PHOTON the patient reports a rash, halve the evening dose";

const SOURCE = "org:org_SandboxClinic1";

type OrderEventType = "created" | "placed" | "fulfillment" | "rerouted" | "completed" | "canceled" | "error";

export type PhotonEvents = ReturnType<typeof makeEvents>;

/** Photon's webhooks as its docs show them: one CloudEvent, one POST, signed as it is sent. */
export function makeEvents(deps: SandboxDeps, state: PhotonState, outbox: Outbox) {
  function push(type: string, subject: string, data: Record<string, Json>): void {
    const now = deps.now();
    const id = ulid(now, deps.random);
    const body = JSON.stringify({
      id,
      type,
      specversion: "1.0",
      datacontenttype: "application/json",
      time: now.toISOString(),
      subject,
      source: SOURCE,
      data,
    });
    outbox.push({
      id,
      sign: async (at) => ({
        body,
        headers: {
          "content-type": "application/cloudevents-batch+json",
          "x-photon-timestamp": String(at.getTime()),
          "x-photon-signature": toHex(await hmacSha256(deps.webhook.secret, body)),
        },
      }),
    });
  }

  return {
    order(type: OrderEventType, order: PhotonOrder): void {
      const patient = patientRef(mustHave(state.patients, order.patientId));
      push(`photon:order:${type}`, order.id, {
        id: order.id,
        ...externalRef(order.externalId),
        ...orderDetails(type, order, state),
        patient,
      });
    },
    prescription(
      type: "created" | "depleted" | "active" | "canceled",
      prescription: PhotonPrescription,
    ): void {
      const patient = patientRef(mustHave(state.patients, prescription.patientId));
      push(`photon:prescription:${type}`, prescription.id, {
        id: prescription.id,
        ...externalRef(prescription.externalId),
        ...(type === "created" ? prescriptionDetails(prescription) : {}),
        patient,
      });
    },
  };
}

function orderDetails(type: OrderEventType, order: PhotonOrder, state: PhotonState): Record<string, Json> {
  switch (type) {
    case "created": {
      const fills = order.fills.map(({ id, prescriptionId }) => {
        const { externalId } = mustHave(state.prescriptions, prescriptionId);
        return { id, prescription: { id: prescriptionId, ...externalRef(externalId) } };
      });
      return { pharmacyId: order.pharmacyId, fills };
    }
    case "placed":
    case "rerouted":
      return { pharmacy: pharmacyOf(order) };
    case "fulfillment": {
      if (!order.fulfillment) throw new Error("a fulfillment event needs a fulfillment");
      const { state: progress, carrier, trackingNumber } = order.fulfillment;
      const parcel = carrier === null ? {} : { carrier, trackingNumber };
      return { fulfillment: { type: "MAIL_ORDER", state: progress, ...parcel } };
    }
    case "error":
      return { reason: PHOTON_CANARY };
    case "completed":
    case "canceled":
      return {};
  }
}

function prescriptionDetails(prescription: PhotonPrescription): Record<string, Json> {
  return {
    treatmentId: prescription.treatmentId,
    prescriberId: "usr_SandboxPrescriber",
    instructions: prescription.instructions,
    notes: PHOTON_CANARY,
    dispenseQuantity: prescription.daysSupply,
    dispenseUnit: "Each",
    dispenseAsWritten: false,
    fillsAllowed: prescription.fillsAllowed,
    refillsAllowed: prescription.fillsAllowed - 1,
    daysSupply: prescription.daysSupply,
    effectiveDate: prescription.effectiveDate,
    expirationDate: prescription.expirationDate,
  };
}

function pharmacyOf(order: PhotonOrder): Json {
  return {
    id: order.pharmacyId,
    name: "Sandbox Mail Pharmacy",
    phone: "+13025550143",
    address: {
      street1: "12 Loopback Road",
      street2: null,
      city: "Dover",
      state: "DE",
      postalCode: "19901",
    },
  };
}

function patientRef(patient: PhotonPatient): Json {
  return { id: patient.id, ...externalRef(patient.externalId) };
}

/** Photon gives an `externalId` only when one was set. */
function externalRef(externalId: string | null): { externalId?: string } {
  return externalId === null ? {} : { externalId };
}
