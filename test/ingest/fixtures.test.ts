import { expect, test } from "vitest";
import { STEPS } from "../../src/shared/steps/table.ts";
import { expectNoCanary, rows, sendBody, SENDERS } from "../http/support.ts";
import { makeWorld } from "../support/world.ts";
import { FIXTURES } from "./fixtures.ts";

const OF_VENDORS = /^(stripe|health|pharmacy|crm)\.(?!event$)/;

test("there is a fixture for every step that a vendor's event starts, and for no other", () => {
  const handled = STEPS.flatMap((step) => step.handles).filter((name) => OF_VENDORS.test(name));
  expect(Object.keys(FIXTURES).sort()).toEqual(handled.sort());
});

test("each becomes a task of its step, with the data that the step takes", async () => {
  const world = await makeWorld();
  for (const [step, fixture] of Object.entries(FIXTURES)) {
    const response = await sendBody(world, fixture.sender, JSON.stringify(fixture.body), {
      ...(fixture.headers ? { headers: fixture.headers } : {}),
    });
    expect([response.status, await response.json()], step).toEqual([200, { ok: true, result: "recorded" }]);
    const made = (await rows(world)).at(-1);
    const queue = STEPS.find(({ handles }) => handles.includes(step))?.queue;
    expect(made, step).toMatchObject({ step, status: "PENDING", vendor: queue });
    expect(made?.data, step).toEqual(fixture.data);
  }
  expect(await rows(world)).toHaveLength(Object.keys(FIXTURES).length);
  await world.drain();
  const after = await rows(world);
  // The steps find nothing of it at the vendors, but none of them refuses its data.
  expect(after.filter(({ reason_code }) => reason_code === "INVALID_DATA")).toEqual([]);
  expect(after.filter(({ status }) => status === "PENDING").map(({ step }) => step)).toEqual([]);
  await expectNoCanary(world, []);
});

test("a thin event of Stripe starts the same step, by the id of the object", async () => {
  const world = await makeWorld();
  const ofStripe = Object.entries(FIXTURES)
    .filter(([, { sender, data }]) => sender === SENDERS.stripe && data["object_id"] !== undefined);
  for (const [step, { body, data }] of ofStripe) {
    const thin = {
      id: `evt_thin_${step}`,
      object: "v2.core.event",
      type: `v1.${String(body["type"])}`,
      created: data["created"],
      livemode: true,
      related_object: { id: data["object_id"], type: data["object_type"], url: "/v1/x" },
      snapshot_event: body["id"],
    };
    expect((await sendBody(world, SENDERS.stripe, JSON.stringify(thin))).status, step).toBe(200);
    expect((await rows(world)).at(-1), step).toMatchObject({
      step,
      key: body["id"],
      status: "PENDING",
      data: { object_id: data["object_id"], object_type: data["object_type"] },
    });
    // The snapshot of the same change comes later.
    const snapshot = await sendBody(world, SENDERS.stripe, JSON.stringify(body));
    expect(await snapshot.json(), step).toEqual({ ok: true, result: "repeat" });
  }
  expect(await rows(world)).toHaveLength(ofStripe.length);
});
