import { expect, onTestFinished, test } from "vitest";
import { makeMedplumSandbox } from "../../scripts/sandbox/medplum.ts";
import { serveSandbox } from "../../scripts/sandbox/server.ts";
import { VendorError } from "../../src/shared/vendors/contract.ts";
import type { VendorEvent } from "../../src/shared/vendors/webhook.ts";
import { seeded } from "../../scripts/sandbox/random.ts";
import { makeMedplumClient } from "../../src/shared/vendors/medplum/client.ts";
import { medplumWebhook } from "../../src/shared/vendors/medplum/webhook.ts";
import { everyPage } from "./stripe-setup.ts";

const CANARY = "CANARY-DRUG halve the evening dose";
const ADDRESS = { line: ["12 Fern St"], city: "Salem", state: "OR", postalCode: "97301" };

async function openRecord() {
  const clock = { now: new Date("2027-03-01T09:00:00.000Z") };
  const received: VendorEvent[] = [];
  const sandbox = makeMedplumSandbox({
    now: () => clock.now,
    random: seeded(8),
    fetch: (_url, init) => {
      const body = new TextEncoder().encode(String(init?.body));
      received.push(medplumWebhook.read({ body, headers: new Headers(init?.headers) }));
      return Promise.resolve(new Response(""));
    },
    webhook: { url: "http://endpoint.test/medplum", secret: "test" },
  });
  const server = await serveSandbox(sandbox.app);
  onTestFinished(server.close);
  const { clientId, clientSecret } = sandbox;
  const urls: string[] = [];
  const client = makeMedplumClient({
    baseUrl: server.url,
    clientId,
    clientSecret,
    now: () => clock.now,
    timeZone: () => Promise.resolve("UTC"),
    fetch: (input, init) => {
      urls.push(String(input));
      return fetch(input, init);
    },
  });
  const pass = (seconds: number) => {
    clock.now = new Date(clock.now.getTime() + seconds * 1000);
  };
  const write = (patientId: string) => sandbox.writePrescription({ patientId, rxnorm: "1", drug: CANARY });
  return { clock, pass, received, sandbox, client, urls, write };
}

const failure = (work: Promise<unknown>) =>
  work.then(
    () => null,
    (error: unknown) => error instanceof VendorError ? [error.failure, error.details.code] : error,
  );

test("a change is reduced as its webhook is, but for the id; only the version of now is listed", async () => {
  const { clock, pass, received, sandbox, client, write } = await openRecord();
  const since = clock.now;
  const patientId = sandbox.createPatient({ name: "Quill Marrow", address: ADDRESS });
  const first = write(patientId);
  pass(1);
  const second = write(patientId);
  pass(1);
  sandbox.updatePrescription(first, { repeats: 3 });
  pass(1);
  const query = { since, until: clock.now, cursor: null };
  const { entries, next } = await client.listChanges({ type: "medicationrequest", ...query });
  expect(next).toBeNull();
  expect(entries.map(({ attributes }) => attributes["resource_id"])).toEqual([second, first]);
  expect(new Set(entries.map(({ type }) => type))).toEqual(new Set(["medicationrequest.update"]));
  await sandbox.outbox.flush(1);
  for (const { attributes } of entries) {
    expect(received.map((event) => event.attributes)).toContainEqual(attributes);
  }
  const version = sandbox.state.prescriptions.get(first)?.meta.versionId;
  expect(entries[1]?.id).toBe(`listed:MedicationRequest/${first}:${version}`);
  expect(JSON.stringify(entries)).not.toContain("CANARY");
  const patients = await client.listChanges({ type: "patient", ...query });
  expect(patients.entries).toMatchObject([{ type: "patient.update", attributes: { patient_id: patientId } }]);
  // `since` belongs to the window, `until` does not.
  expect((await client.listChanges({ type: "patient", ...query, until: since })).entries).toEqual([]);
});

test("pages are gone through by a cursor that can be stored, and each change comes once", async () => {
  const { clock, pass, sandbox, client, write } = await openRecord();
  const patientId = sandbox.createPatient({ name: "Quill Marrow", address: ADDRESS });
  const since = clock.now;
  const written = Array.from({ length: 430 }, () => {
    pass(1);
    return write(patientId);
  });
  const until = clock.now;
  const pages = await everyPage((cursor) =>
    client.listChanges({
      type: "medicationrequest",
      since,
      until: new Date(until.getTime() + 1),
      cursor: cursor === null ? null : JSON.parse(JSON.stringify(cursor)),
    })
  );
  expect(pages.map((page) => page.length)).toEqual([200, 200, 30]);
  expect(pages.flat().map(({ attributes }) => attributes["resource_id"])).toEqual(written);
});

test("a cursor that leads elsewhere does not take the token along; a type that nobody listed is refused", async () => {
  const { clock, client, urls } = await openRecord();
  const query = { since: clock.now, until: clock.now };
  expect(await failure(client.listChanges({ type: "patient", ...query, cursor: "https://elsewhere.test/x" })))
    .toEqual(["refused", "foreign_link"]);
  expect(await failure(client.listChanges({ type: "specimen", ...query, cursor: null })))
    .toEqual(["refused", "unlisted_type"]);
  expect(urls).toEqual([]);
});

test("of many patients only those that were deleted are told, reduced as the webhook is", async () => {
  const { received, sandbox, client } = await openRecord();
  const [here, gone] = [1, 2].map(() => sandbox.createPatient({ name: "Quill Marrow", address: ADDRESS }));
  sandbox.deleteResource("Patient", gone ?? "");
  const events = await client.listDeletedPatients([here ?? "", gone ?? "", "never-was", "no id!", ".."]);
  await sandbox.outbox.flush(1);
  const told = received.filter(({ type }) => type === "patient.delete");
  expect(events).toEqual(told.map((event) => ({ ...event, id: `listed:Patient/${gone}:delete` })));
  expect(events).toHaveLength(1);
  expect(await client.listDeletedPatients([])).toEqual([]);
});
