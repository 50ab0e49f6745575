import type { HealthRecord, Prescription } from "../health.ts";
import { anyDispenseSchema, anyRequestSchema, patientSchema, requestSchema } from "./fhir.ts";
import { countFills, type FillCount } from "./fills.ts";
import { earliestFill, isInUse } from "./in-use.ts";
import { type FhirServer, isPathId, PAGE_SIZE, pathId } from "./server.ts";
import { toPrescription } from "./to-prescription.ts";

/** Medplum's largest page, for many patients at once. */
const LARGE_PAGE_SIZE = 1000;

/**
 * The elements that are read, and so all that is asked for: no note, no instruction and no name leaves the health record
 * without need. A server that does not know `_elements` sends whole resources. `medication` is FHIR's name of the
 * element, `medicationCodeableConcept` is Medplum's.
 */
const MEDICATION = "medication,medicationCodeableConcept";
const REQUEST_ELEMENTS = `status,intent,subject,${MEDICATION},doNotPerform,authoredOn,dispenseRequest`;
const DISPENSE_ELEMENTS = `status,subject,${MEDICATION},whenPrepared,whenHandedOver,authorizingPrescription`;

const SEARCH = "search prescriptions";

/** Prescriptions with the fills that were used. */
export function makePrescriptions(
  server: FhirServer,
  now: () => Date,
): Pick<HealthRecord, "listPrescriptions" | "listPrescriptionsOf" | "getPrescription"> {
  /**
   * Counts dispenses of every status: an unknown status may have used a fill.
   * @param since leaves out dispenses that were put on record before; null: none
   */
  async function countFillsOf(patientIds: readonly string[], since: Date | null): Promise<FillCount> {
    const query = {
      ...ofPatients(patientIds),
      _elements: DISPENSE_ELEMENTS,
      ...(since ? { _lastUpdated: `ge${since.toISOString()}` } : {}),
    };
    return countFills(
      await server.search("search dispenses", "MedicationDispense", query, anyDispenseSchema),
    );
  }

  async function requestsOf(patientIds: readonly string[]) {
    const query = { ...ofPatients(patientIds), _elements: REQUEST_ELEMENTS };
    const all = await server.search(SEARCH, "MedicationRequest", query, anyRequestSchema);
    // FHIR lets a server ignore a parameter: nobody else's prescription may count as one of these patients'.
    return all.filter(({ subject }) => patientIds.includes(subject));
  }

  return {
    async listPrescriptions(patientId) {
      const requests = await requestsOf([pathId(SEARCH, patientId)]);
      if (requests.length === 0) {
        // A search finds nothing for a patient who does not exist; only a read tells the two apart.
        await server.read("read patient", "Patient", patientId, patientSchema);
        return [];
      }
      // After the prescriptions, so that a fill made in between is counted rather than missed.
      const fills = await countFillsOf([patientId], null);
      return requests.map((request) => toPrescription(request, fills));
    },

    async listPrescriptionsOf(patientIds) {
      const ids = [...new Set(patientIds)].filter(isPathId);
      const found = new Map<string, Prescription[]>();
      if (ids.length === 0) return found;
      const requests = await requestsOf(ids);
      // Years of fills are on record, but only those under a prescription in use are counted.
      const inUse = new Set(requests.filter((request) => isInUse(request, now())));
      const fills = inUse.size > 0 ? await countFillsOf(ids, earliestFill([...inUse])) : null;
      for (const request of requests) {
        const prescription = toPrescription(request, inUse.has(request) ? fills : null);
        found.set(request.subject, [...(found.get(request.subject) ?? []), prescription]);
      }
      // A search finds nothing for a patient who does not exist either.
      const without = ids.filter((id) => !found.has(id));
      if (without.length === 0) return found;
      for (const id of await server.searchPatients(without)) found.set(id, []);
      return found;
    },

    async getPrescription(id) {
      const request = await server.find("read prescription", "MedicationRequest", id, requestSchema);
      return request && toPrescription(request, await countFillsOf([request.subject], null));
    },
  };
}

/** The search of one patient's resources, or of several: a comma means "or". The order lets the server page without end. */
function ofPatients(patientIds: readonly string[]): Record<string, string> {
  const subject = patientIds.map((id) => `Patient/${id}`).join(",");
  const size = patientIds.length > 1 ? LARGE_PAGE_SIZE : PAGE_SIZE;
  return { subject, _sort: "_lastUpdated", _count: String(size) };
}
