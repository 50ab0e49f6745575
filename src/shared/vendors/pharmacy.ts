import type { Day } from "../day.ts";
import type { Page, ShippingAddress } from "./contract.ts";

/** The states of an order, for every pharmacy. In order of progress; the last three end it. */
export const PHARMACY_ORDER_STATES = [
  "accepted",
  "needs_attention",
  "filling",
  "shipped",
  "out_for_delivery",
  "delivered",
  "returned",
  "canceled",
  "failed",
] as const;
export type PharmacyOrderState = (typeof PHARMACY_ORDER_STATES)[number];

export interface PharmacyOrder {
  id: string;
  /** Our reference, given when the order was created. */
  reference: string | null;
  patientId: string | null;
  state: PharmacyOrderState;
  carrier: string | null;
  trackingNumber: string | null;
  /** Where the pharmacy will send it; null when it does not say. Kept in memory only. */
  address: ShippingAddress | null;
}

export interface PharmacyPrescription {
  id: string;
  /** The health record's id of the same prescription. */
  reference: string | null;
  active: boolean;
  /** All fills, the first one included; null where it does not say. */
  fillsAllowed: number | null;
  fillsRemaining: number | null;
  /** The last day on which the pharmacy fills it; null where it does not say. */
  lastDay: Day | null;
}

/** The pharmacy: fills and ships. */
export interface Pharmacy {
  /** The pharmacy's copy of a prescription, by the health record's id; null while it has not arrived. */
  findPrescription(query: { patientId: string; reference: string }): Promise<PharmacyPrescription | null>;
  /** Not idempotent at the vendor: only ever called through the effects ledger. */
  createOrder(order: {
    patientId: string;
    prescriptionId: string;
    reference: string;
    address: ShippingAddress;
  }): Promise<PharmacyOrder>;
  getOrder(orderId: string): Promise<PharmacyOrder | null>;
  /** Orders of the patient with our reference, through a list that shows the vendor's own latest writes. Oldest first. */
  findOrders(query: { patientId: string; reference: string }): Promise<PharmacyOrder[]>;
  /**
   * Every order of the organisation, or only those that have not ended, page by page, in no order to rely on. An order
   * that moves on meanwhile may be missing or come twice.
   */
  listOrders(cursor: string | null, only?: "open"): Promise<Page<PharmacyOrder>>;
  /** Every prescription at the pharmacy, page by page: the treatments in use. `treatmentId` is the pharmacy's. */
  listTreatments(cursor: string | null): Promise<Page<{ id: string; treatmentId: string; active: boolean }>>;
  /** Refused when it is too late. Cancelling a canceled order is the same as cancelling it once. */
  cancelOrder(orderId: string): Promise<PharmacyOrder>;
}
