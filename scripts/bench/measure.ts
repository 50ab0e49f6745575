import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { RawBuilder } from "kysely";
import { z } from "zod";
import type { Database } from "../../src/shared/db/database.ts";
import { table } from "./section.ts";

/** The cost of some work over customers, added up over its turns. */
export interface Tally {
  customers: number;
  seconds: number;
  /** Of our own process: a busy machine does not change it. */
  cpuSeconds: number;
  /** By vendor. */
  calls: Record<string, number>;
}

export function none(): Tally {
  return { customers: 0, seconds: 0, cpuSeconds: 0, calls: {} };
}

/**
 * Gives a function that adds the cost of `work` to a tally.
 * @param callsSoFar the calls that each vendor has answered
 */
export function makeStopwatch(callsSoFar: () => Promise<Record<string, number>>) {
  return async (tally: Tally, customers: number, work: () => Promise<unknown>): Promise<void> => {
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

/** Our memory in MB: the heap in use, and the whole process. */
interface Memory {
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

/** Throws unless `query` gives one row that is `expected`: a figure for work that was not done is worth nothing. */
export async function expectCounts(
  db: Database,
  query: RawBuilder<Record<string, number>>,
  expected: Record<string, number>,
): Promise<void> {
  const [found, wanted] = [JSON.stringify((await query.execute(db)).rows[0]), JSON.stringify(expected)];
  if (found !== wanted) throw new Error(`the measured work left ${found}, not ${wanted}`);
}

/**
 * The figures as text. A line a tally: customers a second, their ratio to the floor's, our CPU, and each vendor's calls a
 * customer. Below it our memory at the start and after a tenth, half and all of the work: whether it stays flat.
 */
export function figures(
  floor: Tally,
  vendors: readonly string[],
  lines: readonly (readonly [name: string, tally: Tally])[],
  memory: readonly Memory[],
): string {
  const rate = ({ customers, seconds }: Tally) => customers / seconds;
  const heads = vendors.map((vendor, i) =>
    i === vendors.length - 1 ? `${vendor} (calls a customer)` : vendor
  );
  const rates = table([
    ["what", "customers/s", ": floor", "our CPU ms", ...heads],
    ...lines.map(([name, tally]) => [
      name,
      rate(tally).toFixed(0),
      (rate(tally) / rate(floor)).toFixed(2),
      ((tally.cpuSeconds * 1000) / tally.customers).toFixed(2),
      ...vendors.map((vendor) => ((tally.calls[vendor] ?? 0) / tally.customers).toFixed(3)),
    ]),
  ]);
  const at = (part: number) => memory[Math.round((memory.length - 1) * part)] ?? { heap: 0, rss: 0 };
  const megabytes = (of: keyof Memory) => [0, 0.1, 0.5, 1].map((part) => at(part)[of].toFixed(0));
  const megabyteTable = table([
    ["our memory in MB", "at the start", "after 10 %", "after 50 %", "at the end"],
    ["heap in use", ...megabytes("heap")],
    ["resident", ...megabytes("rss")],
  ]);
  return `${rates}\n\n${megabyteTable}`;
}
