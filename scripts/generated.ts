import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect, type Database } from "../src/shared/db/database.ts";
import { defineCommand, flag, run, text } from "./command.ts";
import { withMigratedDatabase } from "./stack/migrated.ts";
import { PROJECT } from "./stack/project.ts";

/** What a file is to say, from what it says now (nothing: ""). */
export type Writer = (committed: string) => string | Promise<string>;

const TABLE = {
  check: flag("write nothing: exit with 1 where a file is out of date"),
  database: text("URL", "one with all migrations; without it, a new one is made", null),
};

/**
 * Runs a command that writes files of the project from the code and from a database with all migrations.
 * @param files by their path in the project
 */
export async function writeFiles(
  name: string,
  about: string,
  files: (database: { url: string; db: Database }) => Readonly<Record<string, Writer>>,
): Promise<void> {
  await run(defineCommand(name, about, TABLE), async ({ check, database }) => {
    if (database !== null) return await work(database);
    return await withMigratedDatabase(({ url }) => work(url));

    async function work(url: string): Promise<number> {
      const { db, close } = connect(url, 1);
      let code = 0;
      for (const [file, write] of Object.entries(files({ url, db }))) {
        const path = join(PROJECT, file);
        const committed = existsSync(path) ? readFileSync(path, "utf8") : "";
        const made = await write(committed);
        if (made === committed) continue;
        if (check) {
          console.error(`${file} is out of date: run \`${name}\`.\n${firstDifference(committed, made)}`);
          code = 1;
        } else {
          writeFileSync(path, made);
          console.log(`${file} is written.`);
        }
      }
      await close();
      return code;
    }
  });
}

function firstDifference(committed: string, made: string): string {
  const [was, is] = [committed.split("\n"), made.split("\n")];
  const at = is.findIndex((line, index) => line !== was[index]);
  const line = at < 0 ? is.length : at;
  return `First at line ${line + 1}:\n  committed: ${was[line] ?? "(ends)"}\n  made:      ${
    is[line] ?? "(ends)"
  }`;
}
