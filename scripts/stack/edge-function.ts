import { mkdirSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type GuardedProcess, spawnGuarded } from "./guarded.ts";
import { freePort } from "./ports.ts";

export interface EdgeFunction {
  name: string;
  origin: string;
  /** Undefined while the function is down. */
  pid(): number | undefined;
  stop(): Promise<void>;
}

interface EdgeFunctionOptions {
  root: string;
  name: string;
  env: Record<string, string>;
  log: (line: string) => void;
}

/** Deno may fetch nothing and check nothing here: it runs the packages that npm installed. */
const DENO_ARGS = [
  "run",
  "--quiet",
  "--no-prompt",
  "--no-lock",
  "--cached-only",
  "--node-modules-dir=manual",
];
const START_TIMEOUT_MS = 60_000;
/** A function that keeps ending is started again after 0.2 s, 0.4 s, … at most every 5 s. */
const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 5_000;
/** One that ran this long ended by accident, so the pauses begin anew. */
const STEADY_MS = 3_000;

/** Runs one function in a Deno process of its own and keeps it running. Throws when it does not start. */
export async function startFunction(options: EdgeFunctionOptions): Promise<EdgeFunction> {
  const { name } = options;
  const port = await freePort();
  const log = (line: string): void => options.log(`[${name}] ${line}`);
  let current: GuardedProcess | undefined;
  let up = false;
  let stopped = false;
  const cancelPause = new AbortController();

  const launch = async (): Promise<boolean> => {
    current = await spawnDeno(options, port, log);
    up = await accepts(port, current);
    if (!up) await current.stop(); // it hangs, or it is gone already
    return up;
  };
  const keepUp = async (): Promise<void> => {
    let pause = FIRST_PAUSE_MS;
    while (!stopped) {
      const since = Date.now();
      const code = await current?.exited;
      up = false;
      if (stopped) return;
      if (Date.now() - since > STEADY_MS) pause = FIRST_PAUSE_MS;
      log(`ended with exit code ${code}; starting again in ${pause} ms`);
      await sleep(pause, undefined, { signal: cancelPause.signal }).catch(() => {});
      pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
      if (!stopped) await launch();
    }
  };

  if (!(await launch())) {
    throw new Error(`The function ${name} did not start: its own lines in the log say why`);
  }
  const keeper = keepUp();
  return {
    name,
    origin: `http://127.0.0.1:${port}`,
    pid: () => (up ? current?.pid : undefined),
    async stop() {
      stopped = true;
      cancelPause.abort();
      await current?.stop(5_000);
      await keeper;
      await current?.stop(5_000); // should it have been starting again just then
    },
  };
}

async function spawnDeno(
  { root, name, env }: EdgeFunctionOptions,
  port: number,
  log: (line: string) => void,
): Promise<GuardedProcess> {
  const home = join(root, ".clockwork/deno");
  mkdirSync(home, { recursive: true });
  return await spawnGuarded({
    command: join(root, "node_modules/.bin/deno"),
    // A hosted function may use the network and its secrets, and nothing else.
    args: [
      ...DENO_ARGS,
      "--allow-net",
      "--allow-env",
      "--config",
      "supabase/functions/deno.json",
      `supabase/functions/${name}/index.ts`,
    ],
    cwd: root,
    env: {
      ...env,
      PATH: process.env["PATH"] ?? "/usr/bin:/bin",
      HOME: home,
      DENO_DIR: home,
      DENO_NO_UPDATE_CHECK: "1",
      DENO_NO_PACKAGE_JSON: "1", // hosted functions know only deno.json
      DENO_SERVE_ADDRESS: `tcp:127.0.0.1:${port}`,
      NO_COLOR: "1",
    },
    stopSignal: "TERM",
    output: log,
  });
}

/** Resolves true when the port accepts a connection, false when the process ends first or takes too long. */
async function accepts(port: number, server: GuardedProcess): Promise<boolean> {
  let ended = false;
  void server.exited.then(() => (ended = true));
  for (const deadline = Date.now() + START_TIMEOUT_MS; !ended && Date.now() < deadline;) {
    if (await canConnect(port)) return true;
    await sleep(25);
  }
  return false;
}

async function canConnect(port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.on("connect", () => (socket.destroy(), resolve(true))).on("error", () => resolve(false));
  });
}
