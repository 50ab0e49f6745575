import { describe, expect, test } from "vitest";
import { addDays } from "../../src/shared/day.ts";
import type { Coverage } from "../../src/shared/prescriptions/coverage.ts";
import { decide } from "../../src/shared/renewals/decide.ts";
import type { Look } from "../../src/shared/renewals/look.ts";

const NOW = new Date("2026-03-01T12:00:00Z");
const REMIND = [14, 5];
const ZONE = "America/New_York";
const inDays = (days: number) => addDays(NOW, days, ZONE);

type Standing = Parameters<typeof decide>[0];

function renewal(changes: Partial<Standing> = {}): Standing {
  return {
    state: "SCHEDULED",
    product_id: 1,
    prescription_id: "rx1",
    due_on: inDays(20),
    start_on: inDays(-10),
    contacted_at: null,
    reminders: 0,
    ...changes,
  };
}

function look(dueInDays: number, changes: Partial<Look> = {}): Look {
  const dueOn = inDays(dueInDays);
  const coverage: Coverage = {
    kind: "covered",
    prescriptionId: changes.prescriptionId ?? "rx1",
    cause: "RUNS_OUT",
    lastFillOn: null,
    expiresOn: dueOn,
    runsOutOn: dueOn,
    firstUncovered: dueOn,
    dueOn,
    others: 0,
  };
  return {
    subscriptionItemId: "si_1",
    subscriptionId: "sub_1",
    subscriptionCreatedAt: inDays(-200),
    customerId: 1,
    productId: 1,
    finding: "RUNS_OUT",
    what: null,
    coverage,
    prescriptionId: "rx1",
    dueOn,
    startOn: addDays(dueOn, -30, ZONE),
    otherPrescriptions: 0,
    otherRefills: 0,
    asks: null,
    coversNextCharge: true,
    ...changes,
  };
}

const contacted = (daysAgo: number, more: Partial<Standing> = {}) =>
  renewal({ state: "CONTACTED", contacted_at: inDays(-daysAgo), ...more });

describe("an open renewal", () => {
  test("waits for its day", () => {
    const decision = decide(
      renewal({ due_on: inDays(40), start_on: inDays(10) }),
      look(40),
      REMIND,
      NOW,
      ZONE,
    );
    expect(decision).toMatchObject({ kind: "go on", tell: null, nextOn: inDays(10) });
  });

  test("asks the customer once its day has come", () => {
    expect(decide(renewal(), look(20), REMIND, NOW, ZONE)).toMatchObject({
      kind: "go on",
      tell: "renewal_due",
    });
  });

  test("reminds on the days that are set, each once", () => {
    const on = (dueIn: number, reminders: number) =>
      decide(contacted(20, { reminders }), look(dueIn), REMIND, NOW, ZONE);
    expect(on(15, 0)).toMatchObject({ tell: null, nextOn: inDays(1) });
    expect(on(14, 0)).toMatchObject({ tell: "renewal_reminder" });
    expect(on(13, 1)).toMatchObject({ tell: null, nextOn: inDays(8) });
    expect(on(5, 1)).toMatchObject({ tell: "renewal_reminder" });
    expect(on(3, 2)).toMatchObject({ tell: null, nextOn: inDays(3) });
  });

  test("does not remind of a day that was past when the customer was asked", () => {
    expect(decide(contacted(0.5), look(3), REMIND, NOW, ZONE)).toMatchObject({
      tell: null,
      nextOn: inDays(3),
    });
  });

  test("lapses on the due day, contacted or not, and stays lapsed", () => {
    expect(decide(contacted(30), look(0), REMIND, NOW, ZONE).kind).toBe("lapse");
    expect(decide(renewal(), look(-3), REMIND, NOW, ZONE).kind).toBe("lapse");
    expect(decide(renewal({ state: "LAPSED" }), look(20), REMIND, NOW, ZONE).kind).toBe("lapse");
  });

  test("is held while the customer pauses: nothing is sent and nothing lapses", () => {
    const paused = look(-3, {
      finding: "PAUSED",
      coverage: null,
      dueOn: null,
      startOn: null,
      prescriptionId: null,
    });
    expect(decide(renewal(), paused, REMIND, NOW, ZONE)).toEqual({ kind: "put off", nextOn: inDays(1) });
  });

  test.each(["INACTIVE", "ENDING"] as const)("is cancelled when the subscription is %s", (finding) => {
    expect(decide(renewal(), look(20, { finding }), REMIND, NOW, ZONE)).toMatchObject({
      kind: "close",
      state: "CANCELLED",
    });
  });

  test("is cancelled when Stripe no longer has the item, or it is for another product", () => {
    expect(decide(renewal(), undefined, REMIND, NOW, ZONE)).toMatchObject({ state: "CANCELLED" });
    expect(decide(renewal(), look(20, { productId: 2 }), REMIND, NOW, ZONE)).toMatchObject({
      state: "CANCELLED",
    });
  });

  test("is renewed by a new prescription that covers the refill longer, also after a lapse", () => {
    const renewed = look(200, { prescriptionId: "rx2" });
    for (const standing of [renewal(), contacted(5), renewal({ state: "LAPSED" })]) {
      expect(decide(standing, renewed, REMIND, NOW, ZONE)).toMatchObject({ kind: "close", state: "RENEWED" });
    }
  });

  test("tells until when in the pharmacy's days, east and west of UTC", () => {
    const until = (dueOn: string, zone: string) => {
      const decision = decide(
        renewal(),
        look(200, { prescriptionId: "rx2", dueOn: new Date(dueOn) }),
        REMIND,
        NOW,
        zone,
      );
      return decision.kind === "close" && decision.because;
    };
    const because = "a new prescription covers it until 2026-12-07";
    expect(until("2026-12-08T04:59:59.999Z", "America/New_York")).toBe(because);
    expect(until("2026-12-06T11:00:00Z", "Pacific/Auckland")).toBe(because);
  });

  test("is not closed by a new prescription that covers nothing more", () => {
    expect(decide(contacted(5), look(20, { prescriptionId: "rx2" }), REMIND, NOW, ZONE).kind).toBe("go on");
  });

  test("is not closed by a new prescription under which the next fill is missing already", () => {
    const begins = look(0, { prescriptionId: "rx2", dueOn: new Date(NOW.getTime() - 90_000) });
    expect(decide(renewal({ state: "LAPSED", due_on: inDays(-2) }), begins, REMIND, NOW, ZONE).kind).toBe(
      "lapse",
    );
  });

  test("is not closed and opened again by dates that move a little", () => {
    expect(decide(contacted(5), look(38), REMIND, NOW, ZONE)).toMatchObject({ kind: "go on", tell: null });
  });

  test("one that nobody was asked about moves with its dates", () => {
    expect(decide(renewal(), look(120), REMIND, NOW, ZONE)).toMatchObject({
      kind: "go on",
      tell: null,
      nextOn: inDays(90),
    });
  });

  test("keeps its dates while they cannot be told", () => {
    const unclear = look(0, {
      finding: "DATES_UNKNOWN",
      coverage: { kind: "unclear", prescriptionId: "rx1", what: "the days' supply" },
      dueOn: null,
      startOn: null,
    });
    expect(decide(contacted(20), unclear, REMIND, NOW, ZONE)).toMatchObject({ dates: { dueOn: inDays(20) } });
  });
});
