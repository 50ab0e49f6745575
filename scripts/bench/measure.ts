import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { z } from "zod";
import { table } from "./section.ts";

/** What some work over customers took, added up over the turns it was done in. */
export interface Tally {
  customers: number;
  seconds: number;
  /** Of our own process: what a busy machine does not change. */
  cpuSeconds: number;
  /** By vendor. */
  calls: Record<string, number>;
}

export function none(): Tally {
  return { customers: 0, seconds: 0, cpuSeconds: 0, calls: {} };
}

/** Adds what `work` takes to the tally. */
export type Stopwatch = (tally: Tally, customers: number, work: () => Promise<unknown>) => Promise<void>;

/** @param callsSoFar the calls that each vendor has answered */
export function makeStopwatch(callsSoFar: () => Promise<Record<string, number>>): Stopwatch {
  return async (tally, customers, work) => {
    const before = await callsSoFar();
    const [startedAt, cpu] = [performance.now(), process.cpuUsage()];
    await work();
    const { user, system } = process.cpuUsage(cpu);
    tally.cpuSeconds += (user + system) / 1e6;
    tally.seconds += (performance.now() - startedAt) / 1000;
    tally.customers += customers;
    for (const [vendor, calls] of Object.entries(await callsSoFar())) {
      tally.calls[vendor] = (tally.calls[vendor] ?? 0) + calls - (before[vendor] ?? 0);
    }
  };
}

/** A line a tally: customers a second, their ratio to the floor's, our CPU, and the calls a customer of each vendor. */
export function rateTable(
  floor: Tally,
  vendors: readonly string[],
  lines: readonly (readonly [name: string, tally: Tally])[],
): string {
  const rate = ({ customers, seconds }: Tally) => customers / seconds;
  const heads = vendors.map((vendor, i) =>
    i === vendors.length - 1 ? `${vendor} (calls a customer)` : vendor
  );
  return table([
    ["what", "customers/s", ": floor", "our CPU ms", ...heads],
    ...lines.map(([name, tally]) => [
      name,
      rate(tally).toFixed(0),
      (rate(tally) / rate(floor)).toFixed(2),
      ((tally.cpuSeconds * 1000) / tally.customers).toFixed(2),
      ...vendors.map((vendor) => ((tally.calls[vendor] ?? 0) / tally.customers).toFixed(3)),
    ]),
  ]);
}

/** Our memory in MB, of what is in use and of what the process holds. */
export interface Memory {
  heap: number;
  rss: number;
}

setFlagsFromString("--expose-gc");
const gc = z.function({ input: [], output: z.void() }).implement(runInNewContext("gc"));

export function memoryNow(): Memory {
  gc();
  const { heapUsed, rss } = process.memoryUsage();
  return { heap: heapUsed / 2 ** 20, rss: rss / 2 ** 20 };
}

/** Whether it stays flat: at the start, and after a tenth, half and all of the work. */
export function memoryTable(samples: readonly Memory[]): string {
  const at = (part: number) => samples[Math.round((samples.length - 1) * part)] ?? { heap: 0, rss: 0 };
  const megabytes = (of: keyof Memory) => [0, 0.1, 0.5, 1].map((part) => at(part)[of].toFixed(0));
  return table([
    ["our memory in MB", "at the start", "after 10 %", "after 50 %", "at the end"],
    ["heap in use", ...megabytes("heap")],
    ["resident", ...megabytes("rss")],
  ]);
}
