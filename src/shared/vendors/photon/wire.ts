import { z } from "zod";
import { isDay } from "../../day.ts";
import type { ShippingAddress } from "../contract.ts";
import type { PharmacyOrder, PharmacyPrescription } from "../pharmacy.ts";
import { orderState } from "./states.ts";

const addressNode = z.object({
  name: z.object({ first: z.string().nullish(), last: z.string().nullish() }).nullish(),
  street1: z.string().nullish(),
  street2: z.string().nullish(),
  city: z.string().nullish(),
  state: z.string().nullish(),
  postalCode: z.string().nullish(),
  country: z.string().nullish(),
});

const orderNode = z.object({
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

const prescriptionNode = z.object({
  id: z.string().min(1),
  externalId: z.string().nullish(),
  state: z.string(),
  writtenAt: z.string().nullish(),
  expirationDate: z.string().nullish(),
  fillsAllowed: z.number().int().nullish(),
  fillsRemaining: z.number().int().nullish(),
});
export type PrescriptionNode = z.output<typeof prescriptionNode>;

const treatmentNode = z.object({
  id: z.string().min(1),
  state: z.string(),
  treatment: z.object({ id: z.string().min(1) }),
}).transform(({ id, state, treatment }) => ({ id, treatmentId: treatment.id, active: state === "ACTIVE" }));

// The operations ask only for fields that are used: neither the drug nor its instructions ever come back.
const ADDRESS = "name { first last } street1 street2 city state postalCode country";
const ORDER =
  `id externalId state createdAt patient { id } address { ${ADDRESS} } fulfillment { state carrier trackingNumber }`;

export const CREATE_ORDER = {
  name: "create order",
  query:
    `mutation CreateOrder($patientId: ID!, $fills: [FillInput!]!, $address: AddressInput!, $externalId: ID, $pharmacyId: ID) {
  createOrder(patientId: $patientId, fills: $fills, address: $address, externalId: $externalId, pharmacyId: $pharmacyId) { ${ORDER} }
}`,
  schema: z.object({ createOrder: orderNode }),
};
// Not in @photonhealth/sdk's types; Photon's own app sends cancelOrder(id: ID!, reason: String). No reason is given:
// it would be free text about a patient.
export const CANCEL_ORDER = {
  name: "cancel order",
  query: `mutation CancelOrder($id: ID!) { cancelOrder(id: $id) { ${ORDER} } }`,
  schema: z.object({ cancelOrder: orderNode }),
};
export const GET_ORDER = {
  name: "get order",
  query: `query Order($id: ID!) { order(id: $id) { ${ORDER} } }`,
  schema: z.object({ order: orderNode.nullable() }),
};
export const LIST_ORDERS = {
  name: "list orders",
  query: `query Orders($after: ID, $first: Int, $filter: OrderFilter) {
  orders(after: $after, first: $first, filter: $filter) { ${ORDER} }
}`,
  schema: z.object({ orders: z.array(orderNode.nullable()) }),
};
export const LIST_PRESCRIPTIONS = {
  name: "list prescriptions",
  query: `query Prescriptions($after: ID, $first: Int, $filter: PrescriptionFilter) {
  prescriptions(after: $after, first: $first, filter: $filter) { id externalId state writtenAt expirationDate fillsAllowed fillsRemaining }
}`,
  schema: z.object({ prescriptions: z.array(prescriptionNode.nullable()) }),
};
export const LIST_TREATMENTS = {
  name: "list treatments",
  query: `query Treatments($after: ID, $first: Int) {
  prescriptions(after: $after, first: $first) { id state treatment { id } }
}`,
  schema: z.object({ prescriptions: z.array(treatmentNode.nullable()) }),
};

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
    fillsAllowed: node.fillsAllowed ?? null,
    fillsRemaining: node.fillsRemaining ?? null,
    lastDay: node.expirationDate && isDay(node.expirationDate) ? node.expirationDate : null,
  };
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
    ...address,
    name: last === undefined ? undefined : { first: words.join(" "), last },
    street2: street2 || undefined,
  };
}
