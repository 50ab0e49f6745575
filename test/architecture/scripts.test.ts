import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { importsAmong } from "./circles.ts";
import { filesUnder, ROOT } from "./sources.ts";

// The order of scripts/: commands at the top, each with a folder for its own parts, and rooms that all may use.

/** What a room may import of scripts/ besides itself. */
const ROOMS: Readonly<Record<string, readonly string[]>> = {
  sandbox: [],
  stack: ["sandbox"],
  proof: ["sandbox", "stack"],
};

const scripts = filesUnder("scripts");
const arrows = importsAmong(scripts).filter(([, to]) => to.startsWith("scripts/"));
const parts = (path: string) => path.split("/").slice(1);
/** The folder right under scripts/, or null for a file that lies there. */
const folderOf = (path: string) => parts(path).length > 1 ? parts(path)[0] ?? null : null;
const isRoom = (folder: string | null) => folder !== null && folder in ROOMS;

const manifest = readFileSync(join(ROOT, "package.json"), "utf8");
const commands = [...manifest.matchAll(/"node (scripts\/[\w-]+\.ts)"/g)].map(([, file]) => file ?? "");
const helpers = scripts.map(({ path }) => path)
  .filter((path) => folderOf(path) === null && !commands.includes(path));

const told = (list: readonly (readonly [string, string])[]) => list.map((arrow) => arrow.join(" -> "));

test("RULE: sandbox, stack and proof know no command", () => {
  const ofRooms = arrows.filter(([from]) => isRoom(folderOf(from)));
  expect(ofRooms.length).toBeGreaterThan(50);
  const against = ofRooms.filter(([from, to]) => {
    const [room, target] = [folderOf(from) ?? "", folderOf(to) ?? ""];
    return room !== target && !ROOMS[room]?.includes(target);
  });
  expect(told(against)).toEqual([]);
});

test("RULE: a command's folder knows no other command", () => {
  const ofCommands = arrows.filter(([from]) => folderOf(from) !== null && !isRoom(folderOf(from)));
  expect(ofCommands.length).toBeGreaterThan(50);
  const against = ofCommands.filter(([from, to]) => {
    const target = folderOf(to);
    return target === null ? !helpers.includes(to) : target !== folderOf(from) && !isRoom(target);
  });
  expect(told(against)).toEqual([]);
});

test("RULE: a file at the top is a command of package.json with one folder of its own, or helps several", () => {
  expect(commands.length).toBeGreaterThan(8);
  expect(commands.filter((path) => !scripts.some((one) => one.path === path))).toEqual([]);
  for (const command of commands) {
    const targets = arrows.filter(([from]) => from === command).map(([, to]) => to);
    const folders = new Set(targets.map(folderOf).filter((folder) => folder !== null && !isRoom(folder)));
    expect([command, folders.size <= 1]).toEqual([command, true]);
    expect([command, targets.filter((to) => commands.includes(to))]).toEqual([command, []]);
  }
  for (const helper of helpers) {
    const users = arrows.filter(([, to]) => to === helper);
    expect([helper, users.length > 1]).toEqual([helper, true]);
    const against = arrows.filter(([from, to]) =>
      from === helper && !isRoom(folderOf(to)) && !helpers.includes(to)
    );
    expect(told(against)).toEqual([]);
  }
});

test("RULE: every command reads its options, its signals and --help through scripts/command.ts", () => {
  const through = "scripts/command.ts";
  const without = commands.filter((command) =>
    !arrows.some(([from, to]) => from === command && to === through)
  );
  expect(without).toEqual([]);
  const byHand = scripts.filter(({ path, code }) =>
    path !== through && /process\.argv|parseArgs|process\.on\("SIG/.test(code)
  );
  // It is started by another command, with a number.
  expect(byHand.map(({ path }) => path)).toEqual(["scripts/bench/serve-crowd.ts"]);
});
