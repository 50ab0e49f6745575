import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { createHmac } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { choosePort, freePort } from "../../scripts/stack/ports.ts";

const START = fileURLToPath(new URL("../../scripts/start.ts", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "clockwork-start-"));
const envFile = join(folder, "local.env");
afterAll(() => rmSync(folder, { recursive: true }));

interface Started {
  child: ChildProcess;
  output(): string;
  exited: Promise<number | null>;
}

function start(env: Record<string, string>): Started {
  const child = spawn(process.execPath, [START], {
    cwd: folder, // from any folder
    env: { ...process.env, CLOCKWORK_ENV_FILE: envFile, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  child.stdout?.on("data", (chunk) => (output += chunk));
  child.stderr?.on("data", (chunk) => (output += chunk));
  return { child, output: () => output, exited: new Promise((done) => child.on("exit", done)) };
}

/** Resolves when the text was printed; rejects with all output when the process ends before. */
async function printed({ child, output, exited }: Started, text: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const look = () => output().includes(text) && resolve();
    child.stdout?.on("data", look);
    void exited.then((code) => reject(new Error(`ended with ${code}: ${output()}`)));
    look();
  });
}

/** The process and all that descend from it. */
function family(root: number): number[] {
  const rows = execFileSync("ps", ["-e", "-o", "pid=,ppid="], { encoding: "utf8" }).trim().split("\n")
    .map((row) => row.trim().split(/\s+/).map(Number));
  const found = [root];
  for (const pid of found) for (const [child = 0, parent] of rows) if (parent === pid) found.push(child);
  return found;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe("npm start", () => {
  let running: Started;
  let env: Map<string, string>;

  beforeAll(async () => {
    const ports = [await freePort(), await freePort()];
    running = start({ CLOCKWORK_DB_PORT: String(ports[0]), CLOCKWORK_PORT: String(ports[1]) });
    await printed(running, "Clockwork is running");
    env = new Map(
      readFileSync(envFile, "utf8").split("\n").flatMap((line) => {
        const [, name, value] = /^(\w+)='(.*)'$/.exec(line) ?? [];
        return name === undefined || value === undefined ? [] : [[name, value] as const];
      }),
    );
  });
  afterAll(async () => {
    running.child.kill("SIGKILL");
    await running.exited;
  });

  async function post(body: string, signature: string): Promise<Response> {
    return await fetch(`${env.get("CLOCKWORK_FUNCTIONS_URL")}/webhooks/photon`, {
      method: "POST",
      body,
      headers: { "x-photon-signature": signature },
    });
  }
  const body = JSON.stringify({ id: "hello-1", type: "photon:store:opened", data: {} });

  test("says where to look", () => {
    for (const word of ["postgresql://", "ops.manual_intervention", "ops.timeline", "X-Photon-Signature"]) {
      expect(running.output()).toContain(word);
    }
    // No colour where nobody looks at a terminal.
    expect(running.output()).not.toContain("\x1b[");
  });

  test("writes its URLs and secrets where only the owner can read them", () => {
    expect(statSync(envFile).mode & 0o777).toBe(0o600);
    expect([...env.keys()]).toEqual(expect.arrayContaining([
      "CLOCKWORK_DB_URL",
      "CLOCKWORK_FUNCTIONS_URL",
      "CLOCKWORK_CRON_SECRET",
      "STRIPE_WEBHOOK_SECRET",
      "STRIPE_API_URL",
      "PHOTON_CLIENT_SECRET",
    ]));
  });

  test("refuses a webhook with a wrong signature", async () => {
    expect((await post(body, "0".repeat(64))).status).toBe(401);
  });

  test("records a signed webhook", async () => {
    const signature = createHmac("sha256", env.get("PHOTON_WEBHOOK_SECRET") ?? "").update(body).digest("hex");
    const answer = await post(body, signature);
    expect([answer.status, await answer.json()]).toEqual([200, { ok: true, result: "parked" }]);
    const client = new pg.Client({ connectionString: env.get("CLOCKWORK_DB_URL") });
    await client.connect();
    const { rows } = await client.query("select status, step from clockwork.tasks where key = 'hello-1'");
    await client.end();
    expect(rows).toEqual([{ status: "PARKED", step: "pharmacy.store.opened" }]);
  });

  test("refuses the drain without its secret", async () => {
    const answer = await fetch(`${env.get("CLOCKWORK_FUNCTIONS_URL")}/drain`, { method: "POST" });
    expect(answer.status).toBe(401);
  });

  test("tells what happens, one line each", async () => {
    await printed(running, "is PLACED");
    expect(running.output()).toMatch(/\d\d:\d\d:\d\d {2}clinic {5}ada\.example\.1@example\.com signs up/);
  });

  test("ends with Ctrl-C, and leaves nothing behind", async () => {
    const members = family(running.child.pid ?? 0);
    expect(members.length).toBeGreaterThan(5);
    running.child.kill("SIGINT");
    expect(await running.exited).toBe(0);
    expect(running.output()).toContain("Clockwork has stopped");
    expect(members.filter(isAlive)).toEqual([]);
    expect(existsSync(envFile)).toBe(false);
  });
});

describe("its ports", () => {
  let taken: number;
  let server: Server;
  beforeAll(async () => {
    taken = await freePort();
    server = createServer().listen(taken, "127.0.0.1");
    await new Promise((listening) => server.once("listening", listening));
  });
  afterAll(() => server.close());

  test("a port that was asked for and is taken stops it, with a sentence", async () => {
    const { exited, output } = start({ CLOCKWORK_PORT: String(taken), CLOCKWORK_DB_PORT: "0" });
    expect(await exited).toBe(1);
    expect(output()).toContain(`Port ${taken} (CLOCKWORK_PORT) is in use`);
  });

  test("the usual port gives way to a free one", async () => {
    const { port, insteadOf } = await choosePort("X", undefined, taken);
    expect(insteadOf).toBe(taken);
    expect(port).not.toBe(taken);
  });

  test.each(["http", "70000", "-1", "1.5"])("%s is not a port", async (asked) => {
    await expect(choosePort("X", asked, 1)).rejects.toThrow(`X=${asked} is not a port`);
  });
});
