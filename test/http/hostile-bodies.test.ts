import { describe, expect, test } from "vitest";
import { sha256Hex } from "../../src/shared/vendors/signing.ts";
import { makeWorld, type World } from "../support/world.ts";
import { ALL_SENDERS, CANARY, expectNoCanary, rows, sendBody, type Sender, SENDERS } from "./support.ts";

const encoder = new TextEncoder();

/** A signed body that cannot be read: one row for a person, however often it comes, and never the body. */
async function expectUnreadable(
  world: World,
  sender: Sender,
  body: string | Uint8Array,
  sending: { id?: string; headers?: Record<string, string>; what: string },
): Promise<void> {
  const bytes = typeof body === "string" ? encoder.encode(body) : body;
  const known = await rows(world);
  for (const round of ["first", "again"]) {
    const response = await sendBody(world, sender, bytes, sending);
    const answer = await response.text();
    expect([response.status, answer], `${sender.path}, ${sending.what}, ${round}: ${answer}`)
      .toEqual([sender.unreadableStatus, '{"error":"unreadable"}']);
  }
  const made = (await rows(world)).slice(known.length);
  const sha256 = await sha256Hex(bytes);
  expect(made, `${sender.path}, ${sending.what}`).toMatchObject([{
    step: "webhook.unreadable",
    key: `${sender.source}:${sha256}`,
    status: "MANUAL_INTERVENTION",
    reason_code: "UNREADABLE_EVENT",
    caused_by: null,
  }]);
  expect(made[0]?.data).toEqual({ source: sender.source, sha256, bytes: bytes.length });
  expect(made[0]?.reason).toBe(
    `${sender.source} sent a signed message that cannot be read (${bytes.length} bytes, SHA-256 ${sha256}).`,
  );
}

const nested = (levels: number, open: string, close: string) => open.repeat(levels) + close.repeat(levels);

describe("a signed body that cannot be read becomes one row for a person, without the body", () => {
  const bodies: Record<string, string | Uint8Array> = {
    "not JSON": `{"note": ${CANARY}`,
    "cut off": JSON.stringify({ id: "evt_1", type: "invoice.paid", note: CANARY }).slice(0, -3),
    "not UTF-8": new Uint8Array([...encoder.encode('{"id":"'), 0xff, 0xfe, ...encoder.encode('"}')]),
    "half a surrogate pair in UTF-8": new Uint8Array([0x22, 0xed, 0xa0, 0x80, 0x22]),
    "UTF-16": new Uint8Array([0xff, 0xfe, 0x7b, 0, 0x7d, 0]),
    "10,000 lists, never closed": "[".repeat(10_000),
    "a NUL byte": "\0",
  };

  test("whoever sends it", async () => {
    const world = await makeWorld();
    for (const sender of ALL_SENDERS) {
      for (const [what, body] of Object.entries(bodies)) {
        await expectUnreadable(world, sender, body, { what });
      }
      // Some are events of Standard Webhooks, which knows nothing about bodies; nobody else takes them.
      if (sender === SENDERS.standard) continue;
      for (
        const body of [
          "null",
          "[]",
          '""',
          "7",
          '{"id":"x"}',
          nested(10_000, "[", "]"),
          nested(1_000, '{"a":', "}").replace("}", "1}"),
        ]
      ) {
        await expectUnreadable(world, sender, body, { what: body.slice(0, 20) });
      }
    }
    await expectNoCanary(world, []);
  });

  test("an empty body too", async () => {
    const world = await makeWorld();
    for (const sender of ALL_SENDERS) await expectUnreadable(world, sender, "", { what: "empty" });
  });

  test("the same bytes of two vendors are two rows", async () => {
    const world = await makeWorld();
    for (const sender of ALL_SENDERS) await expectUnreadable(world, sender, "{", { what: "the same" });
    expect(await rows(world)).toHaveLength(ALL_SENDERS.length);
  });

  test("10,000 levels inside an event are read over", async () => {
    const world = await makeWorld();
    for (const sender of ALL_SENDERS) {
      const sample = sender.event("1");
      const text = JSON.stringify({ ...sample.body, deep: "@" }).replace('"@"', nested(10_000, "[", "]"));
      const response = await sendBody(world, sender, text, { id: sample.id, headers: sample.headers });
      expect(response.status, sender.path).toBe(200);
    }
    expect(await rows(world)).toHaveLength(ALL_SENDERS.length);
  });

  test("a row for a person can be set to PENDING and says the same again", async () => {
    const world = await makeWorld();
    await sendBody(world, SENDERS.stripe, "{");
    await world.db.updateTable("clockwork.tasks").set({ status: "PENDING" }).execute();
    await world.drainAll();
    expect(await rows(world)).toMatchObject([{
      status: "MANUAL_INTERVENTION",
      reason_code: "UNREADABLE_EVENT",
    }]);
  });
});

/** What Postgres refuses as text, as jsonb or as the key of an index, put where a vendor's ids are. */
const POISON: Record<string, string> = {
  NUL: "a\u0000b",
  "a line break": "a\nb",
  "a delete": "a\u007fb",
  "the first half of a surrogate pair": "a\ud800",
  "the second half": "\udc00b",
  "halves the wrong way round": "\udc00\ud800",
  "a very long text": "x".repeat(5_000),
  "a long text": "x".repeat(301),
};

/** A copy with `value` at the path `a.b.c`. */
function withAt(body: Record<string, unknown>, path: string, value: unknown): Record<string, unknown> {
  const [first = "", ...rest] = path.split(".");
  const inner = body[first];
  if (rest.length === 0 || typeof inner !== "object" || inner === null) return { ...body, [first]: value };
  return { ...body, [first]: withAt({ ...inner }, rest.join("."), value) };
}

describe("what the database would refuse never gets that far", () => {
  const places: [Sender, string[]][] = [
    [SENDERS.stripe, [
      "id",
      "type",
      "api_version",
      "data.object.id",
      "data.object.object",
      "data.object.customer",
    ]],
    [SENDERS.medplum, ["id", "resourceType", "meta.versionId"]],
    [SENDERS.photon, ["id", "type", "data.id", "data.externalId", "data.patient.id"]],
    [SENDERS.customerio, [
      "event_id",
      "object_type",
      "metric",
      "data.identifiers.id",
      "data.identifiers.cio_id",
    ]],
  ];

  test("it is unreadable, for good, and no loop of 503s", async () => {
    const world = await makeWorld();
    let asked = 0;
    for (const [sender, paths] of places) {
      for (const path of paths) {
        for (const [what, poison] of Object.entries(POISON)) {
          const sample = sender.event("1");
          const body = JSON.stringify(withAt(sample.body, path, poison));
          await expectUnreadable(world, sender, body, {
            headers: sample.headers,
            what: `${what} in ${path}`,
          });
          asked++;
        }
      }
    }
    expect(await rows(world)).toHaveLength(asked);
  });

  test("a thin event of Stripe likewise", async () => {
    const world = await makeWorld();
    const thin = {
      id: "evt_thin",
      object: "v2.core.event",
      type: "v1.invoice.paid",
      created: "2026-11-20T08:00:00.000Z",
      related_object: { id: "in_1", type: "invoice" },
      snapshot_event: "evt_1",
    };
    for (const path of ["type", "related_object.id", "related_object.type", "snapshot_event"]) {
      for (const [what, poison] of Object.entries(POISON)) {
        const body = JSON.stringify(withAt(thin, path, poison));
        await expectUnreadable(world, SENDERS.stripe, body, { what: `${what} in ${path}` });
      }
    }
  });

  test("a sentence is no type of event", async () => {
    const world = await makeWorld();
    for (const sender of ALL_SENDERS) {
      if (sender === SENDERS.standard) continue;
      const sample = sender.event("1");
      const name =
        { medplum: "resourceType", customerio: "metric" }[sender.path.slice("/webhooks/".length)] ?? "type";
      const body = JSON.stringify({ ...sample.body, [name]: CANARY });
      await expectUnreadable(world, sender, body, { headers: sample.headers, what: "a sentence" });
    }
    await expectNoCanary(world, []);
  });

  test("free text is dropped, however it is spelled", async () => {
    const world = await makeWorld();
    for (const sender of ALL_SENDERS) {
      for (const [n, poison] of Object.values(POISON).entries()) {
        const sample = sender.event(`p${n}`);
        const body = JSON.stringify({ ...sample.body, notes: poison, [poison]: poison });
        const response = await sendBody(world, sender, body, { id: sample.id, headers: sample.headers });
        expect(response.status, sender.path).toBe(200);
      }
    }
    expect(await rows(world)).toHaveLength(ALL_SENDERS.length * Object.keys(POISON).length);
  });

  test("an id in a header is held to the same", async () => {
    const world = await makeWorld();
    const { standard, medplum } = SENDERS;
    const body = JSON.stringify(standard.event("1").body);
    await expectUnreadable(world, standard, body, { id: "x".repeat(300), what: "a long id" });
    const { body: resource } = medplum.event("1");
    for (const interaction of ["CREATE", "x".repeat(5_000), "update; drop"]) {
      const headers = { "x-medplum-interaction": interaction };
      // The same bytes: one row for all of them.
      const response = await sendBody(world, medplum, JSON.stringify(resource), { headers });
      expect([response.status, await response.json()]).toEqual([200, { error: "unreadable" }]);
    }
    const odd = { "x-medplum-subscription": "a b", "x-medplum-interaction": "create" };
    expect((await sendBody(world, medplum, JSON.stringify(resource), { headers: odd })).status).toBe(200);
    expect((await rows(world)).at(-1)).toMatchObject({ key: "-:MedicationRequest/rx-1:v-1:create" });
    expect(await rows(world)).toHaveLength(3);
  });
});
