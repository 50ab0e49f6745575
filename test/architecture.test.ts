import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { connect } from "../src/shared/db/database.ts";
import { ORDER_STATES } from "../src/shared/orders/orders.ts";
import { DEAD_LETTER_QUEUE } from "../src/shared/queue/boss.ts";
import { STEP_DATA } from "../src/shared/queue/step-data.ts";
import { STEPS } from "../src/shared/steps/table.ts";
import { circlesIn, importsAmong } from "./architecture/circles.ts";
import { LINE_RULES, linesAgainst } from "./architecture/line-rules.ts";
import {
  filesUnder,
  handWritten,
  ROOT,
  SHARED,
  shared,
  type SourceFile,
  sources,
} from "./architecture/sources.ts";
import { importsOf, withoutComments } from "./edge/imports.ts";
import { createTestDatabase } from "./support/database.ts";
import { makeWorld } from "./support/world.ts";

// The rules of the house, each as a test. A failure lists the files that break the rule.

/** What a folder of src/shared may import besides itself. The arrows point one way: http → steps → domain → vendors, db. */
const ARROWS: Readonly<Record<string, readonly string[]>> = {
  vendors: ["day.ts"],
  db: [],
  queue: ["db", "vendors"],
  registry: ["db", "queue", "vendors"],
  prescriptions: ["day.ts", "db", "queue", "vendors", "registry"],
  orders: ["day.ts", "db", "queue", "vendors", "registry", "subscriptions"],
  renewals: ["day.ts", "db", "queue", "vendors", "registry", "prescriptions", "orders", "subscriptions"],
  checks: ["day.ts", "db", "queue", "vendors", "orders", "ingest"],
  subscriptions: ["db", "queue", "vendors", "registry", "prescriptions"],
  products: ["db", "queue", "vendors", "registry", "subscriptions", "checks"],
  owners: ["day.ts", "db", "queue", "vendors", "registry", "subscriptions", "checks"],
  steps: [
    "day.ts",
    "db",
    "queue",
    "vendors",
    "registry",
    "prescriptions",
    "orders",
    "renewals",
    "subscriptions",
    "owners",
    "checks",
    "products",
    "ingest",
  ],
  ingest: ["db", "queue", "vendors"],
  http: ["db", "queue", "vendors", "ingest"],
  "day.ts": [],
  "env.ts": [],
  "connectors.ts": ["env.ts", "queue", "vendors"],
  "wiring.ts": ["env.ts", "connectors.ts", "db", "queue", "steps", "http"],
};

/** Who may know a vendor by its own folder. Stripe is a role of its own: no second vendor plays it. */
const KNOW_A_VENDOR: readonly RegExp[] = [
  /^src\/shared\/connectors\.ts -> /,
  / -> src\/shared\/vendors\/stripe\//,
];

/** `<file> -> <file>` for every relative import. */
function arrowsOf({ path, text }: SourceFile): [from: string, to: string][] {
  return [...importsOf(text)].filter((specifier) => specifier.startsWith("."))
    .map((specifier) => [path, relative(ROOT, resolve(ROOT, dirname(path), specifier))]);
}

/** The folder (or file) right under src/shared. */
const roomOf = (path: string) => relative(SHARED, path).split("/")[0] ?? "";

describe("arrows between folders", () => {
  const arrows = shared.flatMap(arrowsOf);

  test("RULE: folders of src/shared import only along the arrows", () => {
    expect(arrows.length).toBeGreaterThan(100);
    const against = arrows.filter(([from, to]) => {
      if (relative(SHARED, to).startsWith("..")) return true;
      const [room, target] = [roomOf(from), roomOf(to)];
      return room !== target && !ARROWS[room]?.includes(target);
    });
    expect(against.map((arrow) => arrow.join(" -> "))).toEqual([]);
  });

  test("RULE: every folder of src/shared has its arrows here", () => {
    expect(readdirSync(join(ROOT, SHARED)).filter((name) => !(name in ARROWS))).toEqual([]);
  });

  test("RULE: the arrows make no circle", () => {
    const reached = (room: string): string[] =>
      (ARROWS[room] ?? []).flatMap((next) => [next, ...reached(next)]);
    expect(Object.keys(ARROWS).filter((room) => reached(room).includes(room))).toEqual([]);
  });

  test("RULE: a vendor's folder knows no other vendor", () => {
    const vendorOf = (path: string) => /^src\/shared\/vendors\/([^/]+)\//.exec(path)?.[1];
    const across = arrows.filter(([from, to]) => {
      const [one, other] = [vendorOf(from), vendorOf(to)];
      return from.startsWith(`${SHARED}/vendors/`) && other !== undefined && one !== other;
    });
    expect(across.map((arrow) => arrow.join(" -> "))).toEqual([]);
  });

  test("RULE: who plays a role is chosen in connectors.ts and nowhere else", () => {
    const known = arrows
      .filter(([from, to]) => !from.startsWith(`${SHARED}/vendors/`) && /\/vendors\/[^/]+\//.test(to))
      .map((arrow) => arrow.join(" -> "));
    expect(known.length).toBeGreaterThan(8);
    expect(known.filter((arrow) => !KNOW_A_VENDOR.some((allowed) => allowed.test(arrow)))).toEqual([]);
  });

  test("RULE: a step imports no other step: what two of them share lies one floor down", () => {
    const steps = `${SHARED}/steps/`;
    const across = arrows.filter(([from, to]) =>
      from.startsWith(steps) && to.startsWith(steps) && from !== `${steps}table.ts`
    );
    expect(across.map((arrow) => arrow.join(" -> "))).toEqual([]);
  });

  test("RULE: functions are entry points: they import env.ts and wiring.ts and nothing else", () => {
    const arrows = filesUnder("supabase/functions").flatMap(arrowsOf);
    expect(arrows.length).toBeGreaterThan(0);
    expect(arrows.filter(([, to]) => !["env.ts", "wiring.ts"].includes(relative(SHARED, to)))).toEqual([]);
  });

  test("RULE: nothing that is deployed imports scripts or tests", () => {
    const arrows = [...shared, ...filesUnder("supabase/functions")].flatMap(arrowsOf);
    expect(arrows.filter(([, to]) => /^(scripts|test)\//.test(to))).toEqual([]);
  });
});

describe("lines of code", () => {
  test.each(LINE_RULES)("RULE: $rule", (rule) => {
    expect(rule.files.length).toBeGreaterThan(20);
    expect(linesAgainst(rule)).toEqual([]);
  });

  test.each(LINE_RULES)("the rule can be broken: $rule", ({ pattern, breaks, keeps }) => {
    for (const line of breaks) expect([line, pattern.test(line)]).toEqual([line, true]);
    for (const line of keeps) expect([line, pattern.test(line)]).toEqual([line, false]);
  });

  test("comments and quoted texts are no code, and imports are", () => {
    expect(withoutComments('const a = "// no"; // as any\n/* enum */ b')).toBe('const a = "// no";  \n  b');
    expect([...importsOf('// import "./no.ts";\nimport "./yes.ts";')]).toEqual(["./yes.ts"]);
    expect(shared.find(({ path }) => path.endsWith("queue/tasks.ts"))?.bare).not.toContain("CANCELLED");
  });
});

describe("files", () => {
  test("RULE: src/shared imports no node: module", () => {
    const found = shared.flatMap(({ path, text }) =>
      [...importsOf(text)].filter((specifier) => specifier.startsWith("node:")).map((name) =>
        `${path}: ${name}`
      )
    );
    expect(found).toEqual([]);
  });

  test("RULE: a step's file says what starts it: events/<role>-….ts or <domain>/….ts", async () => {
    const files = sources.filter(({ code }) => /= define(Own)?Step\(/.test(code)).map(({ path }) => path);
    const astray: string[] = [];
    for (const path of files) {
      const [folder, file] = relative(`${SHARED}/steps`, path).split("/");
      const starter = folder === "events" ? file?.split("-")[0] : folder;
      const exported: unknown[] = Object.values(await import(join(ROOT, path)));
      const handled = STEPS.filter((step) => exported.includes(step)).flatMap(({ handles }) => handles);
      expect(handled.length, path).toBeGreaterThan(0);
      astray.push(
        ...handled.filter((name) => !name.startsWith(`${starter}.`)).map((name) => `${path}: ${name}`),
      );
    }
    expect(files.length).toBeGreaterThan(30);
    expect(astray).toEqual([]);
  });

  test("RULE: no file of re-exports alone (a barrel)", () => {
    const barrels = handWritten.filter(({ bare }) => {
      const lines = bare.split("\n").filter((line) => line.trim() !== "");
      return lines.length > 0 && lines.every((line) => /^(export|import)\b.*\bfrom\b/.test(line));
    });
    expect(barrels.map(({ path }) => path)).toEqual([]);
  });

  test("RULE: a file has 300 lines at most", () => {
    const long = handWritten.filter(({ text }) => text.trimEnd().split("\n").length > 300);
    expect(long.map(({ path }) => path)).toEqual([]);
  });

  test("RULE: no circle between files", () => {
    expect(circlesIn(importsAmong(handWritten))).toEqual([]);
  });

  test("a circle would be found", () => {
    expect(circlesIn([["a", "b"], ["b", "c"], ["c", "b"], ["c", "d"]])).toEqual([["b", "c"]]);
  });

  test("RULE: another file uses what a file exports", () => {
    const files = [...handWritten, ...filesUnder("test")];
    const filesOf = new Map<string, number>();
    for (const { bare } of files) {
      for (const word of new Set(bare.match(/[\w$]+/g))) filesOf.set(word, (filesOf.get(word) ?? 0) + 1);
    }
    const exported = handWritten.flatMap(({ path, bare }) =>
      [...bare.matchAll(/^export (?:async )?(?:const|function|class|interface|type) ([\w$]+)/gm)]
        .map(([, name]) => ({ path, name: name ?? "" }))
    );
    expect(exported.length).toBeGreaterThan(500);
    expect(exported.filter(({ name }) => filesOf.get(name) === 1)).toEqual([]);
  });
});

describe("code and database say the same", () => {
  test("RULE: a step is of ours, with its data in STEP_DATA, or for events, with the name of their source", () => {
    // A follow-up by an event's name could be forged by a vendor. The compiler keeps STEP_DATA, and so every
    // follow-up, free of such names: see test/queue/follow-ups.test.ts.
    const sources = ["stripe", "health", "pharmacy", "crm", "standard"];
    const isOfEvents = (name: string) => sources.includes(name.split(".")[0] ?? "");
    const handled = STEPS.flatMap((step) => step.handles);
    expect(handled.filter((name) => !isOfEvents(name)).sort()).toEqual(Object.keys(STEP_DATA).sort());
    expect(Object.keys(STEP_DATA).filter(isOfEvents)).toEqual([]);
    expect(Object.keys(STEP_DATA).length).toBeGreaterThan(4);
  });

  test("RULE: every reason has its sentence, repair and resend", async () => {
    const { db, close } = await migrated();
    const reasons = await db.selectFrom("clockwork.reasons").selectAll().execute();
    await close();
    expect(reasons.length).toBeGreaterThan(100);
    for (const { code, ...texts } of reasons) {
      for (const text of Object.values(texts)) expect(text, code).toMatch(/^\S.*[.?]$/s);
    }
  });

  test("RULE: ORDER_STATES are the rows of tracker.order_states, with their ranks", async () => {
    const { db, close } = await migrated();
    const states = await db.selectFrom("tracker.order_states").select(["state", "rank"]).execute();
    await close();
    expect(Object.fromEntries(states.map(({ state, rank }) => [state, rank]))).toEqual(ORDER_STATES);
  });

  test("RULE: every finding of a move has its meaning", async () => {
    const { db, close } = await migrated();
    const findings = await db.selectFrom("tracker.move_findings").selectAll().execute();
    await close();
    expect(findings.length).toBeGreaterThan(10);
    for (const { finding, meaning } of findings) expect(meaning, finding).toMatch(/^\S.*\.$/s);
  });

  test("RULE: every nightly step is one, in the queue that its row names", async () => {
    const { db, close } = await migrated();
    const nightly = await db.selectFrom("clockwork.nightly_work").select(["step", "vendor"]).execute();
    await close();
    for (const { step, vendor } of nightly) {
      expect([step, STEPS.find(({ handles }) => handles.includes(step))?.queue]).toEqual([step, vendor]);
    }
  });

  test("RULE: every queue in clockwork.vendors is made with the dead letter queue, and every step's queue is one", async () => {
    const world = await makeWorld({ cold: true });
    await world.drain();
    const queues = await world.deps.boss.getQueues();
    const vendors = await world.db.selectFrom("clockwork.vendors").select("vendor").execute();
    const made = new Map(queues.map(({ name, deadLetter }) => [name, deadLetter]));
    expect(vendors.length).toBeGreaterThan(4);
    for (const { vendor } of vendors) expect([vendor, made.get(vendor)]).toEqual([vendor, DEAD_LETTER_QUEUE]);
    expect([...made.keys()].sort()).toEqual(
      [...vendors.map(({ vendor }) => vendor), DEAD_LETTER_QUEUE].sort(),
    );
    const known = new Set(vendors.map(({ vendor }) => vendor));
    expect(STEPS.filter(({ queue }) => !known.has(queue))).toEqual([]);
  });

  test("RULE: every step is exercised by name in a test (fixtures of vendors' events: test/ingest/fixtures.ts)", () => {
    const tests = filesUnder("test").filter(({ path }) => path !== "test/architecture.test.ts");
    const unnamed = STEPS.flatMap(({ handles }) => handles)
      .filter((name) => !tests.some(({ code }) => code.includes(`"${name}"`)));
    expect(unnamed).toEqual([]);
  });

  test("RULE: every step is in the table, one file a step", () => {
    const table = readFileSync(join(ROOT, SHARED, "steps/table.ts"), "utf8");
    const defined = sources.filter(({ path, code }) =>
      path.startsWith(`${SHARED}/steps/`) && /\bdefine(Own)?Step\(/.test(code)
    )
      .flatMap(({ code }) =>
        [...code.matchAll(/export const (\w+) = define(?:Own)?Step\(/g)].map(([, name]) => name ?? "")
      );
    expect(defined.length).toBeGreaterThan(5);
    expect(defined.filter((name) => !new RegExp(`^  ${name},$`, "m").test(table))).toEqual([]);
  });
});

async function migrated() {
  const database = await createTestDatabase();
  const { db, close } = connect(database.url, 1);
  onTestFinished(() => database.drop());
  return { db, close };
}
