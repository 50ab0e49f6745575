import { describe, expect, test } from "vitest";
import type { Fault } from "../../scripts/sandbox/faults.ts";
import { makeWorld, type World } from "../support/world.ts";
import { RENEWAL_STORIES } from "./renewal-stories.ts";
import { ORDER_STORIES, recover, type Story } from "./stories.ts";

/** Every call that the stories make, by the sandbox that answers it. */
const OPERATIONS: [keyof World["vendors"] & ("stripe" | "health" | "pharmacy" | "crm"), string][] = [
  ["stripe", "get invoice"],
  ["stripe", "list invoice payments"],
  ["stripe", "get charge"],
  ["stripe", "get subscription"],
  ["stripe", "list credit notes"],
  ["health", "token"],
  ["health", "search prescriptions"],
  ["health", "search dispenses"],
  ["health", "read patient"],
  ["pharmacy", "token"],
  ["pharmacy", "list prescriptions"],
  ["pharmacy", "create order"],
  ["pharmacy", "get order"],
  ["pharmacy", "cancel order"],
  ["crm", "send event"],
  ["stripe", "create subscription"],
  ["stripe", "list subscriptions"],
  ["stripe", "get customer"],
];

const FAULTS: [string, Omit<Fault, "operation">][] = [
  ["its answer lost", { kind: "lose_answer", times: 2 }],
  ["done only after we looked", { kind: "late_commit", times: 1 }],
  ["429 with Retry-After", { kind: "status", status: 429, retryAfterSeconds: 30, times: 3 }],
  ["answering 500 for so long that it is paused", { kind: "status", status: 503, times: 12 }],
];

/** The story of a subscription that is begun here, and the calls that it alone makes or depends on. */
const BEGINS = "a first prescription becomes one subscription and its parcel";
const BEGINNING = ["create subscription", "list subscriptions", "get customer"];
const OTHERS = ORDER_STORIES.filter(({ name }) => name !== BEGINS);

/** The calls that only renewals make. */
const RENEWAL_OPERATIONS: typeof OPERATIONS = [
  ["stripe", "list subscriptions"],
  ["stripe", "update subscription"],
  ["health", "search dispenses"],
  ["crm", "read people"],
  ["crm", "send event"],
];

/** Tells the story under the fault. Gives how many calls met it. */
async function callsMet(
  story: Story,
  vendor: (typeof OPERATIONS)[number][0],
  operation: string,
  fault: Omit<Fault, "operation">,
): Promise<number> {
  const world = await makeWorld();
  try {
    const { faults } = world.vendors[vendor];
    faults.add({ ...fault, operation });
    await story.before(world);
    // What the first days met is over before days go by at once.
    await recover(world);
    for (const moment of story.moments) {
      await moment(world);
      await recover(world);
      await faults.commitLate();
      await recover(world);
    }
    await story.after(world);
    return faults.calls.get(operation) ?? 0;
  } finally {
    await world.close();
  }
}

describe.each(RENEWAL_OPERATIONS)("renewals, %s: %s", (vendor, operation) => {
  test.each(FAULTS)("%s", { timeout: 120_000 }, async (_name, fault) => {
    const [, lapse] = RENEWAL_STORIES;
    if (!lapse) throw new Error("no story");
    expect(await callsMet(lapse, vendor, operation, fault)).toBeGreaterThan(0);
  });
});

describe.each(OPERATIONS)("%s: %s", (vendor, operation) => {
  test.each(FAULTS)("%s", { timeout: 240_000 }, async (_name, fault) => {
    let met = 0;
    const stories = BEGINNING.includes(operation)
      ? ORDER_STORIES.filter(({ name }) => name === BEGINS)
      : OTHERS;
    for (const story of stories) {
      met += await callsMet(story, vendor, operation, fault);
      // Two stories see each fault everywhere but where an order is cancelled.
      if (operation !== "cancel order" && operation !== "get charge" && story === OTHERS[0]) break;
    }
    expect(met).toBeGreaterThan(0);
  });
});
