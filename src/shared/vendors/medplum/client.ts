import { z } from "zod";
import { callVendor, type Fetch } from "../call.ts";
import { type HealthRecord, type Prescription, VendorError } from "../contract.ts";
import { readAnswer } from "../json.ts";
import { shippingAddress } from "./address.ts";
import { changeAttributes, changedSchema, deletedAttributes, listedType } from "./change.ts";
import {
  bundleSchema,
  countFills,
  FHIR_ID,
  type FillCount,
  knownPatientSchema,
  medicationDispenseSchema,
  type MedicationRequest,
  medicationRequestSchema,
  patientSchema,
  toPrescription,
  unreadableDispenseSchema,
  unreadablePrescription,
  unreadableRequestSchema,
} from "./fhir.ts";
import { toHealthPatient } from "./patient.ts";

import { earliestFill, isInUse } from "./in-use.ts";
import { makeTokenSource } from "./token.ts";

const PAGE_SIZE = 100;

/** Medplum's largest page, for many patients at once. */
const LARGE_PAGE_SIZE = 1000;

/** Changes asked for at once: whole resources come back, of which ids are kept. */
const CHANGES_PAGE_SIZE = 200;

/**
 * What is read of each, and so all that is asked for: no note, no instruction, no name of a person leaves the health record
 * for nothing. A server that does not know `_elements` sends the whole. `medication` is FHIR's name of the element,
 * `medicationCodeableConcept` what Medplum calls it.
 */
const MEDICATION = "medication,medicationCodeableConcept";
const REQUEST_ELEMENTS = `status,intent,subject,${MEDICATION},doNotPerform,authoredOn,dispenseRequest`;
const DISPENSE_ELEMENTS = `status,subject,${MEDICATION},whenPrepared,whenHandedOver,authorizingPrescription`;

/** 5,000 resources of one patient: more is a server that pages in circles. */
const MAX_PAGES = 50;

export interface MedplumDeps {
  /** `https://api.medplum.com`, without a slash at the end. */
  baseUrl: string;
  clientId: string;
  clientSecret: string;
  fetch: Fetch;
  now: () => Date;
  /** Whose days the record's periods are of: no record names a zone for them. */
  timeZone: () => Promise<string>;
}

/**
 * The health record on Medplum (FHIR R4). Reads only, keeps nothing but its own token, logs nothing.
 * Every failure is a {@link VendorError}; an id that is no FHIR id is `refused` with the code `bad_id`.
 */
export function makeMedplumClient(deps: MedplumDeps): HealthRecord {
  const fhirBase = `${deps.baseUrl}/fhir/R4`;
  const token = makeTokenSource(deps);

  /** One GET; a 401 drops the token (restarts and rotation end tokens early) and logs in once more. */
  async function get(operation: string, url: string, accept: readonly number[] = []): Promise<Response> {
    const send = async (bearer: string, answers: readonly number[]) =>
      await callVendor(deps.fetch, "health", operation, url, {
        headers: { accept: "application/fhir+json", authorization: `Bearer ${bearer}` },
        accept: answers,
      });
    const bearer = await token.get();
    const response = await send(bearer, [...accept, 401]);
    if (response.status !== 401) return response;
    await discardBody(response);
    token.discard(bearer);
    return await send(await token.get(), accept);
  }

  /** Every resource of `schema` that the search finds, over all pages, each id once. */
  async function search<Schema extends z.ZodType<{ id: string }>>(
    operation: string,
    type: string,
    query: Record<string, string>,
    schema: Schema,
  ): Promise<z.output<Schema>[]> {
    const found = new Map<string, z.output<Schema>>();
    let url = `${fhirBase}/${type}?${new URLSearchParams({ _count: String(PAGE_SIZE), ...query })}`;
    for (let page = 0; page < MAX_PAGES; page++) {
      const bundle = await readAnswer("health", operation, await get(operation, url), bundleSchema);
      for (const { resource } of bundle.entry ?? []) {
        if (resource?.resourceType !== type) continue;
        const parsed = schema.safeParse(resource);
        // Not even whose it is can be told: it counts for nobody, and hides nobody else's.
        if (parsed.success) found.set(parsed.data.id, parsed.data);
      }
      const next = bundle.link?.find(({ relation }) => relation === "next");
      if (!next) return [...found.values()];
      url = sameOrigin(operation, next.url, url);
    }
    throw new VendorError("health", "unanswered", operation, { code: "endless_pages" });
  }

  /**
   * Of every status: one that nobody has heard of may have used a fill.
   * @param since what was put on record before is of no interest; null: all is
   */
  async function fillsOf(patientIds: readonly string[], since: Date | null = null): Promise<FillCount> {
    const query = {
      ...ofPatients(patientIds),
      _elements: DISPENSE_ELEMENTS,
      ...(since ? { _lastUpdated: `ge${since.toISOString()}` } : {}),
    };
    const schema = z.union([medicationDispenseSchema, unreadableDispenseSchema]);
    return countFills(await search("search dispenses", "MedicationDispense", query, schema));
  }

  async function requestsOf(operation: string, patientIds: readonly string[]) {
    const schema = z.union([medicationRequestSchema, unreadableRequestSchema]);
    const query = { ...ofPatients(patientIds), _elements: REQUEST_ELEMENTS };
    const all = await search(operation, "MedicationRequest", query, schema);
    // FHIR lets a server ignore a parameter: nobody else's prescription may count as one of these patients'.
    const asked = new Set(patientIds);
    return all.filter((request) => asked.has(request.subject));
  }

  async function knownOf(patientIds: readonly string[]): Promise<Set<string>> {
    const query = { _id: patientIds.join(",") };
    const known = await search("search patients", "Patient", query, knownPatientSchema);
    return new Set(known.map(({ id }) => id));
  }

  async function readPatient(patientId: string) {
    const operation = "read patient";
    const response = await get(operation, `${fhirBase}/Patient/${pathId(operation, patientId)}`);
    return await readAnswer("health", operation, response, patientSchema);
  }

  return {
    async getPatient(patientId) {
      const operation = "read patient";
      const url = `${fhirBase}/Patient/${pathId(operation, patientId)}`;
      const response = await get(operation, url, [404, 410]);
      if (!response.ok) {
        await discardBody(response);
        return null;
      }
      const patient = await readAnswer("health", operation, response, patientSchema);
      return toHealthPatient(patient, deps.now(), await deps.timeZone());
    },

    /** The rule that picks one of several addresses is in {@link shippingAddress}. An unknown patient gives `refused`. */
    async getShippingAddress(patientId) {
      return shippingAddress(await readPatient(patientId), deps.now(), await deps.timeZone());
    },

    async listPrescriptions(patientId) {
      const operation = "search prescriptions";
      const requests = await requestsOf(operation, [pathId(operation, patientId)]);
      if (requests.length === 0) {
        // A search finds nothing for a patient who does not exist; only a read tells the two apart.
        await readPatient(patientId);
        return [];
      }
      // After the prescriptions, so that a fill made in between is rather counted than missed.
      const fills = await fillsOf([patientId]);
      return requests.map((request) => readAs(request, fills));
    },

    async listPrescriptionsOf(patientIds) {
      const ids = [...new Set(patientIds)].filter(isPathId);
      const found = new Map<string, Prescription[]>();
      if (ids.length === 0) return found;
      const requests = await requestsOf("search prescriptions", ids);
      // Years of fills are on record, but only those under a prescription in use are counted.
      const inUse = requests.flatMap((one) => "intent" in one && isInUse(one, deps.now()) ? [one] : []);
      const fills = inUse.length > 0 ? await fillsOf(ids, earliestFill(inUse)) : null;
      const counted = new Set(inUse.map(({ id }) => id));
      for (const request of requests) {
        const read = readAs(request, counted.has(request.id) ? fills : null);
        found.set(request.subject, [...(found.get(request.subject) ?? []), read]);
      }
      const without = ids.filter((id) => !found.has(id));
      // A search finds nothing for a patient who does not exist either.
      if (without.length > 0) { for (const id of await knownOf(without)) found.set(id, []); }
      return found;
    },

    async listChanges({ type: word, since, until, cursor }) {
      const operation = "list changes";
      const type = listedType(word);
      if (type === undefined) {
        throw new VendorError("health", "refused", operation, { code: "unlisted_type" });
      }
      const query = new URLSearchParams([
        ["_lastUpdated", `ge${since.toISOString()}`],
        ["_lastUpdated", `lt${until.toISOString()}`],
        ["_sort", "_lastUpdated"],
        ["_count", String(CHANGES_PAGE_SIZE)],
      ]);
      const first = `${fhirBase}/${type}?${query}`;
      // A stored cursor is checked like a link: it, too, takes the token along.
      const url = cursor === null ? first : sameOrigin(operation, cursor, first);
      const bundle = await readAnswer("health", operation, await get(operation, url), bundleSchema);
      const entries = (bundle.entry ?? []).flatMap(({ resource }) => {
        if (resource?.resourceType !== type) return [];
        const parsed = changedSchema.safeParse(resource);
        if (!parsed.success) throw new VendorError("health", "unanswered", operation, { code: "shape" });
        const { id, meta } = parsed.data;
        return [{
          id: `listed:${type}/${id}:${meta.versionId}`,
          type: `${word}.update`,
          attributes: changeAttributes(parsed.data),
        }];
      });
      const link = bundle.link?.find(({ relation }) => relation === "next");
      const next = link ? sameOrigin(operation, link.url, url) : null;
      if (next === url) throw new VendorError("health", "unanswered", operation, { code: "endless_pages" });
      return { entries, next };
    },

    async listDeletedPatients(patientIds) {
      const operation = "look for patients";
      // What is no FHIR id was mistyped here, not deleted there.
      const ids = patientIds.filter((id) => isPathId(id));
      if (ids.length === 0) return [];
      const found = await search(operation, "Patient", { _id: ids.join(",") }, z.object({ id: z.string() }));
      const there = new Set(found.map(({ id }) => id));
      const deleted: string[] = [];
      for (const id of ids.filter((one) => !there.has(one))) {
        // Only the read tells a patient who was deleted (410) from one who was never there or is not shown to us (404).
        const response = await get(operation, `${fhirBase}/Patient/${id}`, [403, 404, 410]);
        await discardBody(response);
        if (response.status === 410) deleted.push(id);
      }
      return deleted.map((id) => ({
        id: `listed:Patient/${id}:delete`,
        type: "patient.delete",
        attributes: deletedAttributes("Patient", id),
      }));
    },

    async getPrescription(prescriptionId): Promise<Prescription | null> {
      const operation = "read prescription";
      const url = `${fhirBase}/MedicationRequest/${pathId(operation, prescriptionId)}`;
      const response = await get(operation, url, [404, 410]);
      if (!response.ok) {
        await discardBody(response);
        return null;
      }
      const request = await readAnswer("health", operation, response, medicationRequestSchema);
      const fills = await fillsOf([request.subject]);
      return toPrescription(request, fills);
    },
  };
}

/** All of one patient's, or of several: a comma means "or". In an order in which the server can page without end. */
function ofPatients(patientIds: readonly string[]): Record<string, string> {
  const subject = patientIds.map((id) => `Patient/${id}`).join(",");
  const size = patientIds.length > 1 ? LARGE_PAGE_SIZE : PAGE_SIZE;
  return { subject, _sort: "_lastUpdated", _count: String(size) };
}

function readAs(
  request: MedicationRequest | z.output<typeof unreadableRequestSchema>,
  fills: FillCount | null,
): Prescription {
  return "intent" in request ? toPrescription(request, fills) : unreadablePrescription(request);
}

/** Dots alone are a FHIR id too, but in a path they lead elsewhere. */
function isPathId(id: string): boolean {
  return FHIR_ID.test(id) && !/^\.+$/.test(id);
}

function pathId(operation: string, id: string): string {
  if (isPathId(id)) return id;
  throw new VendorError("health", "refused", operation, { code: "bad_id" });
}

/** The next page, only where the last one came from: the token goes with it. */
function sameOrigin(operation: string, next: string, current: string): string {
  const url = URL.canParse(next, current) ? new URL(next, current) : null;
  if (url?.origin === new URL(current).origin) return url.href;
  throw new VendorError("health", "refused", operation, { code: "foreign_link" });
}

/** The status was heard: a body that breaks off while it is thrown away changes nothing. */
async function discardBody(response: Response): Promise<void> {
  await response.body?.cancel().catch(() => {});
}
