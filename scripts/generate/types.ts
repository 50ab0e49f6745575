import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Database } from "../../src/shared/db/database.ts";
import { PROJECT } from "../stack/project.ts";
import { readKnownValues } from "./values.ts";

const CODEGEN = join(PROJECT, "node_modules/.bin/kysely-codegen");
const HEADER = "// Written by `npm run generate` from the migrations. Never edited by hand.\n";

/** The tables' types as kysely-codegen reads them at `url`. A text column with known values is a union. */
export async function typesFile(url: string, db: Database): Promise<string> {
  const known = await readKnownValues(db);
  const folder = mkdtempSync(join(tmpdir(), "clockwork-types-"));
  const file = join(folder, "types.ts");
  try {
    execFileSync(process.execPath, [
      CODEGEN,
      "--dialect=postgres",
      `--url=${url}`,
      `--out-file=${file}`,
      "--include-pattern=(registry|clockwork|tracker|ops).*",
      "--default-schema=none",
      `--type-mapping={"int8":"number","interval":"string"}`,
      `--overrides=${JSON.stringify({ columns: known.columns })}`,
    ], { stdio: ["ignore", "ignore", "inherit"], cwd: folder });
    return `${HEADER}${readFileSync(file, "utf8")}\n${known.types}`;
  } finally {
    rmSync(folder, { recursive: true });
  }
}
