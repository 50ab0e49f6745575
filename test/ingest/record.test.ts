import { describe, expect, test } from "vitest";
import { z } from "zod";
import { recordEvents, recordWebhook } from "../../src/shared/ingest/record.ts";
import { isStorable } from "../../src/shared/ingest/storable.ts";
import { defineStep } from "../../src/shared/queue/step.ts";
import { makeStepTable, STEPS } from "../../src/shared/steps/table.ts";
import type { Json } from "../../src/shared/vendors/contract.ts";
import { UnreadableEvent, type WebhookConnector } from "../../src/shared/vendors/webhook.ts";
import { addTask } from "../support/act.ts";
import { makeWorld } from "../support/world.ts";

const WEBHOOK = { body: new TextEncoder().encode("{}"), headers: new Headers() };

/** A vendor that says what the test wants. */
function saying(
  read: WebhookConnector["read"],
  source: WebhookConnector["source"] = "standard.test",
): WebhookConnector {
  return { source, unreadableStatus: 200, verify: () => Promise.resolve(true), read };
}
const event = (id: string, type: string, attributes: Record<string, Json> = {}) => ({ id, type, attributes });

const told = defineStep({
  handles: ["standard.test.told"],
  queue: "crm",
  data: z.strictObject({ wanted: z.string(), missing: z.string().nullish() }),
  run: () => Promise.resolve({ kind: "done" }),
});

describe("recordWebhook", () => {
  test("keeps of the attributes what the step's schema names, in the step's own queue", async () => {
    const world = await makeWorld();
    const steps = makeStepTable([...STEPS, told]);
    const vendor = saying(() => event("e1", "told", { wanted: "yes", secret: "no", toString: "no" }));
    expect(await recordWebhook(world.db, steps, vendor, WEBHOOK)).toBe("recorded");
    expect(await recordWebhook(world.db, steps, vendor, WEBHOOK)).toBe("repeat");
    const rows = await world.db.selectFrom("clockwork.tasks").selectAll().execute();
    expect(rows).toMatchObject([{ step: "standard.test.told", key: "e1", vendor: "crm", status: "PENDING" }]);
    expect(rows[0]?.data).toEqual({ wanted: "yes" });
  });

  test("an event that was parked before its step existed is a repeat, not a second row", async () => {
    const world = await makeWorld();
    const vendor = saying(() => event("e1", "told", { type: "told", secret: "no" }));
    expect(await recordWebhook(world.db, makeStepTable(STEPS), vendor, WEBHOOK)).toBe("parked");
    expect(await recordWebhook(world.db, makeStepTable([...STEPS, told]), vendor, WEBHOOK)).toBe("repeat");
    const rows = await world.db.selectFrom("clockwork.tasks").selectAll().execute();
    expect(rows.map(({ status, data }) => ({ status, data }))).toEqual([{
      status: "PARKED",
      data: { type: "told" },
    }]);
  });

  test("one id under two types is two events", async () => {
    const world = await makeWorld();
    for (const type of ["one", "two"]) {
      expect(await recordWebhook(world.db, world.deps.steps, saying(() => event("e1", type)), WEBHOOK)).toBe(
        "parked",
      );
    }
  });

  test("a bug in a connector is ours: it is thrown, so that the vendor sends the event again", async () => {
    const world = await makeWorld();
    const broken = saying(() => {
      throw new TypeError("a bug");
    });
    await expect(recordWebhook(world.db, world.deps.steps, broken, WEBHOOK)).rejects.toThrow(TypeError);
    const unreadable = saying(() => {
      throw new UnreadableEvent("no event");
    });
    expect(await recordWebhook(world.db, world.deps.steps, unreadable, WEBHOOK)).toBe("unreadable");
    expect(await world.db.selectFrom("clockwork.tasks").select("step").execute())
      .toEqual([{ step: "webhook.unreadable" }]);
  });
});

describe("recordEvents", () => {
  test("makes of what a list shows the very tasks that webhooks would have, and only of what is new", async () => {
    const world = await makeWorld();
    const steps = makeStepTable([...STEPS, told]);
    const heard = event("e1", "told", { wanted: "yes", secret: "no" });
    await recordWebhook(world.db, steps, saying(() => heard), WEBHOOK);
    const [byWebhook] = await world.db.selectFrom("clockwork.tasks").selectAll().execute();
    const events = [
      event("e3", "told", { wanted: "c" }),
      heard,
      event("e2", "told", { wanted: "yes", secret: "no" }),
    ];
    const take = () =>
      world.db.transaction().execute((trx) =>
        recordEvents(trx, steps, "standard.test", [...events, event("e2", "told")], byWebhook?.id ?? 0)
      );
    const ids = await take();
    expect(ids).toHaveLength(2);
    expect(await take()).toEqual([]);
    const rows = await world.db.selectFrom("clockwork.tasks").selectAll().orderBy("key").execute();
    expect(rows.map(({ key, data }) => [key, data])).toEqual([
      ["e1", { wanted: "yes" }],
      ["e2", { wanted: "yes" }],
      ["e3", { wanted: "c" }],
    ]);
    expect(rows[1]).toMatchObject({
      step: byWebhook?.step,
      vendor: byWebhook?.vendor,
      status: "PENDING",
      caused_by: byWebhook?.id,
    });
  });

  test("what the database would refuse goes to a person, once; what no step handles is parked", async () => {
    const world = await makeWorld();
    const cause = await addTask(world.db, "completeness.stripe", {}, "stripe");
    const events = [event("e\0", "told", { wanted: "yes" }), event("e9", "untold")];
    const take = () =>
      world.db.transaction().execute((trx) =>
        recordEvents(trx, world.deps.steps, "standard.test", events, cause)
      );
    expect(await take()).toHaveLength(2);
    expect(await take()).toEqual([]);
    const rows = await world.db.selectFrom("clockwork.tasks").select(["step", "status"])
      .where("caused_by", "=", cause).orderBy("id").execute();
    expect(rows).toEqual([
      { step: "webhook.unreadable", status: "MANUAL_INTERVENTION" },
      { step: "standard.test.untold", status: "PARKED" },
    ]);
  });
});

describe("isStorable", () => {
  test("takes what vendors send", () => {
    expect(
      isStorable(event("evt_1", "invoice.paid", { a: "x", b: null, c: 1, d: true, e: ["é", { f: "😀" }] })),
    ).toBe(true);
    expect(isStorable(event("x".repeat(300), "v2.core.account[identity].updated"))).toBe(true);
  });

  test("refuses what the database or a reader could not bear", () => {
    const bad = ["\0", "a\nb", "\x1b[2J", "\ud800", "\udfff", "x".repeat(301)];
    for (const text of bad) {
      expect(isStorable(event(text, "a"))).toBe(false);
      expect(isStorable(event("e", "a", { text }))).toBe(false);
      expect(isStorable(event("e", "a", { [text]: 1 }))).toBe(false);
      expect(isStorable(event("e", "a", { list: [{ text }] }))).toBe(false);
      expect(isStorable(event("e", text))).toBe(false);
    }
    for (const type of ["", "A", "two words", "a/b", "é", "x".repeat(151)]) {
      expect(isStorable(event("e", type))).toBe(false);
    }
    expect(isStorable(event("", "a"))).toBe(false);
    expect(isStorable(event("e", "a", { n: Infinity }))).toBe(false);
  });
});
