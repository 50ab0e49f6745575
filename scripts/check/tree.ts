import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { z } from "zod";
import type { Check } from "./run.ts";

/** Not ours, or made anew on each machine. */
const SKIPPED = new Set(["node_modules", ".git", ".clockwork", ".temp", "deno.lock"]);

/** Home folders of people and of root; a place like `/home` alone is none. */
const HOMES = /(?<![\w./:~-])(\/(home|Users)\/[\w.-]+\/|\/root\/|[A-Z]:\\+Users\\)/;

/** Fails for a file that names the machine it was written on. */
export function treeCheck(root: string): Check {
  return {
    name: "files name no machine",
    run: () => {
      const problems = filesUnder(root).flatMap((file) => {
        const name = relative(root, file);
        return problemsIn(name, readFileSync(file, "utf8"), root).map((problem) => `${name}: ${problem}`);
      });
      return Promise.resolve({ problems });
    },
  };
}

/** @param root the checkout's own folder, which no file may name either */
export function problemsIn(name: string, text: string, root: string): string[] {
  const problems: string[] = [];
  if (name === "package-lock.json" && text.includes('"resolved"')) {
    problems.push(
      'has "resolved" URLs, which name the registry it was written with: run npm install with omit-lockfile-registry-resolved',
    );
  }
  if (name === "package-lock.json") problems.push(...missingPlatforms(text));
  if (name === ".npmrc" && /^\s*(@[\w-]+:)?registry\s*=|_auth/m.test(text)) {
    problems.push("names a registry or a login: those belong to the machine");
  }
  for (const [index, line] of text.split("\n").entries()) {
    if (HOMES.test(line) || namesFolder(line, root)) {
      problems.push(`line ${index + 1} names a path of a machine`);
    }
  }
  return problems;
}

const lockfile = z.object({
  packages: z.record(
    z.string(),
    z.object({ optionalDependencies: z.record(z.string(), z.string()).optional() }),
  ),
});

/**
 * `npm ci` refuses a lock that lacks the packages of other platforms. npm leaves them out without a word when the
 * registry it asked did not have them; an entry with version, os and cpu (no integrity) is enough.
 */
function missingPlatforms(text: string): string[] {
  const { packages } = lockfile.parse(JSON.parse(text));
  return Object.entries(packages).flatMap(([path, { optionalDependencies = {} }]) =>
    Object.keys(optionalDependencies)
      .filter((name) =>
        !(`node_modules/${name}` in packages) && !(`${path}/node_modules/${name}` in packages)
      )
      .map((name) => `has no entry for ${name}, so that npm ci refuses it`)
  );
}

/** A folder right under / would be found everywhere (`/src`), so it is not looked for. */
function namesFolder(line: string, folder: string): boolean {
  const path = folder.replace(/\/+$/, "");
  if (path.split("/").length < 3) return false;
  const at = line.indexOf(path);
  return at >= 0 && !/[\w./-]/.test(line[at - 1] ?? " ") && !/[\w.-]/.test(line[at + path.length] ?? " ");
}

function filesUnder(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (SKIPPED.has(entry.name) || entry.name.startsWith(".env")) return [];
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return filesUnder(path);
    return entry.isFile() ? [path] : [];
  });
}
