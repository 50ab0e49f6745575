import fc from "fast-check";
import { expect, test } from "vitest";
import { sha256Hex } from "../../src/shared/vendors/signing.ts";
import { makeWorld } from "../support/world.ts";
import { ALL_SENDERS, appWith, sendBody, type Sender } from "./support.ts";

const SEED = 20_261_122;
const RUNS = 2000;
const encoder = new TextEncoder();

/** Any text that JSON can carry: NUL, half surrogate pairs and all. */
const anyText = fc.oneof(
  fc.constantFrom("\0", "evt\0", "\ud800", "a\udc00", "\n"),
  fc.string({ unit: "binary", maxLength: 20 }),
  fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 8 }).map((units) =>
    String.fromCharCode(...units)
  ),
  fc.integer({ min: 200, max: 4_000 }).map((length) => "y".repeat(length)),
);
const anyValue = fc.oneof(anyText, anyText, fc.jsonValue(), fc.double(), fc.constant(undefined));

/** What a vendor's ids, types and times are called: the places that may be stored. */
const KEPT =
  /^(.*_?id|type|object|time|timestamp|created|reference|subject|state|customer|metric|api_version)$/i;

/** A setter for each value in the tree; with `kept`, of those that may be stored. */
function placesIn(value: object, kept: boolean): ((to: unknown) => void)[] {
  return Object.entries(value).flatMap(([key, inner]: [string, unknown]) => [
    ...(kept && !KEPT.test(key) ? [] : [(to: unknown) => void Reflect.set(value, key, to)]),
    ...(typeof inner === "object" && inner !== null ? placesIn(inner, kept) : []),
  ]);
}

/** An event with anything at all put in somewhere, or cut off. */
function likeAnEvent(sender: Sender): fc.Arbitrary<Uint8Array> {
  return fc.record({
    id: fc.integer({ min: 0, max: 20 }),
    changes: fc.array(fc.tuple(fc.nat(), fc.boolean(), anyValue), { maxLength: 2 }),
    cut: fc.oneof({ weight: 9, arbitrary: fc.constant(0) }, {
      weight: 1,
      arbitrary: fc.integer({ min: 1, max: 40 }),
    }),
  }).map(({ id, changes, cut }) => {
    const body = structuredClone(sender.event(`any${id}`).body);
    for (const [at, kept, value] of changes) {
      const places = placesIn(body, kept);
      places[at % places.length]?.(value);
    }
    const bytes = encoder.encode(JSON.stringify(body));
    return bytes.slice(0, bytes.length - cut);
  });
}

const message = fc.constantFrom(...ALL_SENDERS).chain((sender) =>
  fc.record({
    sender: fc.constant(sender),
    body: fc.oneof(
      { weight: 3, arbitrary: likeAnEvent(sender) },
      { weight: 1, arbitrary: fc.uint8Array({ maxLength: 200 }) },
      { weight: 1, arbitrary: fc.json({ maxDepth: 4 }).map((text) => encoder.encode(text)) },
    ),
    signed: fc.oneof({ weight: 4, arbitrary: fc.constant(true) }, {
      weight: 1,
      arbitrary: fc.constant(false),
    }),
    id: fc.oneof(
      fc.integer({ min: 0, max: 20 }).map((n) => `msg_any${n}`),
      fc.string({ minLength: 1, maxLength: 400 }).filter((text) => text === text.trim()),
    ),
  })
);

test(`any bytes give an allowed answer, and what was acknowledged is in the table (seed ${SEED})`, {
  timeout: 180_000,
}, async () => {
  const world = await makeWorld();
  const stable = appWith(world, { log: () => {} });
  const seen = new Map<string, number>();
  let last = 0;
  const newRows = async () => {
    const made = await world.db.selectFrom("clockwork.tasks").select(["id", "status"])
      .where("id", ">", last).orderBy("id").execute();
    last = made.at(-1)?.id ?? last;
    return made;
  };
  await fc.assert(
    fc.asyncProperty(message, async ({ sender, body, signed, id }) => {
      const headers = sender.event("any").headers;
      const secret = signed ? {} : { secret: sender.otherSecret };
      const response = await sendBody(world, sender, body, { app: stable, id, headers, ...secret });
      const answer = await response.text();
      const made = await newRows();
      seen.set(answer, (seen.get(answer) ?? 0) + 1);
      if (!signed) {
        expect([response.status, answer, made.length]).toEqual([401, '{"error":"signature"}', 0]);
        return;
      }
      switch (answer) {
        case '{"ok":true,"result":"recorded"}':
          expect([response.status, made.map(({ status }) => status)]).toEqual([200, ["PENDING"]]);
          break;
        case '{"ok":true,"result":"parked"}':
          expect([response.status, made.map(({ status }) => status)]).toEqual([200, ["PARKED"]]);
          break;
        case '{"ok":true,"result":"repeat"}':
          expect([response.status, made.length]).toEqual([200, 0]);
          break;
        case '{"error":"unreadable"}': {
          expect(response.status).toBe(sender.unreadableStatus);
          const key = `${sender.source}:${await sha256Hex(body)}`;
          const kept = await world.db.selectFrom("clockwork.tasks").select(["status", "reason_code"])
            .where("key", "=", key).execute();
          expect(kept).toMatchObject([{ status: "MANUAL_INTERVENTION", reason_code: "UNREADABLE_EVENT" }]);
          break;
        }
        default:
          throw new Error(`an answer that is not allowed: ${response.status} ${answer}`);
      }
      // Whatever it was, it is known by now: the vendor may send it again and again.
      const again = await sendBody(world, sender, body, { app: stable, id, headers });
      expect(again.status).toBe(response.status);
      expect(await newRows()).toEqual([]);
    }),
    { seed: SEED, numRuns: RUNS, endOnFailure: true },
  );
  // The generator must keep reaching every one of the answers, or this proves little.
  expect([...seen.keys()].sort()).toEqual([
    '{"error":"signature"}',
    '{"error":"unreadable"}',
    '{"ok":true,"result":"parked"}',
    '{"ok":true,"result":"recorded"}',
    '{"ok":true,"result":"repeat"}',
  ]);
});
