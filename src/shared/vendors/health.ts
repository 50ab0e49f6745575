import type { Day } from "../day.ts";
import type { Page, ShippingAddress } from "./contract.ts";
import type { Hint } from "./hints.ts";
import type { VendorEvent } from "./webhook.ts";

/**
 * A date as precise as the record has it. No record names a zone for a day, a month or a year: they are of the
 * pharmacy's calendar.
 */
export type RecordedDate =
  | { kind: "instant"; at: Date }
  /** One day, where `first` is `last`; else a month or a year. */
  | { kind: "days"; first: Day; last: Day }
  | { kind: "unreadable" };

/** FHIR's own words for the state of a prescription. */
export interface FhirWords {
  /** active, on-hold, cancelled, completed, entered-in-error, stopped, draft, unknown; a later version may have more. */
  status: string;
  /** proposal, plan, order, … */
  intent: string;
  /** True for an order not to give the drug. */
  doNotPerform: boolean;
}

/** A prescription in the health record. Unknown is null, and null never counts as valid. */
export interface Prescription {
  id: string;
  patientId: string;
  /** For `prescriptions/standing.ts` alone. Null: it is on file and cannot be read. */
  fhir: FhirWords | null;
  codes: { system: string; code: string }[];
  writtenOn: RecordedDate | null;
  /** Null: from when it was written. */
  validFrom: RecordedDate | null;
  /** Its last day. Null is never "for ever". */
  validUntil: RecordedDate | null;
  /** All fills, the first one included. */
  fillsAllowed: number | null;
  /** Completed dispenses that name this prescription. Null: not counted, because nothing can be filled under it. */
  fillsDispensed: number | null;
  /** Dispenses on file that may have used a fill of it, and do not say so. Absent: none. */
  uncertainFills?: number;
  /** Of the latest completed dispense; null when there is none or it has no date. */
  lastDispensedOn: RecordedDate | null;
  /** Days one fill lasts. */
  daysSupply: number | null;
}

/** A patient, reduced to the facts that identify one. Kept in memory only. */
export interface HealthPatient {
  id: string;
  /** False: the record is no longer in use. */
  active: boolean;
  /** Those in use, as the record has them. */
  identifiers: { system: string; value: string }[];
  /** The record that replaced this one. `unclear`: there is one, but it cannot be told which. */
  replacement: { kind: "none" } | { kind: "patient"; id: string } | { kind: "unclear" };
  /** Records that this one says it replaced. True only where they say so too. */
  replaces: string[];
  /** A hint at the customer; never proof. */
  emails: string[];
}

/** The health record: owner of addresses and of prescriptions on file. */
export interface HealthRecord {
  /** Null when the patient was deleted or never was. */
  getPatient(patientId: string): Promise<HealthPatient | null>;
  /** The address in use for shipping now; null when it is missing or incomplete. An unknown patient gives `refused`. */
  getShippingAddress(patientId: string): Promise<ShippingAddress | null>;
  /** Every prescription on file, whatever its status. An unknown patient gives `refused`. */
  listPrescriptions(patientId: string): Promise<Prescription[]>;
  /**
   * As {@link HealthRecord.listPrescriptions} for many patients (at most 100) in few calls. The map leaves out unknown
   * patients and malformed ids. Fills are counted only under prescriptions that may still be filled.
   */
  listPrescriptionsOf(patientIds: readonly string[]): Promise<Map<string, Prescription[]>>;
  /** One prescription, or null when it was deleted or never was. */
  getPrescription(prescriptionId: string): Promise<Prescription | null>;
  /**
   * The resources that were written or changed from `since` up to, not including, `until`: oldest first, each once, in
   * its present version. They come reduced as the webhook is, as `<type>.update` events with ids of their own, because
   * a list does not name the subscription. A delete does not show. `type` is the word that events use, e.g.
   * `medicationrequest`; a type that cannot be listed is `refused`. The cursor may be stored.
   */
  listChanges(query: {
    type: string;
    since: Date;
    until: Date;
    cursor: string | null;
  }): Promise<Page<VendorEvent<Hint<"health">>>>;
  /** The deleted ones of these patients (at most 100), as `patient.delete` events. An id that never was is left out. */
  listDeletedPatients(patientIds: readonly string[]): Promise<VendorEvent<Hint<"health">>[]>;
}
