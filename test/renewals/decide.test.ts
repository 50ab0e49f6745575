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
    opened_under: { rx1: {} },
    due_on: inDays(20),
    start_on: inDays(-10),
    contacted_at: null,
    reminders: 0,
    reminders_before: 0,
    ...changes,
  };
}

/** A look after a prescription renewed the refill, which would be due so soon without it. */
const renewedUntil = (dueInDays: number, changes: Partial<Look> = {}) =>
  look(dueInDays, { dueUnder: () => inDays(3), ...changes });

/** No prescription came since the opening: whatever the due day is, it is that of the former limits too. */
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
    limits: {},
    dueUnder: () => dueOn,
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
    const uncovered = look(20, { coversNextCharge: false });
    expect(decide(renewal({ state: "LAPSED" }), uncovered, REMIND, NOW, ZONE).kind).toBe("lapse");
  });

  test("goes on with its campaign when the lapsed prescription can ship again and nothing new was prescribed", () => {
    const lapsed = contacted(30, { state: "LAPSED", due_on: inDays(-2) });
    expect(decide(lapsed, look(40), REMIND, NOW, ZONE)).toMatchObject({ kind: "go on", tell: null });
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
    const renewed = renewedUntil(200, { prescriptionId: "rx2" });
    for (const standing of [renewal(), contacted(5), renewal({ state: "LAPSED" })]) {
      expect(decide(standing, renewed, REMIND, NOW, ZONE)).toMatchObject({ kind: "close", state: "RENEWED" });
    }
  });

  test("tells until when in the pharmacy's days, east and west of UTC", () => {
    const until = (dueOn: string, zone: string) => {
      const decision = decide(
        renewal(),
        renewedUntil(200, { prescriptionId: "rx2", dueOn: new Date(dueOn) }),
        REMIND,
        NOW,
        zone,
      );
      return decision.kind === "close" && decision.because;
    };
    const because = "a prescription covers it until 2026-12-07";
    expect(until("2026-12-08T04:59:59.999Z", "America/New_York")).toBe(because);
    expect(until("2026-12-06T11:00:00Z", "Pacific/Auckland")).toBe(because);
  });

  test("is not closed by a new prescription that covers nothing more", () => {
    expect(decide(contacted(5), look(20, { prescriptionId: "rx2" }), REMIND, NOW, ZONE).kind).toBe("go on");
  });

  test("is not closed by a new prescription under which the next fill is missing already", () => {
    const begins = renewedUntil(0, { prescriptionId: "rx2", dueOn: new Date(NOW.getTime() - 90_000) });
    expect(decide(renewal({ state: "LAPSED", due_on: inDays(-2) }), begins, REMIND, NOW, ZONE).kind).toBe(
      "lapse",
    );
  });

  test("is renewed by the same prescription with more fills or time, also after a lapse", () => {
    for (const standing of [renewal(), contacted(5), renewal({ state: "LAPSED" })]) {
      expect(decide(standing, renewedUntil(60), REMIND, NOW, ZONE)).toMatchObject({
        kind: "close",
        state: "RENEWED",
      });
    }
  });

  test.each([38, 120, 300])(
    "is not closed by a date that moved to %s days ahead: its campaign stays",
    (days) => {
      for (const prescriptionId of ["rx1", "rx2"]) {
        const moved = look(days, { prescriptionId });
        expect(decide(contacted(5), moved, REMIND, NOW, ZONE)).toMatchObject({
          kind: "go on",
          tell: null,
          dates: { dueOn: inDays(days), startOn: inDays(-10) },
        });
      }
    },
  );

  test("reminds of a due day that was put off by months as of a new one, and by days no more", () => {
    const reminded = contacted(20, { reminders: 2, due_on: inDays(4) });
    const puttingOff = decide(reminded, look(90), REMIND, NOW, ZONE);
    expect(puttingOff).toMatchObject({ tell: null, nextOn: inDays(76), dates: { remindersBefore: 2 } });
    const later = contacted(100, { reminders: 2, reminders_before: 2, due_on: inDays(14) });
    expect(decide(later, look(14), REMIND, NOW, ZONE)).toMatchObject({ tell: "renewal_reminder" });
    expect(decide(reminded, look(14), REMIND, NOW, ZONE)).toMatchObject({ tell: null, nextOn: inDays(14) });
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
