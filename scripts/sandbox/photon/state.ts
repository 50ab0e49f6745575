import { dayIn } from "../../../src/shared/day.ts";
import type { Rows } from "./rows.ts";

/** What the sandbox's Photon knows. Its words are Photon's: see the SDK's types. */

export interface PhotonPatient {
  id: string;
  externalId: string | null;
}

export interface PhotonPrescription {
  id: string;
  externalId: string | null;
  patientId: string;
  treatmentId: string;
  instructions: string;
  fillsAllowed: number;
  fillsRemaining: number;
  daysSupply: number;
  /** Dates, `YYYY-MM-DD`. */
  effectiveDate: string;
  expirationDate: string;
  writtenAt: string;
  canceled: boolean;
}

export type PhotonOrderState = "ROUTING" | "PENDING" | "PLACED" | "COMPLETED" | "CANCELED" | "ERROR";
export type PhotonFulfillmentState = "SENT" | "FILLING" | "SHIPPED" | "DELIVERED";

export interface PhotonAddress {
  name?: { first: string; last: string } | null | undefined;
  street1: string;
  street2?: string | null | undefined;
  city: string;
  state: string;
  postalCode: string;
  country: string;
}

export interface PhotonOrder {
  id: string;
  externalId: string | null;
  patientId: string;
  pharmacyId: string | null;
  state: PhotonOrderState;
  createdAt: string;
  address: PhotonAddress;
  fills: { id: string; prescriptionId: string }[];
  fulfillment: {
    state: PhotonFulfillmentState;
    carrier: string | null;
    trackingNumber: string | null;
  } | null;
}

export interface PhotonState {
  patients: Map<string, PhotonPatient>;
  prescriptions: Rows<PhotonPrescription>;
  /** In the order they were made. */
  orders: Rows<PhotonOrder>;
}

export type PhotonPrescriptionState = "ACTIVE" | "DEPLETED" | "EXPIRED" | "CANCELED";

/** Expiry has no event at Photon: it is a fact of the calendar. The last day still counts. */
export function prescriptionState(prescription: PhotonPrescription, now: Date): PhotonPrescriptionState {
  if (prescription.canceled) return "CANCELED";
  if (dayIn(now, "UTC") > prescription.expirationDate) return "EXPIRED";
  return prescription.fillsRemaining > 0 ? "ACTIVE" : "DEPLETED";
}

/** What `get` did not find is a mistake of the caller in the sandbox's own process. */
export function mustHave<Value>(map: ReadonlyMap<string, Value>, id: string): Value {
  const value = map.get(id);
  if (value === undefined) throw new Error(`the sandbox has no ${id}`);
  return value;
}
