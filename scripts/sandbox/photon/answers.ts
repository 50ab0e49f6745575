import type { Json } from "../../../src/shared/vendors/contract.ts";
import { mustHave } from "../shelf.ts";
import type { FieldMap } from "./document.ts";
import { type PhotonOrder, type PhotonPrescription, type PhotonState, prescriptionState } from "./state.ts";

// The fields that a query can ask for. An answer has these and more: it is cut to the fields asked for.

const REFERENCE = { id: true, externalId: true } as const;
const ADDRESS = {
  name: { first: true, last: true },
  street1: true,
  street2: true,
  city: true,
  state: true,
  postalCode: true,
  country: true,
} as const;
export const ORDER_FIELDS: FieldMap = {
  ...REFERENCE,
  state: true,
  createdAt: true,
  patient: REFERENCE,
  pharmacy: { id: true },
  address: ADDRESS,
  fulfillment: { type: true, state: true, carrier: true, trackingNumber: true },
  fills: { id: true, state: true, prescription: REFERENCE },
};
export const PRESCRIPTION_FIELDS: FieldMap = {
  ...REFERENCE,
  state: true,
  patient: REFERENCE,
  treatment: { id: true },
  instructions: true,
  writtenAt: true,
  effectiveDate: true,
  expirationDate: true,
  fillsAllowed: true,
  fillsRemaining: true,
  daysSupply: true,
};

export function orderAnswer(order: PhotonOrder, state: PhotonState): Json {
  const { address, fulfillment } = order;
  return {
    ...order,
    patient: { ...mustHave(state.patients, order.patientId) },
    pharmacy: order.pharmacyId === null ? null : { id: order.pharmacyId },
    address: { ...address, name: address.name ?? null, street2: address.street2 ?? null },
    fulfillment: fulfillment && { type: "MAIL_ORDER", ...fulfillment },
    fills: order.fills.map(({ id, prescriptionId }) => ({
      id,
      state: order.state === "CANCELED" ? "CANCELED" : fulfillment ? "SENT" : "NEW",
      prescription: {
        id: prescriptionId,
        externalId: mustHave(state.prescriptions, prescriptionId).externalId,
      },
    })),
  };
}

export function prescriptionAnswer(rx: PhotonPrescription, state: PhotonState, now: Date): Json {
  return {
    ...rx,
    state: prescriptionState(rx, now),
    patient: { ...mustHave(state.patients, rx.patientId) },
    treatment: { id: rx.treatmentId },
  };
}
