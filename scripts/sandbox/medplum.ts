import { Faults } from "./faults.ts";
import { makeOutbox, pushChange } from "./medplum/deliveries.ts";
import {
  afterMerge,
  afterMove,
  dispenseResource,
  type Identifier,
  type NewPatient,
  patientResource,
  PHARMACY_ORDER_SYSTEM,
  prescriptionResource,
  type PrescriptionTerms,
  type SandboxAddress,
  withEmail,
  withTerms,
} from "./medplum/resources.ts";
import { makeRoutes } from "./medplum/routes.ts";
import { FhirStore, type ResourceType } from "./medplum/store.ts";
import { randomId, uuid } from "./random.ts";
import type { Sandbox, SandboxDeps } from "./server.ts";

type NewPrescription = Pick<PrescriptionTerms, "rxnorm" | "drug"> & Partial<PrescriptionTerms> & {
  patientId: string;
  id?: string;
};

export type MedplumSandbox = ReturnType<typeof makeMedplumSandbox>;

/**
 * The health record's stand-in: FHIR R4 as Medplum serves it, with rest-hook subscriptions for its three types.
 * Its actions stand for people at the clinic. They go past the faults and end, like every write over HTTP, in a
 * delivery that waits in `outbox`. Actions on an unknown or deleted resource throw.
 */
export function makeMedplumSandbox(deps: SandboxDeps) {
  const { now, random } = deps;
  const faults = new Faults(random);
  const outbox = makeOutbox(deps);
  const clientId = uuid(random);
  const clientSecret = randomId(random, "", 40);
  const tokens = new Map<string, number>();
  /** Ids of the active Subscriptions. A type without one sends nothing. */
  const subscriptions = new Map<ResourceType, string>([
    ["Patient", uuid(random)],
    ["MedicationRequest", uuid(random)],
    ["MedicationDispense", uuid(random)],
  ]);

  const store: FhirStore = new FhirStore({
    now,
    random,
    author: `ClientApplication/${clientId}`,
    onChange(change) {
      const subscriptionId = subscriptions.get(change.type);
      if (subscriptionId === undefined) return;
      pushChange({ store, outbox, secret: deps.webhook.secret, subscriptionId }, change);
    },
  });

  function updatePrescription(id: string, patch: Partial<PrescriptionTerms>): void {
    store.update("MedicationRequest", id, withTerms(store.get("MedicationRequest", id), patch));
  }

  return {
    app: makeRoutes({ store, faults, now, random, credentials: { clientId, clientSecret }, tokens }),
    faults,
    outbox,
    /** The credentials that `/oauth2/token` takes. */
    clientId,
    clientSecret,
    /** For reads, and for ending tokens or subscriptions early. */
    state: {
      patients: store.current.Patient,
      prescriptions: store.current.MedicationRequest,
      dispenses: store.current.MedicationDispense,
      history: store.history,
      subscriptions,
      tokens,
    },

    /** The dispenses that name this prescription. */
    dispensesOf: (prescriptionId: string) =>
      store.naming("MedicationDispense", `MedicationRequest/${prescriptionId}`),

    createPatient(patient: NewPatient): string {
      return store.create("Patient", patientResource(patient, now()), patient.id).id;
    },

    /** The old address stays on the Patient with `use=old`. */
    moveHouse(patientId: string, address: SandboxAddress): void {
      store.update("Patient", patientId, afterMove(store.get("Patient", patientId), address, now()));
    },

    /** Puts other systems' ids for the patient on the record. */
    identifyPatient(patientId: string, identifiers: Identifier[]): void {
      store.update("Patient", patientId, { ...store.get("Patient", patientId), identifier: identifiers });
    },

    changeEmail(patientId: string, email: string): void {
      store.update("Patient", patientId, withEmail(store.get("Patient", patientId), email));
    },

    /** Two records of one person become one. Prescriptions stay where they are. */
    mergePatients(oldId: string, keptId: string): void {
      const { old, kept } = afterMerge(store.get("Patient", oldId), store.get("Patient", keptId));
      store.update("Patient", oldId, old);
      store.update("Patient", keptId, kept);
    },

    /** An active order, unless `status` says otherwise; repeats, expiry and days' supply only when given. */
    writePrescription({ patientId, id, ...given }: NewPrescription): string {
      const patient = store.get("Patient", patientId);
      const terms = { repeats: null, validUntil: null, daysSupply: null, status: "active", ...given };
      const body = prescriptionResource({ patient, terms, writtenAt: now() });
      return store.create("MedicationRequest", body, id).id;
    },

    updatePrescription,

    cancelPrescription(id: string): void {
      updatePrescription(id, { status: "cancelled" });
    },

    deleteResource(type: ResourceType, id: string): void {
      store.delete(type, store.get(type, id).id);
    },

    /** A completed fill, handed over `at`, once per pharmacy order: a second call returns the id of the first. */
    recordDispense({ patientId, prescriptionId, pharmacyOrderId, at = now() }: {
      patientId: string;
      prescriptionId: string;
      pharmacyOrderId: string;
      at?: Date;
    }): string {
      for (const { id, identifier } of store.naming("MedicationDispense", pharmacyOrderId)) {
        const isRecorded = identifier?.some(({ system, value }) =>
          system === PHARMACY_ORDER_SYSTEM && value === pharmacyOrderId
        );
        if (isRecorded) return id;
      }
      const prescription = store.get("MedicationRequest", prescriptionId);
      if (prescription.subject?.reference !== `Patient/${patientId}`) {
        throw new Error(`MedicationRequest/${prescriptionId} is not for Patient/${patientId}`);
      }
      const body = dispenseResource({ prescription, pharmacyOrderId, at });
      return store.create("MedicationDispense", body).id;
    },
  } satisfies Sandbox & Record<string, unknown>;
}
