import { Worker } from "node:worker_threads";
import { type SimulationReport, together } from "./report.ts";
import type { SimulationOptions } from "./run.ts";

/** A message of a clinic's thread: a day is over, or all are. */
export type Word = { day: number } | { report: SimulationReport };

/**
 * Spreads the customers over clinics that know nothing of each other, one a thread. Their seeds follow on `seed`, and
 * with each comes another time zone.
 * @param urls a database with all migrations for each clinic
 * @param onDay the day that every clinic has come to
 */
export async function runClinics(
  { urls, seed, customers, onDay, ...options }: Omit<SimulationOptions, "url"> & { urls: readonly string[] },
): Promise<SimulationReport> {
  const days = urls.map(() => 0);
  const running = urls.map(async (url, index) => {
    const share = Math.floor(customers / urls.length) + (index < customers % urls.length ? 1 : 0);
    const report = await runInThread({ ...options, url, seed: seed + index, customers: share }, (day) => {
      days[index] = day;
      onDay?.(Math.min(...days));
    });
    // One that broke too much ends early: the others' days go on.
    days[index] = Infinity;
    return report;
  });
  const [first, ...others] = await Promise.all(running);
  if (!first) throw new Error("there is no clinic without a database");
  return together([first, ...others]);
}

async function runInThread(
  options: SimulationOptions,
  onDay: (day: number) => void,
): Promise<SimulationReport> {
  const thread = new Worker(new URL("clinic-thread.ts", import.meta.url), { workerData: options });
  return await new Promise((resolve, reject) => {
    thread.on("message", (word: Word) => "day" in word ? onDay(word.day) : resolve(word.report));
    thread.on("error", reject);
    thread.on("exit", () => reject(new Error("a clinic ended before its days were over")));
  });
}
