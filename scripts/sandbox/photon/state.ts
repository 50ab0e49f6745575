import { z } from "zod";
import { dayIn } from "../../../src/shared/day.ts";
import { Shelf } from "../shelf.ts";

// The knowledge of the sandbox's Photon, in Photon's words: see the SDK's types.

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

export type PhotonFulfillmentState = "SENT" | "FILLING" | "SHIPPED" | "DELIVERED";

export const addressInput = z.strictObject({
  name: z.strictObject({ first: z.string(), last: z.string() }).nullish(),
  street1: z.string(),
  street2: z.string().nullish(),
  city: z.string(),
  state: z.string(),
  postalCode: z.string(),
  country: z.string(),
});
export type PhotonAddress = z.output<typeof addressInput>;

export interface PhotonOrder {
  id: string;
  externalId: string | null;
  patientId: string;
  pharmacyId: string | null;
  state: "ROUTING" | "PENDING" | "PLACED" | "COMPLETED" | "CANCELED" | "ERROR";
  createdAt: string;
  address: PhotonAddress;
  fills: { id: string; prescriptionId: string }[];
  fulfillment: {
    state: PhotonFulfillmentState;
    carrier: string | null;
    trackingNumber: string | null;
  } | null;
}

export class PhotonState {
  readonly patients = new Map<string, PhotonPatient>();
  readonly prescriptions = new Shelf<PhotonPrescription>(({ patientId }) => patientId);
  readonly orders = new Shelf<PhotonOrder>(({ patientId }) => patientId);
}

/** Expiry has no event at Photon: it follows from the calendar. The last day still counts. */
export function prescriptionState(
  prescription: PhotonPrescription,
  now: Date,
): "ACTIVE" | "DEPLETED" | "EXPIRED" | "CANCELED" {
  if (prescription.canceled) return "CANCELED";
  if (dayIn(now, "UTC") > prescription.expirationDate) return "EXPIRED";
  return prescription.fillsRemaining > 0 ? "ACTIVE" : "DEPLETED";
}
