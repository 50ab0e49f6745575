import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { withoutComments } from "../edge/imports.ts";

export const ROOT = fileURLToPath(new URL("../..", import.meta.url));
export const SHARED = "src/shared";
/** Written by a generator, from the database. */
const GENERATED = `${SHARED}/db/types.ts`;

export interface SourceFile {
  path: string;
  text: string;
  /** Without comments. */
  code: string;
  /** Without comments and quoted text. */
  bare: string;
}

export function filesUnder(folder: string): SourceFile[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts") && !name.includes("node_modules"))
    .map((name) => {
      const path = join(folder, name);
      const text = readFileSync(join(ROOT, path), "utf8");
      const code = withoutComments(text);
      return { path, text, code, bare: code.replace(/"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`/g, '""') };
    });
}

export const shared = filesUnder(SHARED);
export const sources = shared.filter(({ path }) => path !== GENERATED);
export const handWritten = [...sources, ...filesUnder("supabase/functions"), ...filesUnder("scripts")];
