import { z } from "zod";
import { isDay } from "../../day.ts";
import type { PharmacyOrder, PharmacyPrescription, ShippingAddress } from "../contract.ts";
import { orderState } from "./states.ts";

// Only what is used is asked for: neither the drug nor its instructions ever come back.
const ADDRESS = "name { first last } street1 street2 city state postalCode country";
const ORDER =
  `id externalId state createdAt patient { id } address { ${ADDRESS} } fulfillment { state carrier trackingNumber }`;
export const CREATE_ORDER =
  `mutation CreateOrder($patientId: ID!, $fills: [FillInput!]!, $address: AddressInput!, $externalId: ID, $pharmacyId: ID) {
  createOrder(patientId: $patientId, fills: $fills, address: $address, externalId: $externalId, pharmacyId: $pharmacyId) { ${ORDER} }
}`;
// Not in @photonhealth/sdk's types; Photon's own app sends cancelOrder(id: ID!, reason: String). No reason is given:
// it would be free text about a patient.
export const CANCEL_ORDER = `mutation CancelOrder($id: ID!) { cancelOrder(id: $id) { ${ORDER} } }`;
export const GET_ORDER = `query Order($id: ID!) { order(id: $id) { ${ORDER} } }`;
export const LIST_ORDERS = `query Orders($after: ID, $first: Int, $filter: OrderFilter) {
  orders(after: $after, first: $first, filter: $filter) { ${ORDER} }
}`;
export const LIST_PRESCRIPTIONS = `query Prescriptions($after: ID, $first: Int, $filter: PrescriptionFilter) {
  prescriptions(after: $after, first: $first, filter: $filter) { id externalId state writtenAt expirationDate fillsRemaining }
}`;
export const LIST_TREATMENTS = `query Treatments($after: ID, $first: Int) {
  prescriptions(after: $after, first: $first) { id state treatment { id } }
}`;

const addressNode = z.object({
  name: z.object({ first: z.string().nullish(), last: z.string().nullish() }).nullish(),
  street1: z.string().nullish(),
  street2: z.string().nullish(),
  city: z.string().nullish(),
  state: z.string().nullish(),
  postalCode: z.string().nullish(),
  country: z.string().nullish(),
});

export const orderNode = z.object({
  id: z.string().min(1),
  externalId: z.string().nullish(),
  state: z.string(),
  createdAt: z.string(),
  patient: z.object({ id: z.string() }).nullish(),
  address: addressNode.nullish(),
  fulfillment: z.object({
    state: z.string().nullish(),
    carrier: z.string().nullish(),
    trackingNumber: z.string().nullish(),
  }).nullish(),
});
export type OrderNode = z.output<typeof orderNode>;

export const prescriptionNode = z.object({
  id: z.string().min(1),
  externalId: z.string().nullish(),
  state: z.string(),
  writtenAt: z.string().nullish(),
  expirationDate: z.string().nullish(),
  fillsRemaining: z.number().int().nullish(),
});
export type PrescriptionNode = z.output<typeof prescriptionNode>;

export const treatmentNode = z.object({
  id: z.string().min(1),
  state: z.string(),
  treatment: z.object({ id: z.string().min(1) }),
});
export type TreatmentNode = z.output<typeof treatmentNode>;

export function toOrder(node: OrderNode): PharmacyOrder {
  return {
    id: node.id,
    reference: node.externalId ?? null,
    patientId: node.patient?.id ?? null,
    state: orderState(node.state, node.fulfillment?.state ?? null),
    carrier: node.fulfillment?.carrier ?? null,
    trackingNumber: node.fulfillment?.trackingNumber ?? null,
    address: node.address ? fromAddress(node.address) : null,
  };
}

export function toPrescription(node: PrescriptionNode): PharmacyPrescription {
  return {
    id: node.id,
    reference: node.externalId ?? null,
    active: node.state === "ACTIVE",
    fillsRemaining: node.fillsRemaining ?? null,
    lastDay: node.expirationDate && isDay(node.expirationDate) ? node.expirationDate : null,
  };
}

export function toTreatment({ id, state, treatment }: TreatmentNode) {
  return { id, treatmentId: treatment.id, active: state === "ACTIVE" };
}

/** Photon's Address as ours; null when a part that a parcel needs is missing. The opposite of {@link toAddress}. */
function fromAddress(node: z.output<typeof addressNode>): ShippingAddress | null {
  const { name, street1, street2, city, state, postalCode, country } = node;
  if (!street1 || !city || !state || !postalCode || !country) return null;
  return {
    name: [name?.first, name?.last].filter(Boolean).join(" ") || null,
    street1,
    street2: street2 || null,
    city,
    state,
    postalCode,
    country,
  };
}

/** Photon's AddressInput. Its name has two required parts: a name of one word is left to the patient's record. */
export function toAddress({ name, street2, ...address }: ShippingAddress) {
  const words = name?.trim().split(/\s+/) ?? [];
  const last = words.length > 1 ? words.pop() : undefined;
  return {
    ...(last === undefined ? {} : { name: { first: words.join(" "), last } }),
    street1: address.street1,
    ...(street2 ? { street2 } : {}),
    city: address.city,
    state: address.state,
    postalCode: address.postalCode,
    country: address.country,
  };
}
