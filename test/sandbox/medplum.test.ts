import { beforeEach, describe, expect, test } from "vitest";
import { makeMedplumSandbox, type MedplumSandbox } from "../../scripts/sandbox/medplum.ts";
import { serveSandbox } from "../../scripts/sandbox/server.ts";
import type { VendorEvent } from "../../src/shared/vendors/webhook.ts";
import { seeded } from "../../scripts/sandbox/random.ts";
import { medplumWebhook } from "../../src/shared/vendors/medplum/webhook.ts";

const SECRET = "sandbox-signing-secret";
const START = new Date("2026-04-10T12:00:00Z");
const address = { line: ["12 Fern St"], city: "Salem", state: "OR", postalCode: "97301" };
const drug = { rxnorm: "0099887", drug: "Zanzibarol 40 MG Oral Tablet" };

let clock: Date;
let sandbox: MedplumSandbox;
/** The events that the endpoint took, and its answer. */
let events: VendorEvent[];
let answer: number;
let token: string;

beforeEach(async () => {
  clock = START;
  events = [];
  answer = 200;
  const endpoint: typeof fetch = async (url, init) => {
    const request = new Request(url, init);
    const hook = { body: new Uint8Array(await request.arrayBuffer()), headers: request.headers };
    expect(await medplumWebhook.verify(hook, [SECRET], clock)).toBe(true);
    expect(request.headers.get("content-type")).toBe("application/fhir+json");
    if (answer < 300) events.push(medplumWebhook.read(hook));
    return new Response(null, { status: answer });
  };
  sandbox = makeMedplumSandbox({
    now: () => clock,
    random: seeded(7),
    fetch: endpoint,
    webhook: { url: "https://clockwork.example/health", secret: SECRET },
  });
  token = (await (await logIn()).json()).access_token;
});

async function logIn(changes: Record<string, string> = {}): Promise<Response> {
  const { clientId, clientSecret } = sandbox;
  return await sandbox.app.request("/oauth2/token", {
    method: "POST",
    body: new URLSearchParams({
      grant_type: "client_credentials",
      client_id: clientId,
      client_secret: clientSecret,
      ...changes,
    }),
  });
}

async function call(method: string, path: string, body?: object, headers: Record<string, string> = {}) {
  const response = await sandbox.app.request(`/fhir/R4/${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, "content-type": "application/fhir+json", ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, headers: response.headers, body: await response.json() };
}

const newPatient = () => sandbox.createPatient({ name: "Quill Ash Marrow", address });
const advance = (seconds: number) => clock = new Date(clock.getTime() + seconds * 1000);
const sent = async () => {
  events = [];
  await sandbox.outbox.flush();
  return events.map(({ type }) => type).sort();
};

describe("tokens", () => {
  test("wrong credentials get none", async () => {
    for (const wrong of [{ client_secret: "x" }, { client_id: "x" }]) {
      const response = await logIn(wrong);
      expect(response.status).toBe(400);
      expect(await response.json()).toMatchObject({ error: "invalid_client" });
    }
    expect((await logIn({ grant_type: "password" })).status).toBe(400);
  });

  test("every resource needs one that is still good", async () => {
    const path = `Patient/${newPatient()}`;
    expect((await call("GET", path)).status).toBe(200);
    for (const authorization of ["", "Bearer", "Bearer x", token, `Basic ${token}`]) {
      for (
        const [method, to] of [["GET", path], ["GET", "Patient"], ["DELETE", path], [
          "GET",
          `${path}/_history`,
        ]]
      ) {
        const { status, body } = await call(method ?? "", to ?? "", undefined, { authorization });
        expect(status).toBe(401);
        expect(body.resourceType).toBe("OperationOutcome");
      }
    }
    advance(3600);
    expect((await call("GET", path)).status).toBe(401);
    expect(sandbox.state.patients.size).toBe(1);
  });
});

describe("resources over HTTP", () => {
  test("create, read, update with If-Match, delete, history", async () => {
    const patient = newPatient();
    const body = {
      resourceType: "MedicationRequest",
      status: "draft",
      intent: "order",
      subject: { reference: `Patient/${patient}` },
    };
    const created = await call("POST", "MedicationRequest", body);
    expect(created.status).toBe(201);
    const { id, meta } = created.body;
    expect(created.headers.get("etag")).toBe(`W/"${meta.versionId}"`);
    expect(meta.lastUpdated).toBe(START.toISOString());

    const path = `MedicationRequest/${id}`;
    expect((await call("GET", path)).body).toEqual(created.body);
    const active = { ...created.body, status: "active" };
    const stale = await call("PUT", path, active, { "if-match": 'W/"other"' });
    expect(stale.status).toBe(412);
    const updated = await call("PUT", path, active, { "if-match": `W/"${meta.versionId}"` });
    expect(updated.status).toBe(200);
    expect(updated.body.meta.versionId).not.toBe(meta.versionId);
    expect((await call("PUT", path, active, { "if-match": `W/"${meta.versionId}"` })).status).toBe(412);
    const same = await call("PUT", path, updated.body);
    expect(same.body.meta.versionId).toBe(updated.body.meta.versionId);

    expect((await call("DELETE", path)).status).toBe(200);
    expect((await call("DELETE", path)).status).toBe(200);
    const gone = await call("GET", path);
    expect(gone.status).toBe(410);
    expect(gone.body).toMatchObject({ resourceType: "OperationOutcome", issue: [{ code: "deleted" }] });
    expect((await call("PUT", path, active)).status).toBe(410);

    const history = await call("GET", `${path}/_history`);
    const methods = history.body.entry.map((entry: { request: { method: string } }) => entry.request.method);
    expect(methods).toEqual(["DELETE", "PUT", "POST"]);
    expect(history.body.entry[0].resource).toBeUndefined();
    expect(history.body.entry[2].resource).toEqual(created.body);
  });

  test("refuses a body of another type, and an unknown resource", async () => {
    const patient = newPatient();
    expect((await call("POST", "MedicationRequest", { resourceType: "Patient" })).status).toBe(400);
    expect((await call("POST", "MedicationRequest", { resourceType: "MedicationRequest" })).status).toBe(400);
    expect((await call("PUT", `Patient/${patient}`, { resourceType: "Patient", id: "x" })).status).toBe(400);
    expect((await call("PUT", "Patient/nobody", { resourceType: "Patient", id: "nobody" })).status).toBe(404);
    for (const path of ["Patient/nobody", "Patient/nobody/_history", "Practitioner/1"]) {
      const { status, body } = await call("GET", path);
      expect(status).toBe(404);
      expect(body.resourceType).toBe("OperationOutcome");
    }
    expect((await call("DELETE", "Patient/nobody")).status).toBe(404);
  });
});

describe("search", () => {
  interface Page {
    entry: { resource: { id: string } }[];
    link: { relation: string; url: string }[];
  }

  async function pages(query: string): Promise<string[][]> {
    const found: string[][] = [];
    let path: string | undefined = query;
    while (path) {
      const page: Page = (await call("GET", path)).body;
      found.push(page.entry.map(({ resource }) => resource.id));
      const next = page.link.find(({ relation }) => relation === "next");
      path = next?.url.split("/fhir/R4/")[1];
    }
    return found;
  }

  test("catch-up by _lastUpdated, ascending, with cursors and with offsets", async () => {
    const patientId = newPatient();
    const ids = Array.from({ length: 5 }, () => {
      advance(60);
      return sandbox.writePrescription({ patientId, ...drug });
    });
    const since = new Date(START.getTime() + 120_000).toISOString();
    const catchUp = `MedicationRequest?_lastUpdated=ge${since}&_sort=_lastUpdated&_count=2`;
    expect(await pages(catchUp)).toEqual([ids.slice(1, 3), ids.slice(3)]);
    advance(60);
    sandbox.cancelPrescription(ids[1] ?? "");
    sandbox.deleteResource("MedicationRequest", ids[2] ?? "");
    expect((await pages(catchUp)).flat()).toEqual([ids[3], ids[4], ids[1]]);
    const byPatient = await pages(`MedicationRequest?subject=Patient/${patientId}&_count=3`);
    expect(byPatient.map((page) => page.length)).toEqual([3, 1]);
    expect((await pages("MedicationRequest?_sort=-_lastUpdated")).flat()).toEqual([
      ids[1],
      ids[4],
      ids[3],
      ids[0],
    ]);
  });

  test("many with one timestamp are neither lost nor doubled", async () => {
    const patientId = newPatient();
    const ids = Array.from({ length: 9 }, () => sandbox.writePrescription({ patientId, ...drug }));
    const found = (await pages("MedicationRequest?_sort=_lastUpdated&_count=2")).flat();
    expect(found.toSorted()).toEqual(ids.toSorted());
  });

  test("by subject, status, prescription and identifier", async () => {
    const [patientId, other] = [newPatient(), newPatient()];
    const prescriptionId = sandbox.writePrescription({ patientId, ...drug });
    sandbox.writePrescription({ patientId: other, ...drug, status: "draft" });
    const dispense = sandbox.recordDispense({ patientId, prescriptionId, pharmacyOrderId: "order-1" });
    const ids = async (query: string) => (await pages(query)).flat();
    expect(await ids(`MedicationRequest?subject=Patient/${patientId}`)).toEqual([prescriptionId]);
    expect(await ids(`MedicationRequest?subject=Patient/${patientId}&status=draft`)).toEqual([]);
    expect(await ids(`MedicationDispense?subject=Patient/${patientId}&status=completed`)).toEqual([dispense]);
    expect(await ids(`MedicationDispense?subject=Patient/${other}`)).toEqual([]);
    expect(await ids(`MedicationDispense?prescription=MedicationRequest/${prescriptionId}`)).toEqual([
      dispense,
    ]);
    expect(await ids("MedicationDispense?identifier=order-1")).toEqual([dispense]);
  });

  test("by several subjects or prescriptions at once, and never by a resource's former names", async () => {
    const [one, two] = [newPatient(), newPatient()];
    const [first, second] = [one, two].map((patientId) => sandbox.writePrescription({ patientId, ...drug }));
    const ids = async (query: string) => (await pages(query)).flat().toSorted();
    expect(await ids(`MedicationRequest?subject=Patient/${one},Patient/${two},Patient/${one}`))
      .toEqual([first, second].toSorted());
    const fills = [[one, first], [two, second]].map(([patientId = "", prescriptionId = ""], i) =>
      sandbox.recordDispense({ patientId, prescriptionId, pharmacyOrderId: `order-${i}` })
    );
    expect(
      await ids(`MedicationDispense?prescription=MedicationRequest/${first},MedicationRequest/${second}`),
    )
      .toEqual(fills.toSorted());
    sandbox.deleteResource("MedicationRequest", first ?? "");
    expect(await ids(`MedicationRequest?subject=Patient/${one}`)).toEqual([]);
  });

  test("only the elements that are asked for, and those that identify a resource", async () => {
    const patientId = newPatient();
    const id = sandbox.writePrescription({ patientId, ...drug });
    const response = await sandbox.app.request(
      `/fhir/R4/MedicationRequest?subject=Patient/${patientId}&_elements=status,intent`,
      { headers: { authorization: `Bearer ${token}` } },
    );
    const { entry: [found] } = await response.json();
    expect(Object.keys(found.resource).toSorted()).toEqual([
      "id",
      "intent",
      "meta",
      "resourceType",
      "status",
    ]);
    expect(found.resource.id).toBe(id);
  });

  test("an unknown parameter is an error, not a wider search", async () => {
    newPatient();
    for (
      const query of [
        "Patient?subjct=x",
        "Patient?_sort=name",
        "Patient?_count=many",
        "Patient?_lastUpdated=2026",
        "Patient?_offset=10001",
        "Patient?_cursor=1",
      ]
    ) expect((await call("GET", query)).status, query).toBe(400);
  });
});

describe("actions", () => {
  test("a move keeps the old address", () => {
    const patient = newPatient();
    advance(86_400);
    sandbox.moveHouse(patient, { ...address, line: ["9 Ivy Ln"] });
    expect(sandbox.state.patients.get(patient)?.address).toMatchObject([
      { use: "old", line: ["12 Fern St"], period: { start: "2026-04-10", end: "2026-04-11" } },
      { use: "home", line: ["9 Ivy Ln"], period: { start: "2026-04-11" } },
    ]);
  });

  test("a merge links both records, and the old one is inactive", async () => {
    const [old, kept] = [newPatient(), newPatient()];
    sandbox.identifyPatient(kept, [{ system: "urn:ours", value: "7" }]);
    await sandbox.outbox.flush();
    events = [];
    sandbox.mergePatients(old, kept);
    expect(sandbox.state.patients.get(old)).toMatchObject({
      active: false,
      link: [{ type: "replaced-by", other: { reference: `Patient/${kept}` } }],
    });
    expect(sandbox.state.patients.get(kept)).toMatchObject({
      active: true,
      identifier: [{ system: "urn:ours", value: "7" }],
      link: [{ type: "replaces", other: { reference: `Patient/${old}` } }],
    });
    await sandbox.outbox.flush();
    expect(events.map(({ type, attributes }) => [type, attributes["patient_id"]]).toSorted()).toEqual(
      [["patient.update", old], ["patient.update", kept]].toSorted(),
    );
  });

  test("a new email leaves the one before as old", () => {
    const patient = sandbox.createPatient({
      name: "Quill",
      address,
      telecom: { email: "a@x.test", phone: "+1" },
    });
    sandbox.changeEmail(patient, "b@x.test");
    expect(sandbox.state.patients.get(patient)?.telecom).toMatchObject([
      { system: "email", value: "a@x.test", use: "old" },
      { system: "phone", value: "+1", use: "home" },
      { system: "email", value: "b@x.test", use: "home" },
    ]);
  });

  test("terms change without losing the others", () => {
    const id = sandbox.writePrescription({
      patientId: newPatient(),
      ...drug,
      repeats: 2,
      validUntil: "2027-01-01",
      daysSupply: 30,
      id: "rx-1",
    });
    expect(id).toBe("rx-1");
    sandbox.updatePrescription(id, { repeats: null, validUntil: "2027-06-01" });
    sandbox.cancelPrescription(id);
    const written = JSON.parse(JSON.stringify(sandbox.state.prescriptions.get(id)));
    expect(written).toMatchObject({
      status: "cancelled",
      medicationCodeableConcept: { coding: [{ code: drug.rxnorm, display: drug.drug }] },
      dispenseRequest: {
        validityPeriod: { start: "2026-04-10", end: "2027-06-01" },
        expectedSupplyDuration: { value: 30, code: "d" },
      },
    });
    expect(written.dispenseRequest.numberOfRepeatsAllowed).toBeUndefined();
    expect(sandbox.state.history.get(`MedicationRequest/${id}`)).toHaveLength(3);
    expect(() => sandbox.updatePrescription(id, { drug: "Another" })).toThrow();
  });

  test("a fill is recorded once per pharmacy order, for the right patient", () => {
    const [patientId, other] = [newPatient(), newPatient()];
    const prescriptionId = sandbox.writePrescription({ patientId, ...drug });
    const fill = { patientId, prescriptionId, pharmacyOrderId: "order-1" };
    expect(sandbox.recordDispense(fill)).toBe(sandbox.recordDispense(fill));
    expect(() => sandbox.recordDispense({ ...fill, patientId: other, pharmacyOrderId: "order-2" })).toThrow();
    expect(sandbox.state.dispenses.size).toBe(1);
  });

  test("an unknown resource cannot be changed", () => {
    expect(() => sandbox.moveHouse("nobody", address)).toThrow();
    expect(() => sandbox.writePrescription({ patientId: "nobody", ...drug })).toThrow();
    expect(() => sandbox.cancelPrescription("none")).toThrow();
    expect(() => sandbox.deleteResource("Patient", "nobody")).toThrow();
    const patient = newPatient();
    expect(() => sandbox.createPatient({ name: "Again", address, id: patient })).toThrow();
  });
});

describe("deliveries", () => {
  test("one for each change, by action or over HTTP; none for no change", async () => {
    const patientId = newPatient();
    const id = sandbox.writePrescription({ patientId, ...drug });
    expect(await sent()).toEqual(["medicationrequest.create", "patient.create"]);
    expect(JSON.stringify(events)).not.toMatch(/Zanzibarol|Marrow|Fern/);
    sandbox.cancelPrescription(id);
    sandbox.cancelPrescription(id);
    expect(await sent()).toEqual(["medicationrequest.update"]);
    const [update] = events;
    expect(update?.id).toBe(
      `${sandbox.state.subscriptions.get("MedicationRequest")}:MedicationRequest/${id}:` +
        `${sandbox.state.prescriptions.get(id)?.meta.versionId}:update`,
    );
    expect(sandbox.outbox.acknowledged.has(update?.id ?? "")).toBe(true);
    const { body } = await call("GET", `Patient/${patientId}`);
    await call("PUT", `Patient/${patientId}`, { ...body, active: false });
    sandbox.recordDispense({ patientId, prescriptionId: id, pharmacyOrderId: "order-1" });
    expect(await sent()).toEqual(["medicationdispense.create", "patient.update"]);
    await call("DELETE", `MedicationRequest/${id}`);
    expect(await sent()).toEqual(["medicationrequest.delete"]);
    expect(events[0]?.attributes).toMatchObject({ resource_id: id, version_id: null });
    expect(await sent()).toEqual([]);
  });

  test("waits until it is taken, after any other answer", async () => {
    newPatient();
    for (answer of [500, 400, 404, 410, 429]) expect(await sent()).toEqual([]);
    answer = 204;
    expect(await sent()).toEqual(["patient.create"]);
  });

  test("a retry is dropped when there is a newer version, a first try is not", async () => {
    const patientId = newPatient();
    sandbox.moveHouse(patientId, { ...address, line: ["9 Ivy Ln"] });
    expect(await sent()).toEqual(["patient.create", "patient.update"]);
    answer = 500;
    sandbox.moveHouse(patientId, { ...address, line: ["10 Ivy Ln"] });
    await sent();
    sandbox.moveHouse(patientId, { ...address, line: ["11 Ivy Ln"] });
    answer = 200;
    expect(await sent()).toEqual(["patient.update"]);
    expect(events[0]?.attributes.version_id).toBe(sandbox.state.patients.get(patientId)?.meta.versionId);
    expect(sandbox.outbox.givenUp.size).toBe(1);
    expect(sandbox.outbox.waiting).toBe(0);
  });

  test("of a deleted resource only the delete is sent, and a retried delete is never dropped", async () => {
    const id = newPatient();
    sandbox.deleteResource("Patient", id);
    answer = 500;
    expect(await sent()).toEqual([]);
    answer = 200;
    expect(await sent()).toEqual(["patient.delete"]);
  });

  test("a subscription that was switched off sends nothing", () => {
    sandbox.state.subscriptions.delete("Patient");
    newPatient();
    expect(sandbox.outbox.waiting).toBe(0);
  });
});

describe("faults", () => {
  test("every route has its operation name", async () => {
    const patient = newPatient();
    await call("GET", `Patient/${patient}`);
    await call("GET", "MedicationRequest");
    await call("GET", "MedicationDispense");
    await call("GET", `Patient/${patient}/_history`);
    await call("PUT", "MedicationRequest/x", {});
    await call("POST", "MedicationDispense", {});
    await call("DELETE", "MedicationRequest/x");
    expect([...sandbox.faults.calls.keys()]).toEqual([
      "token",
      "read patient",
      "search prescriptions",
      "search dispenses",
      "history of patient",
      "update prescription",
      "create dispense",
      "delete prescription",
    ]);
  });

  test("a write that is lost on the way back is done, one kept back is done later", async () => {
    const server = await serveSandbox(sandbox.app);
    const subject = { reference: `Patient/${newPatient()}` };
    const body = JSON.stringify({
      resourceType: "MedicationRequest",
      status: "active",
      intent: "order",
      subject,
    });
    const write = () =>
      fetch(`${server.url}/fhir/R4/MedicationRequest`, {
        method: "POST",
        headers: { authorization: `Bearer ${token}` },
        body,
      });
    try {
      sandbox.faults.add({ operation: "create prescription", kind: "lose_answer", times: 1 });
      await expect(write()).rejects.toThrow();
      expect(sandbox.state.prescriptions.size).toBe(1);
      sandbox.faults.add({ operation: "create prescription", kind: "late_commit", times: 1 });
      await expect(write()).rejects.toThrow();
      expect(sandbox.state.prescriptions.size).toBe(1);
      await sandbox.faults.commitLate();
      expect(sandbox.state.prescriptions.size).toBe(2);
    } finally {
      await server.close();
    }
  });
});
