import { existsSync, readdirSync, readFileSync, realpathSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { z } from "zod";
import { hasComputedImport, importsOf, importsTheCliSees } from "./imports.ts";

const MAX_ENTRY_LINES = 15;
const IMPORT_MAP = "./functions/deno.json";

const denoJson = z.object({ imports: z.record(z.string(), z.string()) });
const packageJson = z.object({ dependencies: z.record(z.string(), z.string()) });

export interface Walk {
  /** The files the CLI would upload for each function, from the project's root. */
  files: Map<string, Set<string>>;
  /** What would break on a hosted project: the place, and the rule it breaks. */
  problems: string[];
}

/** Walks the functions of a project as the CLI does when it uploads them. */
export function walkFunctions(root: string): Walk {
  const problems = new Set<string>();
  const names = functionNames(root);
  const imports = denoJson.parse(readJson(join(root, "supabase/functions/deno.json"))).imports;
  for (const problem of [...configProblems(root, names), ...versionProblems(root, imports)]) {
    problems.add(problem);
  }
  const files = new Map<string, Set<string>>();
  for (const name of names) {
    const entry = join(root, "supabase/functions", name, "index.ts");
    const lines = readFileSync(entry, "utf8").trimEnd().split("\n").length;
    if (lines > MAX_ENTRY_LINES) {
      problems.add(
        `supabase/functions/${name}/index.ts: an entry has ${MAX_ENTRY_LINES} lines at most, this has ${lines}`,
      );
    }
    files.set(name, walkFrom(root, entry, imports, problems));
  }
  return { files, problems: [...problems] };
}

function walkFrom(
  root: string,
  entry: string,
  imports: Record<string, string>,
  problems: Set<string>,
): Set<string> {
  const seen = new Set<string>();
  const waiting = [entry];
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    const name = relative(root, file).split(sep).join("/");
    if (seen.has(name)) continue;
    seen.add(name);
    const text = readFileSync(file, "utf8");
    const seenByCli = importsTheCliSees(text);
    if (hasComputedImport(text)) problems.add(`${name}: a dynamic import names its file as a literal`);
    for (const specifier of importsOf(text)) {
      const where = `${name} imports "${specifier}"`;
      if (!seenByCli.has(specifier)) {
        problems.add(
          `${where}: the CLI drops this form without a word (a default import with a multi-line named one?)`,
        );
      }
      if (!/^(\.\.?\/|\/|file:)/.test(specifier)) {
        const problem = bareProblem(specifier, imports);
        if (problem) problems.add(`${where}: ${problem}`);
        continue;
      }
      const target = resolve(dirname(file), specifier);
      if (!specifier.endsWith(".ts")) problems.add(`${where}: a relative import ends in .ts`);
      else if (!existsSync(target)) problems.add(`${where}: there is no such file`);
      else if (!isInside(root, target)) {
        problems.add(`${where}: a file outside the repository is not uploaded`);
      } else waiting.push(target);
    }
  }
  return seen;
}

function bareProblem(specifier: string, imports: Record<string, string>): string | undefined {
  if (specifier.startsWith("node:")) return "shared code uses Web APIs only, no node:";
  const known = Object.keys(imports).some((key) =>
    key.endsWith("/") ? specifier.startsWith(key) : specifier === key
  );
  return known ? undefined : "it is not in supabase/functions/deno.json, the only import map";
}

/** Symbolic links are followed, as the CLI does. */
function isInside(root: string, file: string): boolean {
  return !relative(realpathSync(root), realpathSync(file)).startsWith("..");
}

function functionNames(root: string): string[] {
  const folder = join(root, "supabase/functions");
  return readdirSync(folder).filter((name) => existsSync(join(folder, name, "index.ts"))).sort();
}

/** The paths in config.toml are read from the supabase folder (so the CLI resolves them). */
function configProblems(root: string, names: readonly string[]): string[] {
  const problems: string[] = [];
  const sections = functionSections(readFileSync(join(root, "supabase/config.toml"), "utf8"));
  for (const name of names) {
    const section = sections.get(name);
    if (!section) {
      problems.push(`config.toml: the function ${name} has no section [functions.${name}]`);
      continue;
    }
    const expected: Record<string, string> = {
      verify_jwt: "false",
      import_map: `"${IMPORT_MAP}"`,
      entrypoint: `"./functions/${name}/index.ts"`,
    };
    for (const [key, value] of Object.entries(expected)) {
      if (section.get(key) !== value) {
        problems.push(`config.toml: [functions.${name}] says ${key} = ${value}`);
      }
    }
    if ((section.get("enabled") ?? "true") !== "true") {
      problems.push(`config.toml: [functions.${name}] is not enabled`);
    }
  }
  for (const name of sections.keys()) {
    if (!names.includes(name)) {
      problems.push(`config.toml: [functions.${name}] has no supabase/functions/${name}/index.ts`);
    }
  }
  return problems;
}

function functionSections(toml: string): Map<string, Map<string, string>> {
  const sections = new Map<string, Map<string, string>>();
  let current: Map<string, string> | undefined;
  for (const line of toml.split("\n")) {
    const header = /^\s*\[(.+?)\]\s*(?:#.*)?$/.exec(line)?.[1];
    if (header !== undefined) {
      const name = /^functions\.([\w-]+)$/.exec(header)?.[1];
      current = name === undefined ? undefined : new Map();
      if (name !== undefined && current) sections.set(name, current);
      continue;
    }
    const [, key, value] = /^\s*(\w+)\s*=\s*(.*?)\s*(?:#.*)?$/.exec(line) ?? [];
    if (key !== undefined && value !== undefined) current?.set(key, value);
  }
  return sections;
}

/** Two lists of versions drift apart: the import map must say what package.json says, exactly. */
function versionProblems(root: string, imports: Record<string, string>): string[] {
  const { dependencies } = packageJson.parse(readJson(join(root, "package.json")));
  const problems: string[] = [];
  for (const [key, target] of Object.entries(imports)) {
    const [, name = "", version = ""] = /^npm:\/?((?:@[\w.-]+\/)?[\w.-]+)@([^/]+)\/?$/.exec(target) ?? [];
    const where = `deno.json: "${key}" is ${target}`;
    if (key.endsWith("/") !== target.endsWith("/")) problems.push(`${where}: only both or neither end in /`);
    if (key.replace(/\/$/, "") !== name) problems.push(`${where}: an import has the package's own name`);
    if (!/^\d+\.\d+\.\d+$/.test(version)) problems.push(`${where}: a version is exact`);
    if (dependencies[name] !== version) {
      problems.push(`${where}: package.json has ${dependencies[name] ?? "no such dependency"}`);
    }
    const twin = key.replace(/\/$/, "");
    if (key.endsWith("/") && imports[twin] !== `npm:${name}@${version}`) {
      problems.push(`${where}: "${twin}" is listed beside it, in the same version`);
    }
  }
  return problems;
}

function readJson(file: string): unknown {
  return JSON.parse(readFileSync(file, "utf8"));
}
