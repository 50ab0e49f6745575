import { z } from "zod";
import { VendorError } from "../contract.ts";
import type { HealthRecord } from "../health.ts";
import type { Hint } from "../hints.ts";
import { FHIR_ID, patientIdOf } from "./fhir.ts";
import { type FhirServer, isPathId } from "./server.ts";

/** The fields of a changed resource that are kept: its id, version and time, and its patient. */
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

/** The webhook and the list reduce a change in the same way. */
export function changeAttributes(
  { resourceType, id, meta, subject }: z.output<typeof changedSchema>,
): Hint<"health"> {
  return {
    resource_type: resourceType,
    resource_id: id,
    version_id: meta.versionId,
    last_updated: meta.lastUpdated ?? null,
    patient_id: resourceType === "Patient" ? id : patientIdOf(subject?.reference),
  };
}

/** A deleted resource has nothing left but its name. */
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
const LISTED_TYPES: ReadonlyMap<string, string> = new Map(
  ["Patient", "MedicationRequest", "MedicationDispense"].map((type) => [type.toLowerCase(), type]),
);

/** Small, because whole resources come back. */
const CHANGES_PAGE_SIZE = 200;

/** Lists of changes, for webhooks that were lost. */
export function makeChanges(server: FhirServer): Pick<HealthRecord, "listChanges" | "listDeletedPatients"> {
  return {
    async listChanges({ type: word, since, until, cursor }) {
      const operation = "list changes";
      const type = LISTED_TYPES.get(word);
      if (type === undefined) {
        throw new VendorError("health", "refused", operation, { code: "unlisted_type" });
      }
      const query = new URLSearchParams([
        ["_lastUpdated", `ge${since.toISOString()}`],
        ["_lastUpdated", `lt${until.toISOString()}`],
        ["_sort", "_lastUpdated"],
        ["_count", String(CHANGES_PAGE_SIZE)],
      ]);
      const { entries, next } = await server.readPage(operation, type, query, cursor);
      const events = entries.map((resource) => {
        const parsed = changedSchema.safeParse(resource);
        if (!parsed.success) throw new VendorError("health", "unanswered", operation, { code: "shape" });
        const { id, meta } = parsed.data;
        return {
          id: `listed:${type}/${id}:${meta.versionId}`,
          type: `${word}.update`,
          attributes: changeAttributes(parsed.data),
        };
      });
      return { entries: events, next };
    },

    async listDeletedPatients(patientIds) {
      // A malformed id was mistyped here, not deleted there.
      const ids = patientIds.filter(isPathId);
      if (ids.length === 0) return [];
      const there = await server.searchPatients(ids);
      const deleted = [];
      for (const id of ids.filter((id) => !there.has(id))) {
        if (!(await server.isDeleted("read patient", "Patient", id))) continue;
        deleted.push({
          id: `listed:Patient/${id}:delete`,
          type: "patient.delete",
          attributes: deletedAttributes("Patient", id),
        });
      }
      return deleted;
    },
  };
}
