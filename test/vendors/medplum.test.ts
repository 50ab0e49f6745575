import { createHmac } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { makeMedplumSandbox, type MedplumSandbox } from "../../scripts/sandbox/medplum.ts";
import { seeded } from "../../scripts/sandbox/random.ts";
import { serveSandbox } from "../../scripts/sandbox/server.ts";
import type { Day } from "../../src/shared/day.ts";
import type { Fetch } from "../../src/shared/vendors/call.ts";
import { VendorError } from "../../src/shared/vendors/contract.ts";
import type { HealthRecord } from "../../src/shared/vendors/health.ts";
import { UnreadableEvent } from "../../src/shared/vendors/webhook.ts";
import { shippingAddress } from "../../src/shared/vendors/medplum/address.ts";
import { makeMedplumClient } from "../../src/shared/vendors/medplum/client.ts";
import { dispenseSchema, patientSchema, requestSchema } from "../../src/shared/vendors/medplum/fhir.ts";
import { countFills } from "../../src/shared/vendors/medplum/fills.ts";
import { toHealthPatient } from "../../src/shared/vendors/medplum/patient.ts";
import { toPrescription } from "../../src/shared/vendors/medplum/to-prescription.ts";
import { medplumWebhook } from "../../src/shared/vendors/medplum/webhook.ts";

const SECRET = "sandbox-signing-secret";
const CANARY = "Zanzibarol 40 MG Oral Tablet";
const NOW = new Date("2026-04-10T12:00:00Z");
const timeZone = () => Promise.resolve("America/New_York");

const request = {
  resourceType: "MedicationRequest",
  id: "rx-7",
  meta: { versionId: "v-3", lastUpdated: "2026-04-09T08:15:30.120Z" },
  status: "active",
  intent: "order",
  medicationCodeableConcept: {
    coding: [{ system: "http://www.nlm.nih.gov/research/umls/rxnorm", code: "0099887", display: CANARY }],
    text: CANARY,
  },
  subject: { reference: "Patient/pt-1", display: "Quill Marrow" },
  authoredOn: "2026-01-02",
  note: [{ text: `Started ${CANARY} in January` }],
  dispenseRequest: {
    validityPeriod: { start: "2026-01-02", end: "2027-01-02" },
    numberOfRepeatsAllowed: 5,
    expectedSupplyDuration: { value: 30, unit: "days", system: "http://unitsofmeasure.org", code: "d" },
  },
};

function webhook(body: unknown, headers: Record<string, string> = {}) {
  const bytes = new TextEncoder().encode(typeof body === "string" ? body : JSON.stringify(body));
  return { body: bytes, headers: new Headers(headers) };
}

function signed(body: unknown, secret = SECRET) {
  const hook = webhook(body);
  hook.headers.set("x-signature", createHmac("sha256", secret).update(hook.body).digest("hex"));
  return hook;
}

/** A day as our own type has it. */
const on = (day: Day) => ({ kind: "days", first: day, last: day });

describe("webhook signature", () => {
  const verify = (hook: ReturnType<typeof webhook>, secrets = [SECRET]) =>
    medplumWebhook.verify(hook, secrets, NOW);

  test("takes the raw body under any of the secrets", async () => {
    expect(await verify(signed(request))).toBe(true);
    expect(await verify(signed(request, "old"), [SECRET, "old"])).toBe(true);
    expect(await verify(signed("not even JSON"))).toBe(true);
  });

  test("fails closed", async () => {
    expect(await verify(webhook(request))).toBe(false);
    expect(await verify(webhook(request, { "x-signature": "" }))).toBe(false);
    expect(await verify(webhook(request, { "x-signature": "ab" }))).toBe(false);
    expect(await verify(signed(request), [])).toBe(false);
    expect(await verify(signed(request), [""])).toBe(false);
    expect(await verify(signed(request, "another"))).toBe(false);
    expect(await verify(signed(request), ["", "another", SECRET])).toBe(true);
  });

  test("covers every byte", async () => {
    const hook = signed(request);
    expect(await verify({ ...hook, body: webhook({ ...request, status: "stopped" }).body })).toBe(false);
    expect(await verify({ ...hook, body: webhook(JSON.stringify(request) + " ").body })).toBe(false);
  });
});

describe("webhook event", () => {
  const read = (body: unknown, headers: Record<string, string> = {}) =>
    medplumWebhook.read(webhook(body, headers));
  const sub = { "x-medplum-subscription": "sub-1" };

  test("a written prescription", () => {
    expect(read(request, { ...sub, "x-medplum-interaction": "create" })).toEqual({
      id: "sub-1:MedicationRequest/rx-7:v-3:create",
      type: "medicationrequest.create",
      attributes: {
        resource_type: "MedicationRequest",
        resource_id: "rx-7",
        version_id: "v-3",
        last_updated: "2026-04-09T08:15:30.120Z",
        patient_id: "pt-1",
      },
    });
  });

  test("a patient is its own patient; no interaction means an update; no subscription a dash", () => {
    const event = read({ resourceType: "Patient", id: "pt-1", meta: { versionId: "a" } });
    expect(event.id).toBe("-:Patient/pt-1:a:update");
    expect(event.type).toBe("patient.update");
    expect(event.attributes).toMatchObject({ patient_id: "pt-1", last_updated: null });
  });

  test("other subjects are no patient", () => {
    for (
      const subject of [undefined, { reference: "Group/g" }, { display: "Quill" }, "x", {
        reference: "Patient/",
      }]
    ) {
      expect(read({ ...request, subject }).attributes.patient_id).toBeNull();
    }
  });

  test("a delete names its resource in a header", () => {
    const headers = { ...sub, "x-medplum-interaction": "delete" };
    expect(read({}, { ...headers, "x-medplum-deleted-resource": "MedicationRequest/rx-7" })).toEqual({
      id: "sub-1:MedicationRequest/rx-7:delete",
      type: "medicationrequest.delete",
      attributes: {
        resource_type: "MedicationRequest",
        resource_id: "rx-7",
        version_id: null,
        last_updated: null,
        patient_id: null,
      },
    });
    for (
      const named of [
        "",
        "rx-7",
        "MedicationRequest/",
        "Medication_Request/1",
        "A/b/c",
        `A/${"x".repeat(65)}`,
        "A/b c",
      ]
    ) {
      expect(() => read({}, { ...headers, "x-medplum-deleted-resource": named })).toThrow(UnreadableEvent);
    }
    expect(() => read({}, headers)).toThrow(UnreadableEvent);
  });

  test("refuses what is no event", () => {
    const deleted = { "x-medplum-deleted-resource": "Patient/pt-1" };
    expect(() => read({}, { ...deleted, "x-medplum-interaction": "update" })).toThrow(UnreadableEvent);
    expect(() => read({}, deleted)).toThrow(UnreadableEvent);
    expect(() => read(request, { "x-medplum-interaction": "purge" })).toThrow(UnreadableEvent);
    for (
      const body of [
        "",
        "{",
        "[]",
        "null",
        { ...request, resourceType: "Medication Request" },
        { ...request, resourceType: undefined },
        { ...request, id: undefined },
        { ...request, id: "rx/7" },
        { ...request, meta: undefined },
        { ...request, meta: { versionId: "" } },
        { ...request, meta: { versionId: "v".repeat(65) } },
      ]
    ) {
      expect(() => read(body), JSON.stringify(body)).toThrow(UnreadableEvent);
    }
    expect(() => medplumWebhook.read({ body: new Uint8Array([0xff, 0xfe]), headers: new Headers() }))
      .toThrow(UnreadableEvent);
  });

  test("keeps no medical fact, even from a time that is none", () => {
    const event = read({ ...request, meta: { versionId: "1", lastUpdated: CANARY } }, {
      "x-medplum-subscription": CANARY,
    });
    expect(JSON.stringify(event)).not.toMatch(/Zanzibarol|Quill|0099887/);
    expect(event.attributes.last_updated).toBeNull();
  });

  test("is answered 200 when it cannot be read: Medplum would switch the subscription off", () => {
    expect(medplumWebhook).toMatchObject({ source: "health", unreadableStatus: 200 });
  });
});

describe("toPrescription", () => {
  const read = (changes: object = {}, count = 0) =>
    toPrescription(requestSchema.parse({ ...request, ...changes }), {
      of: new Map([["rx-7", { count, lastOn: "2026-02-01", uncertain: 0 }]]),
      strays: [],
    });
  const lasting = (expectedSupplyDuration: object) =>
    read({ dispenseRequest: { expectedSupplyDuration } }).daysSupply;

  test("counts the first fill", () => {
    expect(read({}, 2)).toEqual({
      id: "rx-7",
      patientId: "pt-1",
      fhir: { status: "active", intent: "order", doNotPerform: false },
      codes: [{ system: "http://www.nlm.nih.gov/research/umls/rxnorm", code: "0099887" }],
      writtenOn: on("2026-01-02"),
      validFrom: on("2026-01-02"),
      validUntil: on("2027-01-02"),
      fillsAllowed: 6,
      fillsDispensed: 2,
      lastDispensedOn: on("2026-02-01"),
      daysSupply: 30,
    });
    expect(read({ dispenseRequest: { numberOfRepeatsAllowed: 0 } }).fillsAllowed).toBe(1);
  });

  test("what is not said is null", () => {
    const bare = { fillsAllowed: null, validUntil: null, daysSupply: null };
    expect(read({ dispenseRequest: undefined })).toMatchObject(bare);
    expect(read({ dispenseRequest: { validityPeriod: { start: "2026-01-02" } } })).toMatchObject(bare);
    expect(read({ dispenseRequest: { numberOfRepeatsAllowed: -1 } }).fillsAllowed).toBeNull();
    expect(read({ dispenseRequest: { numberOfRepeatsAllowed: 1.5 } }).fillsAllowed).toBeNull();
    expect(read({ authoredOn: undefined }).writtenOn).toBeNull();
    expect(read({ status: "from-a-later-version" }).fhir?.status).toBe("from-a-later-version");
  });

  test("days' supply in days and weeks only", () => {
    expect(lasting({ value: 4, code: "wk" })).toBe(28);
    expect(lasting({ value: 1, unit: "month", code: "mo" })).toBeNull();
    expect(lasting({ value: 30, unit: "days" })).toBeNull();
    expect(lasting({ value: 0, code: "d" })).toBeNull();
    expect(lasting({ value: 2.5, code: "d" })).toBeNull();
    expect(lasting({ code: "d" })).toBeNull();
  });

  test("a medication by reference has no codes; half a coding is none", () => {
    const byReference = { medicationCodeableConcept: undefined, medicationReference: { reference: "#m" } };
    expect(read(byReference).codes).toEqual([]);
    expect(read({ medicationCodeableConcept: { text: CANARY } }).codes).toEqual([]);
    expect(read({ medicationCodeableConcept: { coding: [{ code: "1" }, { system: "s" }] } }).codes).toEqual(
      [],
    );
  });

  test("only for a patient", () => {
    for (
      const subject of [undefined, {}, { reference: "Group/1" }, { reference: "https://x.example/Patient/1" }]
    ) {
      expect(requestSchema.safeParse({ ...request, subject }).success).toBe(false);
    }
  });

  test("fills are completed dispenses, per prescription", () => {
    let day = 0;
    const dispense = (status: string, ...to: string[]) =>
      dispenseSchema.parse({
        resourceType: "MedicationDispense",
        id: "d",
        status,
        whenHandedOver: `2026-03-0${++day}`,
        authorizingPrescription: to.map((reference) => ({ reference })),
      });
    const fills = countFills([
      dispense("completed", "MedicationRequest/rx-7"),
      dispense("completed", "MedicationRequest/rx-7/_history/v-3", "MedicationRequest/rx-8"),
      dispense("in-progress", "MedicationRequest/rx-7"),
      dispense("entered-in-error", "MedicationRequest/rx-7"),
      dispense("completed", "Patient/rx-7"),
      dispense("completed"),
    ]);
    expect([...fills.of]).toEqual([
      ["rx-7", { count: 2, lastOn: "2026-03-02", uncertain: 0 }],
      ["rx-8", { count: 1, lastOn: "2026-03-02", uncertain: 0 }],
    ]);
  });
});

describe("shippingAddress", () => {
  const at = (street: string, more: object = {}) => ({
    use: "home",
    line: [street],
    city: "Salem",
    state: "OR",
    postalCode: "97301",
    ...more,
  });
  const patient = (address: unknown, name: unknown = [{ family: "Marrow", given: ["Quill"] }]) =>
    patientSchema.parse({ resourceType: "Patient", id: "pt-1", name, address });
  const chosen = (address: unknown, now = NOW, name?: unknown) =>
    shippingAddress(patient(address, name), now, "America/New_York");
  const street = (...address: object[]) => chosen(address)?.street1 ?? null;
  const name = (...names: object[]) => chosen([at("1 Elm")], NOW, names)?.name;

  test("in full", () => {
    const full = at("1 Elm", { line: [" 1 Elm ", null, "Apt 2", "c/o Reed"], country: "CA" });
    expect(chosen([full])).toEqual({
      name: "Quill Marrow",
      street1: "1 Elm",
      street2: "Apt 2, c/o Reed",
      city: "Salem",
      state: "OR",
      postalCode: "97301",
      country: "CA",
    });
    expect(chosen([at("1 Elm")])).toMatchObject({ street2: null, country: "US" });
  });

  test("not old, not billing, not over, not yet to come", () => {
    expect(street(at("old", { use: "old" }), at("bill", { use: "billing" }))).toBeNull();
    expect(street(at("over", { period: { end: "2026-04-09" } }))).toBeNull();
    expect(street(at("future", { period: { start: "2026-04-11" } }))).toBeNull();
    expect(street(at("unclear", { period: { end: "some day" } }))).toBeNull();
    expect(street(at("to the minute", { period: { end: "2026-04-10T11:59:00Z" } }))).toBeNull();
  });

  test("the ends of a period belong to it", () => {
    expect(street(at("last day", { period: { end: "2026-04-10" } }))).toBe("last day");
    expect(street(at("this month", { period: { start: "2026-04", end: "2026-04" } }))).toBe("this month");
    expect(street(at("this year", { period: { start: "2026", end: "2026" } }))).toBe("this year");
  });

  test("a period's days are those of the zone", () => {
    const moved = [
      at("old", { period: { end: "2026-12-07" } }),
      at("new", { period: { start: "2026-12-08" } }),
    ];
    const on = (text: string, zone: string) => shippingAddress(patient(moved), new Date(text), zone)?.street1;
    expect(on("2026-12-08T04:59:59.999Z", "America/New_York")).toBe("old");
    expect(on("2026-12-08T05:00:00Z", "America/New_York")).toBe("new");
    expect(on("2026-12-07T10:59:59.999Z", "Pacific/Auckland")).toBe("old");
    expect(on("2026-12-07T11:00:00Z", "Pacific/Auckland")).toBe("new");
  });

  test("home first, then the latest start, then the first listed", () => {
    const work = at("work", { use: "work", period: { start: "2026-04-01" } });
    expect(street(work, at("home"))).toBe("home");
    expect(street(work)).toBe("work");
    expect(street(at("a", { period: { start: "2020" } }), at("b", { period: { start: "2025-06-01" } }))).toBe(
      "b",
    );
    expect(street(at("none"), at("dated", { period: { start: "2001" } }))).toBe("dated");
    expect(street(at("first"), at("second"))).toBe("first");
  });

  test("an incomplete one is null, not a reason to take an older one", () => {
    for (
      const gap of [{ line: [] }, { line: [" "] }, { city: undefined }, { state: "" }, { postalCode: null }]
    ) {
      const newest = at("new", { period: { start: "2026-03-01" }, ...gap });
      expect(street(at("before", { period: { start: "2020" } }), newest)).toBeNull();
    }
    expect(chosen(undefined)).toBeNull();
  });

  test("the name: official, usual, the first that is not old", () => {
    const usual = { use: "usual", given: ["Q"] };
    expect(name(usual, { use: "official", given: ["Quill", "Ash"], family: "Marrow" })).toBe(
      "Quill Ash Marrow",
    );
    expect(name({ use: "nickname", text: "Quilly" }, usual)).toBe("Q");
    expect(name({ use: "old", text: "Before" }, { text: "After" })).toBe("After");
    expect(name({ use: "old", text: "Before" })).toBeNull();
    expect(name()).toBeNull();
  });
});

describe("toHealthPatient", () => {
  const read = (patient: Record<string, unknown>) =>
    toHealthPatient(patientSchema.parse({ resourceType: "Patient", id: "pt-1", ...patient }), NOW, "UTC");
  const link = (reference: string, type = "replaced-by") => ({ type, other: { reference } });

  test("one with nothing on it is in use, and nobody's", () => {
    expect(read({})).toEqual({
      id: "pt-1",
      active: true,
      identifiers: [],
      replacement: { kind: "none" },
      replaces: [],
      emails: [],
    });
  });

  test("identifiers and emails in use now; other ways to reach somebody are none", () => {
    const past = { end: "2026-04-09" };
    expect(read({
      active: false,
      identifier: [
        { system: "urn:a", value: "1" },
        { system: "urn:a", value: "2", use: "old" },
        { system: "urn:a", value: "3", period: past },
        { system: "urn:a" },
        { value: "4" },
      ],
      telecom: [
        { system: "phone", value: "+1" },
        { system: "email", value: " a@example.test " },
        { system: "email", value: "old@example.test", use: "old" },
        { system: "email", value: "past@example.test", period: past },
        { system: "email" },
      ],
    })).toMatchObject({
      active: false,
      identifiers: [{ system: "urn:a", value: "1" }],
      emails: ["a@example.test"],
    });
  });

  test("a replacement is one other patient, or unclear", () => {
    expect(read({ link: [link("Patient/pt-2"), link("Patient/pt-3", "seealso")] }).replacement).toEqual({
      kind: "patient",
      id: "pt-2",
    });
    expect(read({ link: [link("Patient/pt-2"), link("Patient/pt-2/_history/3")] }).replacement).toEqual({
      kind: "patient",
      id: "pt-2",
    });
    const unclear = [
      [link("Patient/pt-2"), link("Patient/pt-3")],
      [link("Patient/pt-1")],
      [link("RelatedPerson/sister")],
      [link("https://elsewhere.test/Patient/pt-2")],
      [{ type: "replaced-by" }],
    ];
    for (const links of unclear) {
      expect(read({ link: links }).replacement, JSON.stringify(links)).toEqual({
        kind: "unclear",
      });
    }
  });

  test("what it replaces", () => {
    expect(read({ link: [link("Patient/pt-8", "replaces"), link("Group/1", "replaces")] })).toMatchObject({
      replacement: { kind: "none" },
      replaces: ["pt-8"],
    });
  });
});

describe("client", () => {
  let clock = NOW;
  let sandbox: MedplumSandbox;
  let server: Awaited<ReturnType<typeof serveSandbox>>;
  let client: HealthRecord;
  const now = () => clock;
  const address = { line: ["12 Fern St", "Unit 3"], city: "Salem", state: "OR", postalCode: "97301" };
  const drug = { rxnorm: "0099887", drug: CANARY };

  beforeAll(async () => {
    const webhook = { url: "http://127.0.0.1:1/", secret: SECRET };
    sandbox = makeMedplumSandbox({ now, random: seeded(1), fetch, webhook });
    server = await serveSandbox(sandbox.app);
  });
  afterAll(async () => await server.close());
  beforeEach(() => {
    clock = NOW;
    sandbox.faults.clear();
    sandbox.faults.calls.clear();
    client = connect();
  });

  function connect(changes: Partial<Parameters<typeof makeMedplumClient>[0]> = {}): HealthRecord {
    const { clientId, clientSecret } = sandbox;
    return makeMedplumClient({
      baseUrl: server.url,
      clientId,
      clientSecret,
      fetch,
      now,
      timeZone,
      ...changes,
    });
  }
  const newPatient = () => sandbox.createPatient({ name: "Quill Ash Marrow", address });
  const calls = (operation: string) => sandbox.faults.calls.get(operation) ?? 0;
  const failure = async (call: Promise<unknown>) => {
    const error = await call.then(() => null, (error: unknown) => error);
    if (!(error instanceof VendorError)) throw new Error("no VendorError");
    expect(error.message + JSON.stringify(error.details)).not.toMatch(/Zanzibarol|Marrow|Fern/);
    return { failure: error.failure, operation: error.operation, ...error.details };
  };

  test("reads the address in use, also after a move", async () => {
    const patient = newPatient();
    expect(await client.getShippingAddress(patient)).toEqual({
      name: "Quill Ash Marrow",
      street1: "12 Fern St",
      street2: "Unit 3",
      city: "Salem",
      state: "OR",
      postalCode: "97301",
      country: "US",
    });
    sandbox.moveHouse(patient, { ...address, line: ["9 Ivy Ln"] });
    expect(await client.getShippingAddress(patient)).toMatchObject({ street1: "9 Ivy Ln", street2: null });
  });

  test("lists every prescription with its fills", async () => {
    const patientId = newPatient();
    const other = newPatient();
    const first = sandbox.writePrescription({
      patientId,
      ...drug,
      repeats: 2,
      validUntil: "2027-04-10",
      daysSupply: 30,
    });
    const bare = sandbox.writePrescription({ patientId, ...drug, status: "on-hold" });
    sandbox.writePrescription({ patientId: other, ...drug, repeats: 9 });
    sandbox.recordDispense({ patientId, prescriptionId: first, pharmacyOrderId: "order-1" });
    sandbox.recordDispense({ patientId, prescriptionId: first, pharmacyOrderId: "order-2" });

    const listed = await client.listPrescriptions(patientId);
    expect(listed).toHaveLength(2);
    expect(listed.find(({ id }) => id === first)).toMatchObject({
      patientId,
      fhir: { status: "active" },
      codes: [{ code: "0099887" }],
      validUntil: on("2027-04-10"),
      fillsAllowed: 3,
      fillsDispensed: 2,
      lastDispensedOn: { kind: "instant", at: clock },
      daysSupply: 30,
    });
    expect(listed.find(({ id }) => id === bare)).toMatchObject({
      fhir: { status: "on-hold" },
      validUntil: null,
      fillsAllowed: null,
      fillsDispensed: 0,
      lastDispensedOn: null,
      daysSupply: null,
    });
    expect(JSON.stringify(listed)).not.toContain("Zanzibarol");
    expect(await client.getPrescription(first)).toEqual(listed.find(({ id }) => id === first));
  });

  test("follows the pages", async () => {
    const patientId = newPatient();
    const ids = Array.from({ length: 203 }, () => sandbox.writePrescription({ patientId, ...drug }));
    const listed = await client.listPrescriptions(patientId);
    expect(new Set(listed.map(({ id }) => id))).toEqual(new Set(ids));
    expect(calls("search prescriptions")).toBe(3);
  });

  test("a patient without prescriptions is not an unknown patient", async () => {
    expect(await client.listPrescriptions(newPatient())).toEqual([]);
    const refused = { failure: "refused", operation: "read patient" };
    expect(await failure(client.listPrescriptions("nobody"))).toEqual({ ...refused, status: 404 });
    expect(await failure(client.getShippingAddress("nobody"))).toEqual({ ...refused, status: 404 });
    const gone = newPatient();
    sandbox.deleteResource("Patient", gone);
    expect(await failure(client.listPrescriptions(gone))).toEqual({ ...refused, status: 410 });
  });

  test("who a patient is, both sides of a merge, and null for one that was deleted or never was", async () => {
    const identifiers = [{ system: "urn:ours", value: "7" }];
    const old = sandbox.createPatient({
      name: "Old Record",
      address,
      telecom: { email: "q@example.test" },
      identifiers,
    });
    const kept = newPatient();
    expect(await client.getPatient(old)).toEqual({
      id: old,
      active: true,
      identifiers,
      replacement: { kind: "none" },
      replaces: [],
      emails: ["q@example.test"],
    });
    sandbox.changeEmail(old, "r@example.test");
    expect(await client.getPatient(old)).toMatchObject({ emails: ["r@example.test"] });
    sandbox.mergePatients(old, kept);
    expect(await client.getPatient(old)).toMatchObject({
      active: false,
      replacement: { kind: "patient", id: kept },
    });
    expect(await client.getPatient(kept)).toMatchObject({ active: true, replaces: [old] });
    sandbox.deleteResource("Patient", old);
    expect(await client.getPatient(old)).toBeNull();
    expect(await client.getPatient("never-was")).toBeNull();
  });

  test("a prescription that was deleted or never was is null", async () => {
    const id = sandbox.writePrescription({ patientId: newPatient(), ...drug });
    expect(await client.getPrescription(id)).toMatchObject({ id });
    sandbox.deleteResource("MedicationRequest", id);
    expect(await client.getPrescription(id)).toBeNull();
    expect(await client.getPrescription("never-was")).toBeNull();
  });

  test("an id that would lead elsewhere never leaves", async () => {
    for (const id of ["", ".", "..", "../Practitioner/1", "a?b=c", "a b", "x".repeat(65)]) {
      for (
        const call of [
          client.getPatient,
          client.getPrescription,
          client.listPrescriptions,
          client.getShippingAddress,
        ]
      ) {
        expect(await failure(call(id)), id).toMatchObject({ failure: "refused", code: "bad_id" });
      }
    }
    expect(sandbox.faults.calls.size).toBe(0);
  });

  test("logs in once for all who wait, and again a minute before the token ends", async () => {
    const patient = newPatient();
    await Promise.all(Array.from({ length: 5 }, () => client.getShippingAddress(patient)));
    expect(calls("token")).toBe(1);
    clock = new Date(NOW.getTime() + 3_539_000);
    await client.getShippingAddress(patient);
    expect(calls("token")).toBe(1);
    clock = new Date(NOW.getTime() + 3_540_000);
    await client.getShippingAddress(patient);
    expect(calls("token")).toBe(2);
  });

  test("logs in once more when the server no longer knows the token", async () => {
    const patient = newPatient();
    await client.getShippingAddress(patient);
    sandbox.state.tokens.clear();
    await Promise.all([client.getShippingAddress(patient), client.getShippingAddress(patient)]);
    expect(calls("token")).toBe(2);
  });

  test("a late 401 for an old token does not end the new one", async () => {
    const patient = newPatient();
    const gate = () => {
      let open = () => {};
      const opened = new Promise<void>((resolve) => open = resolve);
      return { open, opened };
    };
    const [arrived, released] = [gate(), gate()];
    let holding = false;
    const slow: Fetch = async (url, init) => {
      const response = await fetch(url, init);
      if (holding && response.status === 401) {
        arrived.open();
        await released.opened;
      }
      return response;
    };
    const client = connect({ fetch: slow });
    await client.getShippingAddress(patient);
    sandbox.state.tokens.clear();
    holding = true;
    const late = client.getShippingAddress(patient);
    await arrived.opened;
    holding = false;
    await client.getShippingAddress(patient);
    released.open();
    await late;
    expect(calls("token")).toBe(2);
  });

  test("a token refused twice is refused", async () => {
    sandbox.faults.add({ operation: "read patient", kind: "status", status: 401 });
    const patient = newPatient();
    expect(await failure(client.getShippingAddress(patient))).toMatchObject({
      failure: "refused",
      status: 401,
    });
    expect(calls("read patient")).toBe(2);
    expect(calls("token")).toBe(2);
  });

  test("wrong credentials are refused; a login that failed is not remembered", async () => {
    const patient = newPatient();
    const stranger = connect({ clientSecret: "wrong" });
    expect(await failure(stranger.getShippingAddress(patient))).toEqual({
      failure: "refused",
      operation: "log in",
      status: 400,
    });
    sandbox.faults.add({ operation: "token", kind: "status", status: 503, times: 1 });
    const both = [client.getShippingAddress(patient), client.listPrescriptions(patient)];
    for (const call of both) {
      expect(await failure(call)).toEqual({ failure: "unreachable", operation: "log in", status: 503 });
    }
    expect(await client.getShippingAddress(patient)).not.toBeNull();
  });

  test("says how a call failed", async () => {
    const patient = newPatient();
    sandbox.faults.add({
      operation: "read patient",
      kind: "status",
      status: 429,
      retryAfterSeconds: 7,
      times: 1,
    });
    expect(await failure(client.getShippingAddress(patient))).toEqual({
      failure: "rate_limited",
      operation: "read patient",
      status: 429,
      retryAfterSeconds: 7,
    });
    sandbox.faults.add({ operation: "read patient", kind: "lose_answer", times: 1 });
    expect(await failure(client.getShippingAddress(patient))).toMatchObject({ failure: "unanswered" });
    const nowhere = connect({ baseUrl: "http://127.0.0.1:1" });
    expect(await failure(nowhere.getShippingAddress(patient))).toMatchObject({ failure: "unreachable" });
  });

  /** Answers every search with `bundle`; logs in as usual. Keeps the URLs it saw. */
  function answering(bundle: object) {
    const seen: string[] = [];
    const fake: Fetch = (url) => {
      seen.push(String(url));
      const token = { access_token: "t", expires_in: 3600 };
      return Promise.resolve(Response.json(String(url).endsWith("/token") ? token : bundle));
    };
    return { seen, client: connect({ baseUrl: "https://record.example", fetch: fake }) };
  }
  const page = (url: string, ...resources: object[]) => ({
    resourceType: "Bundle",
    link: [{ relation: "next", url }],
    entry: resources.map((resource) => ({ resource })),
  });

  test("never takes the token to another origin", async () => {
    for (
      const url of ["https://evil.example/fhir/R4/MedicationRequest", "http://record.example/", "https://"]
    ) {
      const { client, seen } = answering(page(url));
      expect(await failure(client.listPrescriptions("pt-1"))).toMatchObject({ code: "foreign_link" });
      expect(seen).toHaveLength(2);
    }
  });

  test("pages that never end do end", async () => {
    const { client, seen } = answering(page("https://record.example/fhir/R4/MedicationRequest?again"));
    expect(await failure(client.listPrescriptions("pt-1"))).toMatchObject({ code: "endless_pages" });
    expect(seen.length).toBeLessThan(60);
  });

  test("an answer of another shape is no answer, and nobody else's prescription counts", async () => {
    const odd = answering({ ...page("x"), resourceType: "Parameters" });
    expect(await failure(odd.client.listPrescriptions("pt-1"))).toMatchObject({
      failure: "unanswered",
      code: "shape",
    });
    const foreign = answering({ ...page("x", request), link: [] });
    expect(await foreign.client.listPrescriptions("pt-1")).toHaveLength(1);
    expect(await failure(foreign.client.listPrescriptions("pt-2"))).toMatchObject({
      operation: "read patient",
    });
  });

  test("a prescription that cannot be read is known as such, and hides no other", async () => {
    const { client } = answering({
      ...page("x", { ...request, id: "rx-odd", intent: 7 }, request, { resourceType: "MedicationRequest" }),
      link: [],
    });
    const found = await client.listPrescriptions("pt-1");
    expect(found.map(({ id, fhir, codes }) => [id, fhir?.status, codes.length > 0])).toEqual([
      ["rx-odd", undefined, false],
      ["rx-7", "active", true],
    ]);
  });

  test("dispenses that do not say whose fill they used may have used one of each that fits", async () => {
    const patient = newPatient();
    const write = (rxnorm: string) =>
      sandbox.writePrescription({ patientId: patient, rxnorm, drug: CANARY, repeats: 5 });
    const [morning, evening] = [write("1"), write("2")];
    const fill = (prescriptionId: string, changes: object) => {
      const id = sandbox.recordDispense({
        patientId: patient,
        prescriptionId,
        pharmacyOrderId: crypto.randomUUID(),
      });
      Object.assign(sandbox.state.dispenses.get(id) ?? {}, changes);
    };
    const uncertain = async () => {
      const found = await client.listPrescriptions(patient);
      return [morning, evening].map((id) => {
        const { fillsDispensed, uncertainFills } = found.find((one) => one.id === id) ?? {};
        return [fillsDispensed, uncertainFills ?? 0];
      });
    };
    fill(morning, { status: "in-progress" });
    fill(morning, { status: "declined", authorizingPrescription: undefined });
    expect(await uncertain()).toEqual([[0, 0], [0, 0]]);
    // Of the same drug; of any; before either was written; in a state that may be one of use.
    fill(morning, { authorizingPrescription: undefined });
    fill(morning, { authorizingPrescription: [], medicationCodeableConcept: undefined });
    fill(morning, { authorizingPrescription: [], whenHandedOver: "2001-01-01" });
    fill(evening, { status: "unknown" });
    expect(await uncertain()).toEqual([[0, 2], [0, 2]]);
    fill(evening, {});
    fill(evening, { resourceType: "MedicationDispense", whenHandedOver: 7 });
    expect(await uncertain()).toEqual([[0, 3], [1, 3]]);
  });

  test("of many patients only what is still in use is counted, and only since it was written", async () => {
    const patientId = newPatient();
    const write = (terms: { validUntil: string; status?: string }) =>
      sandbox.writePrescription({ patientId, rxnorm: "1", drug: CANARY, repeats: 3, ...terms });
    const fill = (prescriptionId: string, pharmacyOrderId: string) =>
      sandbox.recordDispense({ patientId, prescriptionId, pharmacyOrderId });
    const asked = async () => {
      const found = (await client.listPrescriptionsOf([patientId])).get(patientId) ?? [];
      return Object.fromEntries(found.map(({ id, fillsDispensed }) => [id, fillsDispensed]));
    };
    const over = write({ validUntil: "2026-05-01" });
    fill(over, "over-1");
    expect(await asked()).toEqual({ [over]: 1 });
    // Ended yesterday, by one clock or another: still counted.
    clock = new Date("2026-05-02T12:00:00Z");
    expect(await asked()).toEqual({ [over]: 1 });
    clock = new Date("2026-09-01T12:00:00Z");
    const before = calls("search dispenses");
    expect(await asked()).toEqual({ [over]: null });
    expect(calls("search dispenses"), "nothing is in use").toBe(before);
    const [now, completed, vague] = [
      write({ validUntil: "2027-09-01" }),
      write({ validUntil: "2027-09-01", status: "completed" }),
      write({ validUntil: "2026" }),
    ];
    for (const id of [now, completed, vague]) fill(id, `fill of ${id}`);
    expect(await asked()).toEqual({ [over]: null, [now]: 1, [completed]: 1, [vague]: 1 });
    const one = await client.listPrescriptions(patientId);
    expect(one.find(({ id }) => id === over)?.fillsDispensed, "asked for alone it is counted in full").toBe(
      1,
    );
    clock = NOW;
  });

  test("asks for no name, note or instruction", async () => {
    const patientId = newPatient();
    const asked: string[] = [];
    const spy = makeMedplumClient({
      baseUrl: server.url,
      clientId: sandbox.clientId,
      clientSecret: sandbox.clientSecret,
      now,
      timeZone,
      fetch: async (...call) => {
        const response = await fetch(...call);
        if (String(call[0]).includes("/Medication")) asked.push(await response.clone().text());
        return response;
      },
    });
    const id = sandbox.writePrescription({ patientId, rxnorm: "1", drug: CANARY, repeats: 3 });
    sandbox.recordDispense({ patientId, prescriptionId: id, pharmacyOrderId: "order" });
    await spy.listPrescriptionsOf([patientId]);
    expect(asked).toHaveLength(2);
    for (const text of asked) expect(text).not.toMatch(/tolerates|once a day with food/);
    expect((await spy.listPrescriptions(patientId)).map(({ fillsDispensed }) => fillsDispensed)).toEqual([1]);
  });

  test("many patients in few calls: those whom the record does not know are not there", async () => {
    const [one, two] = [newPatient(), newPatient()];
    const prescription = sandbox.writePrescription({ patientId: one, rxnorm: "1", drug: CANARY });
    const found = await client.listPrescriptionsOf([one, two, "pt-nobody", "no id at all", "..", one]);
    expect([...found.keys()].toSorted()).toEqual([one, two].toSorted());
    expect(found.get(one)?.map(({ id }) => id)).toEqual([prescription]);
    expect(found.get(two)).toEqual([]);
    expect([calls("search prescriptions"), calls("search dispenses"), calls("search patients")]).toEqual([
      1,
      1,
      1,
    ]);
    expect(await client.listPrescriptionsOf(["no id at all"])).toEqual(new Map());
  });
});
