import { spawn } from "node:child_process";
import { expect, test } from "vitest";
import { CHAOS } from "../../scripts/chaos/options.ts";
import {
  among,
  type Command,
  decimal,
  defineCommand,
  flag,
  helpOf,
  seed,
  text,
  usageOf,
  whole,
} from "../../scripts/command.ts";
import { DEMO } from "../../scripts/demo/options.ts";
import { FREQUENCY, RETIRE } from "../../scripts/products/options.ts";
import { SIMULATE } from "../../scripts/simulate/options.ts";

const MODULE = new URL("../../scripts/command.ts", import.meta.url).href;

interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** Starts a command whose work is `body`, with `options` and `tools` at hand. */
function start(body: string, args: string[] = [], more = "{}") {
  const script = `import { defineCommand, flag, run, sentenceOf } from ${JSON.stringify(MODULE)};
    const command = defineCommand("npm run it", "It.", { json: flag("as JSON") }, ${more});
    await run(command, async (options, tools) => { ${body} });`;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", script, "it.ts", ...args], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const said: Ended = { code: null, stdout: "", stderr: "" };
  let heard: () => void = () => {};
  child.stdout.on("data", (chunk) => ((said.stdout += chunk), heard()));
  child.stderr.on("data", (chunk) => (said.stderr += chunk));
  return {
    child,
    ended: new Promise<Ended>((done) => child.on("close", (code) => done({ ...said, code }))),
    async said(words: string) {
      while (!said.stdout.includes(words)) await new Promise<void>((next) => (heard = next));
    },
  };
}

const all = defineCommand("npm run it", "It does it.", {
  from: {
    means: "an id",
    takes: "id",
    isOperand: true,
    read: ([id = "none", ...more]) => [id, ...more].join("+"),
  },
  fast: flag("at once"),
  into: text("FILE", "where to", null),
  count: whole("how many", { from: 2, usual: 5 }),
  share: decimal("how much", { from: 0.5, to: 1, usual: null }),
  pace: decimal("how fast", { above: 0, to: 20, usual: 2 }),
  part: among(["head", "tail"], "which", null),
  seed: seed(),
});

test("nothing typed gives the defaults", () => {
  expect(all.parse([])).toEqual({
    from: "none",
    fast: false,
    into: null,
    count: 5,
    share: null,
    pace: 2,
    part: null,
    seed: expect.any(Number),
  });
  expect(new Set(Array.from({ length: 9 }, () => all.parse([]).seed)).size).toBeGreaterThan(1);
});

test("what is typed is read, the last one of two", () => {
  const args = "a --fast --into b.svg --count 7 --share .5 --pace 0.25 --part tail --seed 0 --count 9".split(
    " ",
  );
  expect(all.parse(args)).toEqual({
    from: "a",
    fast: true,
    into: "b.svg",
    count: 9,
    share: 0.5,
    pace: 0.25,
    part: "tail",
    seed: 0,
  });
  expect(all.parse(["a", "b"]).from).toBe("a+b");
});

test.each([
  ["--count 1", "--count must be a whole number from 2 on"],
  ["--count 2.5", "--count must be a whole number from 2 on"],
  ["--count 1e3", "--count must be a whole number from 2 on"],
  ["--share 0.4", "--share must be a number from 0.5 to 1"],
  ["--share x", "--share must be a number from 0.5 to 1"],
  ["--pace 0", "--pace must be a number above 0 and at most 20"],
  ["--part middle", "--part must be one of head, tail"],
  ["--seed -1", "--seed"],
  ["--fastest", "--fastest"],
])("%s is refused", (typed, sentence) => {
  expect(() => all.parse(typed.split(" "))).toThrow(sentence);
});

test("the usage and --help come from the table", () => {
  expect(usageOf(all)).toBe(
    "npm run it -- <id> [--fast] [--into FILE] [--count N] [--share N] [--pace N] [--part head|tail] [--seed N]",
  );
  expect(helpOf(all)).toMatch(
    /^It does it\.\n\nUsage: npm run it -- .*\n\n {2}<id> +an id\n {2}--fast +at once\n/,
  );
  expect(helpOf(all)).toMatch(/--count N +how many \(default: 5\)\n/);
  expect(helpOf(all)).toMatch(/--seed N +.*\(default: another each time\)$/);
  expect(usageOf(CHAOS)).toContain("[--phase chaos|vacuum|sustained|burst|outage|all]...");
});

test("every option of every command has its line", () => {
  const commands: readonly Command<unknown>[] = [CHAOS, DEMO, SIMULATE, FREQUENCY, RETIRE];
  for (const command of commands) {
    for (const { means } of Object.values(command.table)) expect(helpOf(command)).toContain(means);
  }
});

test("--help goes to stdout and nothing is done", async () => {
  const { code, stdout, stderr } = await start(`console.log("done")`, ["--help"]).ended;
  expect([code, stderr]).toEqual([0, ""]);
  expect(stdout).toMatch(/^It\.\n\nUsage: npm run it -- \[--json\]\n/);
  expect(stdout).not.toContain("done");
});

test("a wrong option is one sentence, the usage, and exit code 2", async () => {
  const { code, stdout, stderr } = await start(`console.log("done")`, ["--jason"]).ended;
  expect([code, stdout]).toEqual([2, ""]);
  expect(stderr).toBe("Unknown option '--jason'\nUsage: npm run it -- [--json]\n");
});

test("the work's code is the command's, and progress goes to stderr", async () => {
  const body = `tools.progress("on the way"); console.log(options.json); return 3;`;
  const { code, stdout, stderr } = await start(body, ["--json"]).ended;
  expect([code, stdout]).toEqual([3, "true\n"]);
  expect(stderr).toMatch(/^ +\d+\.\d s {2}on the way\n$/);
});

test("an error that is meant for the person is a sentence, any other has its stack", async () => {
  const body = `throw new Error("the shop is closed")`;
  const told = await start(body, [], "{ explain: sentenceOf }").ended;
  expect([told.code, told.stderr]).toEqual([1, "the shop is closed\n"]);
  const thrown = await start(body).ended;
  expect(thrown.code).toBe(1);
  expect(thrown.stderr).toMatch(/Error: the shop is closed\n +at /);
});

const WAIT = `setInterval(() => {}, 1000); console.log("up"); await new Promise(() => {});`;

test.each(
  [
    ["SIGINT", "{}", 130],
    ["SIGTERM", "{}", 130],
    ["SIGINT", "{ interruptedCode: 0 }", 0],
  ] as const,
)("%s ends it at once (%s)", async (signal, more, expected) => {
  const { child, said, ended } = start(WAIT, [], more);
  await said("up");
  child.kill(signal);
  expect((await ended).code).toBe(expected);
});

test("work that asked for it ends by itself at the first Ctrl-C, and at once at the second", async () => {
  const body = `tools.onInterrupt(() => console.log("first")); ${WAIT}`;
  const { child, said, ended } = start(body);
  await said("up");
  child.kill("SIGINT");
  await said("first");
  child.kill("SIGINT");
  expect((await ended).code).toBe(130);
});
