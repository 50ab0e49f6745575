import type { HealthRecord } from "../health.ts";
import { shippingAddress } from "./address.ts";
import { makeChanges } from "./changes.ts";
import { patientSchema } from "./fhir.ts";
import { toHealthPatient } from "./patient.ts";
import { makePrescriptions } from "./prescriptions.ts";
import { type FhirServerOptions, makeFhirServer } from "./server.ts";

interface MedplumOptions extends FhirServerOptions {
  /** The zone of the record's periods: no record names one. */
  timeZone: () => Promise<string>;
}

const READ_PATIENT = "read patient";

/**
 * The health record on Medplum (FHIR R4). Reads only, keeps nothing but its own token, logs nothing.
 * Every failure is a `VendorError`; an id that is no FHIR id is `refused` with the code `bad_id`.
 */
export function makeMedplumClient(options: MedplumOptions): HealthRecord {
  const server = makeFhirServer(options);
  const { now, timeZone } = options;
  return {
    ...makePrescriptions(server, now),
    ...makeChanges(server),

    async getPatient(patientId) {
      const patient = await server.find(READ_PATIENT, "Patient", patientId, patientSchema);
      return patient && toHealthPatient(patient, now(), await timeZone());
    },

    async getShippingAddress(patientId) {
      const patient = await server.read(READ_PATIENT, "Patient", patientId, patientSchema);
      return shippingAddress(patient, now(), await timeZone());
    },
  };
}
