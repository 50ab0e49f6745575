import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { CHAOS, type ChaosOptions } from "../../scripts/chaos/options.ts";
import { type ChaosReport, makeReport, render } from "../../scripts/chaos/report.ts";
import type { PhaseReport } from "../../scripts/chaos/run.ts";

const SCRIPT = fileURLToPath(new URL("../../scripts/chaos.ts", import.meta.url));

test("a short chaos loses, doubles and leaves unexplained nothing", { timeout: 240_000 }, async () => {
  const args = [SCRIPT, "--charges", "40", "--minutes", "0.5", "--seed", "3", "--json"];
  const run = promisify(execFile)(process.execPath, args);
  const { stdout } = await run.catch((error: { stdout: string }) => error);
  const report: ChaosReport = JSON.parse(stdout);
  const [chaos] = report.phases;
  const failed = chaos?.checks.filter(({ lost, doubled, unexplained }) =>
    lost.length + doubled.length + unexplained.length > 0
  );
  expect(failed).toEqual([]);
  expect(report).toMatchObject({ ok: true, seed: 3, lost: 0, doubled: 0, unexplained: 0 });
  expect(chaos?.figures["charges"]).toBe(40);
  expect(run.child.exitCode).toBe(0);
  // The storms did come: a chaos in which nothing breaks proves nothing.
  const faults = chaos?.recoveries.filter(({ injected }) => injected > 0).map(({ fault }) => fault);
  expect(faults).toContain("drain function killed");
  expect(faults?.length).toBeGreaterThan(5);
});

test("one lost event is enough to fail", () => {
  const phase = (lost: string[]): PhaseReport => ({
    phase: "chaos",
    figures: { charges: 1 },
    recoveries: [{ fault: "drain function killed", injected: 2, recovered: 1, median: 90.5, worst: 90.5 }],
    checks: [{ name: "nothing is lost", scope: "1 event", lost, doubled: [], unexplained: [] }],
  });
  expect(makeReport(7, 1, [phase([])]).ok).toBe(true);
  const report = makeReport(7, 1, [phase([]), phase(["event 1"])]);
  expect(report).toMatchObject({ ok: false, lost: 1, doubled: 0, unexplained: 0 });
  const text = render(report);
  expect(text).toContain("seed 7");
  expect(text).toContain("FAIL  nothing is lost (1 event)\n        lost: event 1");
  expect(text).toMatch(/drain function killed +2 +1 +90\.5 +90\.5/);
  expect(text.split("\n").at(-1)).toBe("1 lost, 0 doubled, 0 unexplained");
});

test("options", () => {
  const usual: Omit<ChaosOptions, "seed"> = {
    charges: 2000,
    minutes: 6,
    events: 20_000,
    phase: ["chaos"],
    json: false,
  };
  expect(CHAOS.parse([])).toMatchObject(usual);
  expect(CHAOS.parse(["--seed", "7", "--charges", "20000", "--minutes", "0.5", "--json"])).toEqual({
    ...usual,
    seed: 7,
    charges: 20_000,
    minutes: 0.5,
    json: true,
  });
  expect(CHAOS.parse(["--phase", "vacuum", "--phase", "burst"]).phase).toEqual(["vacuum", "burst"]);
  expect(CHAOS.parse(["--phase", "all"]).phase).toHaveLength(5);
  expect(() => CHAOS.parse(["--phase", "calm"])).toThrow("--phase must be one of chaos, vacuum");
  expect(() => CHAOS.parse(["--minutes", "0"])).toThrow("--minutes must be a number above 0");
  expect(() => CHAOS.parse(["--charges", "1.5"])).toThrow("--charges must be a whole number from 10 on");
  expect(() => CHAOS.parse(["--charge", "20"])).toThrow("--charge");
});
