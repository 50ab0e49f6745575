import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { askAdvisors, judgeAdvice } from "../../scripts/check/advisors.ts";
import { type Check, commandCheck, runChecks } from "../../scripts/check/run.ts";
import { problemsIn, treeCheck } from "../../scripts/check/tree.ts";
import { createTestDatabase } from "../support/database.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

describe("runChecks", () => {
  const passing: Check = { name: "a", run: () => Promise.resolve({ problems: [], note: "2 warnings" }) };
  const node = (code: string) => commandCheck("command", [process.execPath, "-e", code], { cwd: ROOT });

  test("prints a line each, and passes when all do", async () => {
    const lines: string[] = [];
    expect(await runChecks([passing, node("")], (line) => lines.push(line))).toBe(true);
    expect(lines).toHaveLength(2);
    expect(lines.join("\n")).toMatch(/^ok\s+a\s+\d+\.\d s {2}2 warnings$/m);
  });

  test("fails when one does, by its exit code or by throwing, and prints what it said after the rest", async () => {
    const lines: string[] = [];
    const throwing: Check = { name: "b", run: () => Promise.reject(new Error("no database")) };
    const failing = node("console.log('what is wrong'); console.error('and where'); process.exit(3)");
    expect(await runChecks([failing, throwing, passing], (line) => lines.push(line))).toBe(false);
    expect(lines.slice(0, 3).filter((line) => line.startsWith("FAIL"))).toHaveLength(2);
    const said = lines.slice(3).join("\n");
    for (const words of ["what is wrong", "and where", "no database"]) expect(said).toContain(words);
  });

  test("a command that says nothing, is killed, or does not exist fails all the same", async () => {
    const missing = commandCheck("missing", ["/no/such/command"], { cwd: ROOT });
    for (const check of [node("process.exit(1)"), node("process.kill(process.pid, 'SIGKILL')"), missing]) {
      const lines: string[] = [];
      expect(await runChecks([check], (line) => lines.push(line))).toBe(false);
      expect(lines).toHaveLength(2);
    }
  });

  test("a command gets no input", async () => {
    expect(await runChecks([node("process.stdin.on('end', () => process.exit(0)).resume()")], () => {})).toBe(
      true,
    );
  });
});

describe("the database advisors", () => {
  test("find no error in the migrations, and one in a table that is open to all", async () => {
    const database = await createTestDatabase();
    try {
      expect(await askAdvisors(ROOT, database.url)).toMatchObject({ problems: [] });
      await database.pool.query("create table public.open_to_all (id bigint primary key)");
      await database.pool.query("grant select on public.open_to_all to anon");
      const { problems } = await askAdvisors(ROOT, database.url);
      expect(problems.join()).toContain("rls_disabled_in_public");
    } finally {
      await database.drop();
    }
  });

  test("that cannot be asked fail, without the database's password", async () => {
    const url = "postgresql://postgres:hunter2@127.0.0.1:1/postgres";
    const { problems } = await askAdvisors(ROOT, url);
    expect(problems).toHaveLength(1);
    expect(problems.join()).not.toContain("hunter2");
  });

  test("warnings are counted, by schema; an answer of another shape is no answer", () => {
    const one = (level: string, schema: string) => ({ name: "n", level, detail: "d", metadata: { schema } });
    const results = [
      one("WARN", "a"),
      one("WARN", "b"),
      one("WARN", "a"),
      one("INFO", "a"),
      one("ERROR", "c"),
    ];
    expect(judgeAdvice(JSON.stringify({ results }))).toEqual({
      problems: ["n: d"],
      note: "3 warnings (a 2, b 1)",
    });
    expect(judgeAdvice('{"results":[]}')).toEqual({ problems: [], note: "no warnings" });
    for (const other of ["", "[]", "{}", "No issues found", '{"results":[{"level":"FATAL"}]}']) {
      expect(() => judgeAdvice(other), other).toThrow();
    }
  });
});

describe("what files may not say", () => {
  // Put together here, or this file would break the rule itself.
  const home = ["", "home", "ada", "x"].join("/");
  const mac = ["", "Users", "ada", "x"].join("/");
  const root = ["", "root", "x"].join("/");
  const checkout = ["", "work", "place"].join("/");

  test("paths of a machine", () => {
    for (
      const line of [
        home,
        `"${mac}"`,
        `cd ${root}`,
        `in ${checkout}/src`,
        `(${checkout})`,
        "C:" + "\\Users\\ada",
      ]
    ) {
      expect(problemsIn("a.ts", `fine\n${line}\n`, checkout), line).toEqual([
        "line 2 names a path of a machine",
      ]);
    }
    const fine = [
      "/work",
      `${checkout}s`,
      `x${checkout}`,
      "https://x.test/home/ada/",
      "/src/a.ts",
      `.${"/root"}/a`,
      "/usr/bin",
    ];
    expect(problemsIn("a.ts", fine.join("\n"), checkout)).toEqual([]);
    // A folder right under / is found in too many places.
    expect(problemsIn("a.ts", "/src/shared", "/src")).toEqual([]);
  });

  test("the registry they were installed from, nor only the platform it had", () => {
    const lock = (entry: object, others: object = {}) =>
      problemsIn(
        "package-lock.json",
        JSON.stringify({ packages: { "node_modules/a": entry, ...others } }),
        checkout,
      );
    expect(lock({ resolved: "https://x.test/a.tgz" })).toHaveLength(1);
    expect(lock({ integrity: "sha512-x" })).toEqual([]);
    const needy = { optionalDependencies: { "@a/mac": "1.0.0" } };
    expect(lock(needy)).toEqual(["has no entry for @a/mac, so that npm ci refuses it"]);
    expect(lock(needy, { "node_modules/@a/mac": {} })).toEqual([]);
    expect(lock(needy, { "node_modules/a/node_modules/@a/mac": {} })).toEqual([]);
    for (
      const line of ["registry=https://x.test", "@a:registry = https://x.test", "//x.test/:_authToken=1"]
    ) {
      expect(problemsIn(".npmrc", `fund=false\n${line}`, checkout), line).toHaveLength(1);
    }
    expect(problemsIn(".npmrc", "fund=false", checkout)).toEqual([]);
  });

  test("and this project's files do not", async () => {
    expect(await treeCheck(ROOT).run()).toEqual({ problems: [] });
  });
});
