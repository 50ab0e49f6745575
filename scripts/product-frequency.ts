import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { parseArgs } from "node:util";
import { connect, type Database } from "../src/shared/db/database.ts";
import { databaseUrl } from "../src/shared/env.ts";
import { frequencyChart } from "./products/chart.ts";
import { frequencyTable, type KeyFrequency, readFrequency } from "./products/frequency.ts";
import { withSampleClinic } from "./products/sample.ts";
import { readSettings } from "./products/settings.ts";

// `npm run product:frequency`: what is really in use at Stripe and at the pharmacy, as last counted, and a picture of it.

const USAGE = "npm run product:frequency -- [--out FILE.svg] [--json] [--sample]";

interface Options {
  out: string;
  json: boolean;
  sample: boolean;
}

function parseOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      out: { type: "string", default: ".clockwork/product-frequency.svg" },
      json: { type: "boolean", default: false },
      sample: { type: "boolean", default: false },
    },
  });
  return values;
}

async function withDatabase<T>(sample: boolean, work: (db: Database, of: string) => Promise<T>): Promise<T> {
  if (sample) return await withSampleClinic((db) => work(db, "the sandbox clinic"));
  const { env, of } = readSettings(process.env);
  const { db, close } = connect(databaseUrl(env), 2);
  try {
    return await work(db, of);
  } finally {
    await close();
  }
}

function subtitle(rows: readonly KeyFrequency[], of: string): string {
  const counted = rows.map(({ countedAt }) => countedAt?.getTime() ?? 0).filter((at) => at > 0);
  const [last] = counted.length > 0 ? [new Date(Math.min(...counted)).toISOString().slice(0, 10)] : [];
  return last === undefined ? `Of ${of}: not counted yet` : `Of ${of}, as counted on ${last}`;
}

let options: Options;
try {
  options = parseOptions(process.argv.slice(2));
} catch (error) {
  console.error(`${error instanceof Error ? error.message : error}\nUsage: ${USAGE}`);
  process.exit(2);
}
try {
  await withDatabase(options.sample, async (db, of) => {
    const rows = await readFrequency(db);
    const file = resolve(options.out);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, frequencyChart(rows, subtitle(rows, of)));
    if (options.json) {
      console.log(JSON.stringify({ of, picture: file, keys: rows }, null, 2));
      return;
    }
    console.log(`${subtitle(rows, of)}\n\n${frequencyTable(rows)}\n\nThe picture is in ${options.out}`);
  });
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
