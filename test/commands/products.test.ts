import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { writeLocalEnv } from "../../scripts/stack/local-env.ts";
import { countNow, money, NEW, OLD, openShop, subscriber } from "../products/support.ts";
import { addTask } from "../support/act.ts";
import { makeWorld, type World } from "../support/world.ts";

// The commands as people start them, with a database, the sandboxes over HTTP, and a drain that works beside them.

const SCRIPTS = fileURLToPath(new URL("../../scripts", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "clockwork-products-"));
afterAll(() => rmSync(folder, { recursive: true }));

interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** Starts a command; `kill` ends it as hard as can be. */
function start(world: World, command: string, args: string[], env: Record<string, string | undefined> = {}) {
  const child = spawn(process.execPath, [join(SCRIPTS, `${command}.ts`), ...args], {
    cwd: folder,
    env: {
      PATH: process.env["PATH"],
      CLOCKWORK_DB_URL: world.url,
      ...world.vendors.env,
      ...env,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended: Ended = { code: null, stdout: "", stderr: "" };
  child.stdout.on("data", (chunk) => (ended.stdout += chunk));
  child.stderr.on("data", (chunk) => (ended.stderr += chunk));
  let isOver = false;
  const exited = new Promise<Ended>((done) =>
    child.on("close", (code) => {
      isOver = true;
      done({ ...ended, code });
    })
  );
  return { exited, isOver: () => isOver, ended, kill: () => child.kill("SIGKILL") };
}

/** Runs a command that leaves nothing to the drain. */
async function look(
  world: World,
  command: string,
  args: string[],
  env: Record<string, string | undefined> = {},
) {
  return await start(world, command, args, env).exited;
}

/** Runs a command to its end while the drain works as pg_cron would have it. */
async function run(
  world: World,
  command: string,
  args: string[],
  env: Record<string, string | undefined> = {},
) {
  const started = start(world, command, args, env);
  while (!started.isOver()) {
    await world.drain();
    await Promise.race([started.exited, new Promise((next) => setImmediate(next))]);
  }
  return await started.exited;
}

const priceOf = (world: World) =>
  [...world.vendors.stripe.state.subscriptions.values()].map(({ items }) => items.data[0]?.price.id);

async function keyOf(world: World, key: string) {
  return await world.db.selectFrom("registry.product_keys").select(["status", "replaced_by"])
    .where("key", "=", key).executeTakeFirstOrThrow();
}

describe("npm run product:retire", () => {
  test("says who would be moved, and changes nothing", { timeout: 60_000 }, async () => {
    const world = await makeWorld();
    await openShop(world);
    const moving = subscriber(world);
    const paused = world.vendors.stripe.pause(subscriber(world).id);
    const scheduled = world.vendors.stripe.attachSchedule(subscriber(world).id);
    const paid = money(world);
    const { code, stdout } = await look(world, "product-retire", [OLD, NEW]);
    expect(code).toBe(0);
    expect(stdout).toContain(
      "Morning tablets\n  from price_morning_month: $49.00 every month, 1 fill a charge",
    );
    expect(stdout).toContain("they pay $3.00 more a charge");
    expect(stdout).toMatch(new RegExp(`${moving.id} +active +\\d{4}-\\d\\d-\\d\\d +moved\n`));
    expect(stdout).toMatch(new RegExp(`${paused.id} +paused +yes +\\d{4}-\\d\\d-\\d\\d +moved\n`));
    expect(stdout).toMatch(new RegExp(`${scheduled.id} +active +\\S+ +not moved: SCHEDULED`));
    expect(stdout).toContain("SCHEDULED (1): A schedule at Stripe decides its price.");
    expect(stdout).toContain("2 subscriptions would be moved, 1 would stay.");
    expect(stdout).toContain("Nothing was changed.");
    expect(await keyOf(world, OLD)).toEqual({ status: "active", replaced_by: null });
    expect([priceOf(world), money(world)]).toEqual([[OLD, OLD, OLD], paid]);
    expect(await world.db.selectFrom("tracker.price_retirements").selectAll().execute()).toEqual([]);
  });

  test(
    "with --apply moves them, looks on, and reports; --json says it to a program",
    { timeout: 120_000 },
    async () => {
      const world = await makeWorld();
      await openShop(world);
      for (let i = 0; i < 5; i++) subscriber(world);
      world.vendors.stripe.pauseCollection(subscriber(world).id);
      const scheduled = world.vendors.stripe.attachSchedule(subscriber(world).id);
      const paid = money(world);
      const first = await run(world, "product-retire", [
        OLD,
        NEW,
        "--apply",
        "--pace",
        "20",
        "--limit",
        "2",
        "--json",
      ]);
      expect([first.code, first.stderr]).toEqual([0, expect.stringContaining("is marked as retired")]);
      expect(JSON.parse(first.stdout)).toMatchObject({
        from: OLD,
        to: NEW,
        moved: 2,
        billingDatesMoved: 0,
        waiting: 0,
        stillOnTheOldPrice: 5,
      });
      expect(await keyOf(world, OLD)).toEqual({ status: "retired", replaced_by: NEW });
      const second = await run(world, "product-retire", [OLD, NEW, "--apply", "--pace", "20"]);
      expect(second.code).toBe(0);
      expect(second.stdout).toContain(
        `6 subscriptions moved from ${OLD} to ${NEW}, 1 of them paused as before; no billing dates moved.`,
      );
      expect(second.stdout).toMatch(new RegExp(`1 not moved:\n.*\n.*\n${scheduled.id} +SCHEDULED`));
      expect(second.stdout).toContain("At Stripe 1 still have the old price.");
      expect(second.stderr).toContain("█  7 of 7");
      expect(priceOf(world).filter((price) => price === NEW)).toHaveLength(6);
      expect(money(world)).toEqual(paid);
    },
  );

  test("killed while it looks on, and run again: nobody is moved twice", { timeout: 120_000 }, async () => {
    const world = await makeWorld();
    await openShop(world);
    for (let i = 0; i < 6; i++) subscriber(world);
    const started = start(world, "product-retire", [OLD, NEW, "--apply", "--pace", "20"]);
    while (!started.ended.stderr.includes("Ctrl-C ends this command")) {
      await Promise.race([started.exited, new Promise((next) => setImmediate(next))]);
      expect(started.isOver(), started.ended.stderr).toBe(false);
    }
    started.kill();
    await started.exited;
    await world.drain();
    const again = await run(world, "product-retire", [OLD, NEW, "--apply", "--pace", "20"]);
    expect([again.code, again.stdout]).toEqual([0, expect.stringContaining("6 subscriptions moved")]);
    expect(world.vendors.stripe.faults.calls.get("update subscription")).toBe(6);
    expect(priceOf(world)).toEqual(Array(6).fill(NEW));
  });

  test("who needs a person is in the report, with the task", { timeout: 60_000 }, async () => {
    const world = await makeWorld();
    await openShop(world);
    const one = subscriber(world);
    world.vendors.stripe.faults.add({ operation: "update subscription", kind: "status", status: 402 });
    const { code, stdout } = await run(world, "product-retire", [OLD, NEW, "--apply"]);
    expect(code).toBe(3);
    expect(stdout).toMatch(
      new RegExp(`1 wait for a person .*\n.*\n.*\n${one.id} +\\d+ +stripe refused: move`),
    );
  });

  test.each([
    [["price_none", NEW], 1, /No product has the Stripe price price_none/],
    [[OLD, "price_evening_month"], 1, /another medicine needs another prescription/],
    [[OLD], 2, /Two prices are needed.*\nUsage: npm run product:retire/],
  ])("%j is refused with a sentence, applied or not", { timeout: 60_000 }, async (args, exit, sentence) => {
    const world = await makeWorld();
    await openShop(world);
    for (const more of [[], ["--apply"]]) {
      const { code, stdout, stderr } = await look(world, "product-retire", [...args, ...more]);
      expect([code, stdout, stderr]).toEqual([exit, "", expect.stringMatching(sentence)]);
    }
    expect(await keyOf(world, OLD)).toEqual({ status: "active", replaced_by: null });
  });

  test("a price that Stripe does not have, or sells no more, is refused before anything is marked", {
    timeout: 60_000,
  }, async () => {
    const world = await makeWorld();
    await openShop(world);
    world.vendors.stripe.archivePrice(NEW);
    const archived = await look(world, "product-retire", [OLD, NEW, "--apply"]);
    expect([archived.code, archived.stderr]).toEqual([1, expect.stringContaining("no longer sells at")]);
    world.vendors.stripe.state.prices.delete(NEW);
    const unknown = await look(world, "product-retire", [OLD, NEW, "--apply"]);
    expect([unknown.code, unknown.stderr]).toEqual([
      1,
      expect.stringContaining("does not have one of these prices"),
    ]);
    expect(await keyOf(world, OLD)).toEqual({ status: "active", replaced_by: null });
  });

  test(
    "without anything to work on it says what it needs, and mixes no two places",
    { timeout: 60_000 },
    async () => {
      const world = await makeWorld();
      const nowhere = { CLOCKWORK_DB_URL: undefined, CLOCKWORK_ENV_FILE: join(folder, "none.env") };
      const { code, stderr } = await look(world, "product-retire", [OLD, NEW], nowhere);
      expect([code, stderr]).toEqual([1, expect.stringContaining("Set CLOCKWORK_DB_URL")]);
      writeLocalEnv(join(folder, "local.env"), {
        ...world.vendors.env,
        CLOCKWORK_DB_URL: "postgresql://other",
      });
      const half = await look(world, "product-retire", [OLD, NEW], {
        STRIPE_API_KEY: undefined,
        CLOCKWORK_ENV_FILE: join(folder, "local.env"),
      });
      expect([half.code, half.stderr]).toEqual([1, expect.stringContaining("STRIPE_API_KEY is not set")]);
    },
  );
});

describe("npm run product:frequency", () => {
  test(
    "prints the table, writes the picture, and finds the local stack by its file",
    { timeout: 60_000 },
    async () => {
      const world = await makeWorld();
      await openShop(world);
      for (let i = 0; i < 3; i++) subscriber(world);
      const out = join(folder, "pictures/frequency.svg");
      const before = await look(world, "product-frequency", ["--out", out]);
      expect([before.code, before.stdout]).toEqual([0, expect.stringContaining("not counted yet")]);
      expect(readFileSync(out, "utf8")).toContain(">not counted yet<");
      await countNow(world, "product.count_stripe");
      await addTask(world.db, "product.count_pharmacy", {}, "pharmacy");
      await world.drainAll();
      writeLocalEnv(join(folder, "local.env"), { ...world.vendors.env, CLOCKWORK_DB_URL: world.url });
      const after = await look(world, "product-frequency", ["--out", out], {
        CLOCKWORK_DB_URL: undefined,
        CLOCKWORK_ENV_FILE: join(folder, "local.env"),
      });
      expect(after.stdout).toMatch(/Of the local stack, as counted on \d{4}-/);
      expect(after.stdout).toMatch(/Morning tablets +price_morning_month +registered +3 +0 +Nothing\./);
      expect(readFileSync(out, "utf8")).toMatch(/>price_morning_month: 3 subscriptions \(registered\)</);
      const json = await look(world, "product-frequency", ["--out", out, "--json"]);
      expect(JSON.parse(json.stdout).keys).toContainEqual(
        expect.objectContaining({ key: OLD, state: "registered", inUse: 3, paused: 0 }),
      );
    },
  );

  test("an option that is none is refused", async () => {
    const world = await makeWorld();
    const { code, stderr } = await look(world, "product-frequency", ["--from"]);
    expect([code, stderr]).toEqual([2, expect.stringContaining("Usage: npm run product:frequency")]);
  });
});
