import { expect, test } from "vitest";
import { makeAgenda } from "../../scripts/simulate/agenda.ts";
import { makeBreaks } from "../../scripts/simulate/breaks.ts";
import { runClinics } from "../../scripts/simulate/clinics.ts";
import { funnelChart, openChart } from "../../scripts/simulate/chart.ts";
import { makeDice } from "../../scripts/simulate/dice.ts";
import type { Funnel, OpenOnDay } from "../../scripts/simulate/funnel.ts";
import { SIMULATE } from "../../scripts/simulate/options.ts";
import { makeProgress } from "../../scripts/simulate/progress.ts";
import { render, type SimulationReport, together } from "../../scripts/simulate/report.ts";
import { runSimulation } from "../../scripts/simulate/run.ts";
import { simulationPicture } from "../../scripts/simulate/svg.ts";
import { lastMoment } from "../../scripts/simulate/truth.ts";
import { dayIn, endOfDay } from "../../src/shared/day.ts";
import { createTestDatabase } from "../support/database.ts";

test("half a year of a busy little clinic breaks no rule", { timeout: 600_000 }, async () => {
  const database = await createTestDatabase();
  try {
    const report = await runSimulation({ url: database.url, seed: 7, customers: 50, days: 190, busy: 3 });
    expect(report.breaks).toEqual([]);
    expect(report).toMatchObject({ ok: true, days: 190, seed: 7 });
    // A half year in which nothing happens proves nothing.
    const { happened, checked, funnel } = report;
    for (
      const kind of [
        "paused (status)",
        "paused (collection)",
        "resumed",
        "a switched dose",
        "an early refill",
        "a transfer",
        "vendor outages",
        "late webhooks",
        "cron outages",
        "ticks lost",
        "ticks doubled",
        "row for a person: RENEWAL_LAPSED",
        "renewal_reminder",
      ]
    ) expect(happened[kind] ?? 0, kind).toBeGreaterThan(0);
    // A cycle has one campaign, so half a year of a small clinic has few.
    expect(checked["never two campaigns for one cycle"]).toBeGreaterThan(15);
    expect(checked["nobody paused or cancelled is charged"]).toBeGreaterThan(100);
    expect(funnel.renewedInTime).toBeGreaterThan(5);
    expect(funnel.lapsed).toBeGreaterThan(0);
  } finally {
    await database.drop();
  }
});

test("two clinics, each in a thread with a database, are told as one", { timeout: 120_000 }, async () => {
  const databases = await Promise.all([createTestDatabase(), createTestDatabase()]);
  try {
    const seen: number[] = [];
    const report = await runClinics({
      urls: databases.map(({ url }) => url),
      seed: 6,
      customers: 21,
      days: 30,
      onDay: (day) => seen.push(day),
    });
    expect(report).toMatchObject({
      ok: true,
      seed: 6,
      customers: 21,
      days: 30,
      timeZones: ["Europe/Berlin", "Australia/Lord_Howe"],
    });
    expect(seen.at(-1)).toBe(30);
    const signedUp = await Promise.all(
      databases.map(async ({ pool }) => (await pool.query("select from registry.customers")).rowCount),
    );
    expect(signedUp.reduce((sum, count) => (sum ?? 0) + (count ?? 0), 0)).toBe(report.happened["signed up"]);
  } finally {
    for (const database of databases) await database.drop();
  }
});

test("clinics together", () => {
  const one = reportOf([]);
  const both = together([one, { ...one, ok: false, timeZones: ["UTC"], seed: 10, open: days.slice(0, 30) }]);
  expect(both).toMatchObject({ ok: false, seed: 9, customers: 80, days: 60, happened: { charges: 200 } });
  expect(both.timeZones).toEqual(["Europe/Berlin", "UTC"]);
  expect(both.funnel).toMatchObject({ opened: 80, open: 10 });
  expect([both.open[29]?.contacted, both.open[30]?.contacted]).toEqual([58, 30]);
});

const funnel: Funnel = {
  opened: 40,
  asked: 36,
  reminded: 20,
  lapsed: 8,
  renewedInTime: 25,
  renewedLate: 6,
  cancelled: 4,
  open: 5,
};
const days: OpenOnDay[] = Array.from(
  { length: 60 },
  (_, i) => ({ scheduled: i % 4, contacted: i, lapsed: 1 }),
);

function reportOf(breaks: SimulationReport["breaks"]): SimulationReport {
  return {
    ok: breaks.length === 0,
    seed: 9,
    customers: 40,
    days: 60,
    timeZones: ["Europe/Berlin"],
    seconds: 12.3,
    checked: { "never two campaigns for one cycle": 36 },
    happened: { charges: 100 },
    funnel,
    open: days,
    breaks,
  };
}

test("the report: a funnel, the looks, and the story of whoever a rule broke for", () => {
  const well = render(reportOf([]));
  expect(well).toContain("seed 9: 40 customers, 60 days, 12 s, with a pharmacy in Europe/Berlin");
  expect(well).toMatch(/came due +█{48} +40\n/);
  expect(well).toContain("ok    never two campaigns for one cycle (36 times)");
  const broken = render(reportOf([{
    rule: "never two campaigns for one cycle",
    day: "2027-03-14T09:30:00.000Z",
    customer: 12,
    what: "campaign 2 of sub_1",
    story: ["2027-01-05 10:00  signed up"],
    seed: 9,
    customers: 40,
  }]));
  expect(broken).toContain("FAIL  never two campaigns for one cycle");
  expect(broken).toContain(
    "BROKEN on 2027-03-14 09:30: never two campaigns for one cycle\n  customer 12: campaign 2 of sub_1\n" +
      "    2027-01-05 10:00  signed up",
  );
  expect(broken).toContain("Again: npm run simulate -- --clinics 1 --seed 9 --customers 40 --days 60");
});

test("the pictures say what the funnel says", () => {
  const caption = { title: "40 customers & their renewals", subtitle: "seed 9" };
  const svg = simulationPicture(funnel, days, caption);
  expect(svg).toContain("40 customers &amp; their renewals");
  for (const count of [40, 36, 20, 8, 25, 6, 4, 5]) expect(svg).toContain(`>${count}</text>`);
  // Whole and closed: as many elements begin as end.
  expect(svg.match(/<text /g)?.length).toBe(svg.match(/<\/text>/g)?.length);
  expect(svg.match(/<polygon /g)).toHaveLength(3);
  expect(openChart(days).split("\n")[1]).toContain("up to 59");
  expect(funnelChart({ ...funnel, opened: 0, asked: 0 })).toMatch(/came due +0\n/);
});

test("a bar on a terminal, a line now and then elsewhere", () => {
  const lines: string[] = [];
  const plain = makeProgress(200, (text) => lines.push(text), false);
  for (let day = 1; day <= 200; day++) plain.day(day);
  expect(lines).toHaveLength(20);
  expect(lines[0]).toMatch(/^day 10 of 200, 0 s gone, about 0 s to go\n$/);
  const bars: string[] = [];
  makeProgress(4, (text) => bars.push(text), true).day(1);
  expect(bars[0]).toMatch(/^\r\[█{10}·{30}\] day 1 of 4/);
});

test("things happen in order, and what they bring about in the same stretch too", async () => {
  const seen: string[] = [];
  const agenda = makeAgenda();
  for (const at of [5, 1, 9, 3, 3, 7]) agenda.at(at, () => void seen.push(`${at}`));
  agenda.at(3, () => agenda.at(4, () => void seen.push("brought about")));
  await agenda.happen(new Date(7));
  expect(seen).toEqual(["1", "3", "3", "brought about", "5", "7"]);
  await agenda.happen(new Date(20));
  expect(seen.at(-1)).toBe("9");
});

test("each stream of chance is its own, and the same again for the same seed", () => {
  const rolls = (...names: (string | number)[]) => {
    const dice = makeDice(1, ...names);
    return [dice.roll(), dice.whole(1, 6), dice.between(2, 3), dice.weighted([[1, "a"], [0, "b"]])];
  };
  expect(rolls("customer", 1)).toEqual(rolls("customer", 1));
  expect(rolls("customer", 1)).not.toEqual(rolls("customer", 2));
  const dice = makeDice(1, "wait");
  const waits = Array.from({ length: 2000 }, () => dice.wait(2));
  const mean = waits.reduce((sum, wait) => sum + wait, 0) / waits.length / 86_400_000;
  expect(Math.abs(mean - 365 / 2)).toBeLessThan(20);
});

test("the last moment of a day, found another way than the engine finds it", () => {
  for (const zone of ["America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "America/Los_Angeles"]) {
    for (let day = 0; day < 730; day += 1) {
      const text = dayIn(new Date(Date.UTC(2027, 0, 1 + day)), "UTC");
      expect(lastMoment(text, zone), `${text} ${zone}`).toBe(endOfDay(text, zone).getTime());
    }
  }
  expect(lastMoment("2027-03-14T23:59:59-08:00", "Europe/Berlin")).toBe(Date.parse("2027-03-15T07:59:59Z"));
});

test("one break of a rule a customer is told once, and enough of them end the run", () => {
  const now = () => new Date("2027-03-14T09:30:00Z");
  const breaks = makeBreaks(now);
  const customer = (number: number) => ({ number, story: [] as { at: Date; what: string }[] });
  const rule = "what a customer paused stays paused";
  const add = (number: number) =>
    breaks.check(
      {
        ...customer(number),
        person: {
          customerId: number,
          email: "",
          stripeCustomerId: "",
          healthPatientId: "",
          pharmacyPatientId: "",
          crmPersonId: "",
          loginUserId: "",
        },
        dice: makeDice(1),
        refills: [],
        prescriptions: [],
        surprisedAt: now(),
      },
      rule,
      "sub_1",
    );
  add(1);
  add(1);
  expect(breaks.list).toHaveLength(1);
  expect(breaks.isEnough()).toBe(false);
  for (let number = 2; number <= 10; number++) add(number);
  expect(breaks.isEnough()).toBe(true);
});

test("options", () => {
  const usual = { customers: 1000, clinics: 2, days: 730, busy: 1, json: false, svg: null };
  expect(SIMULATE.parse([])).toMatchObject(usual);
  expect(SIMULATE.parse(["--customers", "5000", "--years", "0.5", "--seed", "3", "--json", "--svg", "a.svg"]))
    .toEqual({ ...usual, customers: 5000, days: 183, seed: 3, json: true, svg: "a.svg" });
  expect(SIMULATE.parse(["--days", "60", "--busy", "3"])).toMatchObject({ days: 60, busy: 3 });
  expect(() => SIMULATE.parse(["--customers", "9", "--clinics", "1"]))
    .toThrow("--customers must be a whole number from 10 on");
  expect(() => SIMULATE.parse(["--customers", "39", "--clinics", "4"]))
    .toThrow("--customers must be a whole number from 40 on");
  expect(() => SIMULATE.parse(["--years", "0"])).toThrow("--years must be a number from 0.1 to 10");
  expect(() => SIMULATE.parse(["--days", "29"])).toThrow("--days must be a whole number from 30 on");
  expect(() => SIMULATE.parse(["--customer", "20"])).toThrow("--customer");
});
