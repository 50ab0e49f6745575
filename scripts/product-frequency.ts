import { resolve } from "node:path";
import { dayIn } from "../src/shared/day.ts";
import { connect, type Database } from "../src/shared/db/database.ts";
import { pharmacyZone } from "../src/shared/queue/settings.ts";
import { databaseUrl } from "../src/shared/env.ts";
import { run } from "./command.ts";
import { writePicture } from "./picture.ts";
import { frequencyChart } from "./products/chart.ts";
import { frequencyTable, type KeyFrequency, readFrequency } from "./products/frequency.ts";
import { FREQUENCY } from "./products/options.ts";
import { withSampleClinic } from "./products/sample.ts";
import { readSettings } from "./products/settings.ts";

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

function subtitle(rows: readonly KeyFrequency[], of: string, timeZone: string): string {
  const counted = rows.map(({ countedAt }) => countedAt?.getTime() ?? 0).filter((at) => at > 0);
  if (counted.length === 0) return `Of ${of}: not counted yet`;
  return `Of ${of}, as counted on ${dayIn(new Date(Math.min(...counted)), timeZone)}`;
}

await run(FREQUENCY, async ({ out, json, sample }) => {
  await withDatabase(sample, async (db, of) => {
    const rows = await readFrequency(db);
    const title = subtitle(rows, of, await pharmacyZone(db));
    writePicture(out, frequencyChart(rows, title));
    console.log(
      json
        ? JSON.stringify({ of, picture: resolve(out), keys: rows }, null, 2)
        : `${title}\n\n${frequencyTable(rows)}\n\nThe picture is in ${out}`,
    );
  });
});
