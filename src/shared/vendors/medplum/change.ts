import { z } from "zod";
import type { Hint } from "../hints.ts";
import { FHIR_ID, patientIdOf } from "./fhir.ts";

/** A resource as far as a change of it is told: which one, which version, when, and whose. */
export const changedSchema = z.object({
  resourceType: z.string().regex(/^[A-Za-z]{1,64}$/),
  id: z.string().regex(FHIR_ID),
  meta: z.object({
    /** Opaque: Medplum promises no order and no form. */
    versionId: z.string().min(1).max(64),
    lastUpdated: z.string().regex(/^\d{4}-\d\d-\d\dT[\d:.]{5,20}(Z|[+-]\d\d:\d\d)$/).nullish().catch(null),
  }),
  /** Not every type has one, and not every one names a patient. */
  subject: z.object({ reference: z.string() }).nullish().catch(null),
});
export type Changed = z.output<typeof changedSchema>;

/** One reduction for both ways a change can come: what is caught up on equals what the webhook would have recorded. */
export function changeAttributes({ resourceType, id, meta, subject }: Changed): Hint<"health"> {
  return {
    resource_type: resourceType,
    resource_id: id,
    version_id: meta.versionId,
    last_updated: meta.lastUpdated ?? null,
    patient_id: resourceType === "Patient" ? id : patientIdOf(subject?.reference),
  };
}

/** A resource that is gone tells nothing but its name. */
export function deletedAttributes(resourceType: string, id: string): Hint<"health"> {
  return {
    resource_type: resourceType,
    resource_id: id,
    version_id: null,
    last_updated: null,
    patient_id: null,
  };
}

/** The types whose changes can be listed, by the word that events use for them. */
const LISTED_TYPES = new Map(
  ["Patient", "MedicationRequest", "MedicationDispense"].map((type) => [type.toLowerCase(), type]),
);

/** `medicationrequest` is MedicationRequest; undefined for a type that nobody listed yet. */
export function listedType(word: string): string | undefined {
  return LISTED_TYPES.get(word);
}
