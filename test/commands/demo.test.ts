import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { DEMO, type DemoOptions } from "../../scripts/demo/options.ts";
import type { DemoReport } from "../../scripts/demo/report.ts";

const SCRIPT = fileURLToPath(new URL("../../scripts/demo.ts", import.meta.url));

test("a small demo loses, doubles and leaves unexplained nothing", { timeout: 300_000 }, async () => {
  const run = promisify(execFile)(process.execPath, [SCRIPT, "--customers", "40", "--seed", "3", "--json"]);
  const { stdout } = await run.catch((error: { stdout: string }) => error);
  const report: DemoReport = JSON.parse(stdout);
  expect(report.checks.filter((check) => !check.ok)).toEqual([]);
  expect(report).toMatchObject({ ok: true, seed: 3, customers: 40, lost: 0, doubled: 0, unexplained: 0 });
  expect(report.checks).toHaveLength(11);
  // The troubles did come about: a demo in which nothing breaks proves nothing.
  const met = (what: string) => report.faults.filter((fault) => fault.what === what && fault.met > 0).length;
  const injected = ["lose_answer", "late_commit", "status 503", "status 429", "invoice.paid held back"];
  expect(injected.filter((what) => met(what) === 0)).toEqual([]);
  expect(run.child.exitCode).toBe(0);
});

test("options", () => {
  expect(DEMO.parse([])).toEqual<DemoOptions>({ seed: 1, customers: 200, json: false });
  expect(DEMO.parse(["--seed", "7", "--customers", "50", "--json"])).toEqual({
    seed: 7,
    customers: 50,
    json: true,
  });
  expect(() => DEMO.parse(["--customers", "39"])).toThrow("--customers must be a whole number from 40 on");
  expect(() => DEMO.parse(["--seed", "x"])).toThrow("--seed must be");
  expect(() => DEMO.parse(["--sed", "1"])).toThrow("--sed");
});
