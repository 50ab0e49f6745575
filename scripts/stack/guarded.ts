import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";

const GUARD = readFileSync(new URL("guard.sh", import.meta.url), "utf8");

/** A process that cannot outlive this one: see guard.sh. */
export interface GuardedProcess {
  /** The process itself, not its guard. */
  pid: number;
  /** Its exit code (128 + the signal's number when a signal ended it, -1 when even the guard was killed). */
  exited: Promise<number>;
  /** Asks it to end, and kills it when it has not ended after `graceMs`. Resolves when it is gone. */
  stop(graceMs?: number): Promise<void>;
}

interface GuardedOptions {
  command: string;
  args: readonly string[];
  cwd: string;
  /** The whole environment: nothing is inherited. */
  env: Record<string, string>;
  /** The OS user to run as; only root can choose. */
  user?: { uid: number; gid: number } | undefined;
  /** The signal that asks it to end. */
  stopSignal: "INT" | "TERM";
  /** Deleted by the guard should this process die without stopping it. */
  deleteWhenOrphaned?: string | undefined;
  /** Where stdout and stderr go: an open file, or a function called with each line. */
  output: number | ((line: string) => void);
}

/** Starts a process that ends on request, or when this process ends in any way (SIGKILL too). */
export async function spawnGuarded(options: GuardedOptions): Promise<GuardedProcess> {
  const { output } = options;
  const sink = typeof output === "number" ? output : "pipe";
  const guard = spawn(
    "/bin/sh",
    [
      "-c",
      GUARD,
      "guard",
      options.stopSignal,
      options.deleteWhenOrphaned ?? "",
      options.command,
      ...options.args,
    ],
    {
      cwd: options.cwd,
      env: options.env,
      ...options.user,
      stdio: ["pipe", sink, sink, "pipe"],
      // A session of its own: Ctrl-C in a terminal reaches this process only, which then stops the rest in order.
      detached: true,
    },
  );
  if (typeof output === "function") {
    for (const stream of [guard.stdout, guard.stderr]) if (stream) eachLine(stream, output);
  }
  const { pid, exited } = await follow(guard);
  const inbox = guard.stdin;
  inbox?.on("error", () => {}); // the guard is gone already
  const done = exited.then((code) => (tell(inbox), code));
  return {
    pid,
    exited: done,
    async stop(graceMs = 10_000) {
      guard.ref();
      tell(inbox);
      const late = setTimeout(() => kill(pid), graceMs);
      await done.finally(() => clearTimeout(late));
    },
  };
}

/** Any line means "stop" while the process runs, and "leave the folder alone" after it. */
function tell(inbox: Writable | null): void {
  if (inbox?.writable) inbox.write("\n");
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // it ended in the meantime
  }
}

/** Reads the guard's reports: the process id, then the exit code. */
async function follow(guard: ChildProcess): Promise<{ pid: number; exited: Promise<number> }> {
  const reports = guard.stdio[3];
  if (!reports || !("readable" in reports)) throw new Error("The guard has no pipe to report through");
  const started = Promise.withResolvers<number>();
  const exited = Promise.withResolvers<number>();
  let isStarted = false;
  eachLine(reports, (line) => {
    (isStarted ? exited : started).resolve(Number(line));
    isStarted = true;
  });
  guard.on("error", started.reject);
  guard.on("exit", (code) => {
    // Both are no-ops when the guard has reported.
    started.reject(new Error(`The guard ended before it started anything (exit code ${code})`));
    exited.resolve(-1);
  });
  return { pid: await started.promise, exited: exited.promise };
}

function eachLine(stream: Readable, onLine: (line: string) => void): void {
  createInterface({ input: stream, crlfDelay: Infinity }).on("line", onLine);
}
