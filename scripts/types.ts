import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeFiles } from "./generated.ts";
import { PROJECT } from "./stack/project.ts";
import { readKnownValues } from "./types/values.ts";

const CODEGEN = join(PROJECT, "node_modules/.bin/kysely-codegen");
const HEADER = "// Written by `npm run types` from the migrations. Never edited by hand.\n";

/** The table types that kysely-codegen reads from the database at `url`; texts with known values are unions. */
async function generate(url: string): Promise<string> {
  const known = await readKnownValues(url);
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

await writeFiles(
  "npm run types",
  "Writes src/shared/db/types.ts from the migrations.",
  ({ url }) => ({ "src/shared/db/types.ts": () => generate(url) }),
);
