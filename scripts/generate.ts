import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect } from "../src/shared/db/database.ts";
import { defineCommand, flag, run, text } from "./command.ts";
import { generatedFiles } from "./generate/files.ts";
import { withMigratedDatabase } from "./stack/migrated.ts";
import { PROJECT } from "./stack/project.ts";

const GENERATE = defineCommand(
  "npm run generate",
  "Writes the database's types, supabase/schema.sql, and the tables and the picture in docs/.",
  {
    check: flag("write nothing: exit with 1 where a file is out of date"),
    database: text("URL", "one with all migrations; without it, a new one is made", null),
  },
);

await run(GENERATE, async ({ check, database }) => {
  if (database !== null) return await generate(database, check);
  return await withMigratedDatabase(({ url }) => generate(url, check));
});

/** @param url of a database with all migrations */
async function generate(url: string, check: boolean): Promise<number> {
  const { db, close } = connect(url, 1);
  let code = 0;
  for (const [file, write] of Object.entries(generatedFiles(url, db))) {
    const path = join(PROJECT, file);
    const committed = existsSync(path) ? readFileSync(path, "utf8") : "";
    const made = await write(committed);
    if (made === committed) continue;
    if (check) {
      console.error(
        `${file} is out of date: run \`npm run generate\`.\n${firstDifference(committed, made)}`,
      );
      code = 1;
    } else {
      writeFileSync(path, made);
      console.log(`${file} is written.`);
    }
  }
  await close();
  return code;
}

function firstDifference(committed: string, made: string): string {
  const [was, is] = [committed.split("\n"), made.split("\n")];
  const at = is.findIndex((line, index) => line !== was[index]);
  const line = at < 0 ? is.length : at;
  const [old = "(ends)", now = "(ends)"] = [was[line], is[line]];
  return `First at line ${line + 1}:\n  committed: ${old}\n  made:      ${now}`;
}
