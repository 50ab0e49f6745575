import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { importsOf, importsTheCliSees } from "./imports.ts";
import { walkFunctions } from "./walk.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

const moduleGraph = z.object({
  modules: z.array(
    z.object({ kind: z.string().optional(), local: z.string().optional(), error: z.string().optional() }),
  ),
});

/** The project's own files in Deno's module graph of an entry: a real parser's answer to the same question. */
function filesInDenoGraph(entry: string): string[] {
  const output = execFileSync(join(ROOT, "node_modules/.bin/deno"), [
    "info",
    "--json",
    "--no-lock",
    "--node-modules-dir=manual",
    "--config=supabase/functions/deno.json",
    entry,
  ], {
    cwd: ROOT,
    encoding: "utf8",
    env: { PATH: process.env["PATH"], HOME: tmpdir(), DENO_NO_PACKAGE_JSON: "1", DENO_NO_UPDATE_CHECK: "1" },
    stdio: ["ignore", "pipe", "pipe"],
    maxBuffer: 64 * 1024 * 1024,
  });
  const { modules } = moduleGraph.parse(JSON.parse(output));
  expect(modules.filter(({ error }) => error !== undefined)).toEqual([]);
  return modules.flatMap(({ kind, local }) =>
    kind === "esm" && local?.startsWith(ROOT) && !local.includes("/node_modules/")
      ? [local.slice(ROOT.length)]
      : []
  );
}

describe("the functions of this project", () => {
  const walk = walkFunctions(ROOT);

  test("break no rule of the upload", () => {
    expect(walk.problems).toEqual([]);
  });

  test("are uploaded whole: every file that Deno would load is one the CLI finds, and no other", () => {
    expect([...walk.files.keys()]).toEqual(expect.arrayContaining(["drain", "webhooks"]));
    for (const [name, files] of walk.files) {
      const graph = filesInDenoGraph(`supabase/functions/${name}/index.ts`);
      expect([...files].sort(), name).toEqual(graph.sort());
      expect(files.size, name).toBeGreaterThan(10);
    }
  });
});

/** A project that breaks no rule, with some of its files replaced or (null) left out. */
function project(changes: Record<string, string | null> = {}): string {
  const root = mkdtempSync(join(tmpdir(), "clockwork-walk-"));
  onTestFinished(() => rmSync(root, { recursive: true }));
  const files: Record<string, string | null> = {
    "package.json": JSON.stringify({ dependencies: { hono: "4.1.2", zod: "4.0.0" } }),
    "supabase/config.toml": [
      "[api] # none of these",
      "import_map = 1",
      "[functions.hello] # open",
      "enabled = true",
      "verify_jwt = false # its callers sign",
      'import_map = "./functions/deno.json"',
      'entrypoint = "./functions/hello/index.ts"',
      "[db]",
    ].join("\n"),
    "supabase/functions/deno.json": JSON.stringify({
      imports: { hono: "npm:hono@4.1.2", "hono/": "npm:/hono@4.1.2/", zod: "npm:zod@4.0.0" },
    }),
    "supabase/functions/hello/index.ts": 'import { a } from "../../../src/a.ts";\nDeno.serve(a);\n',
    "src/a.ts": [
      'import { Hono } from "hono";',
      'import { bodyLimit } from "hono/body-limit";',
      "import {",
      "  type B,",
      "  b,",
      '} from "./b.ts";',
      'export type { B } from "./c.ts";',
      'export * from "./d.ts";',
      'const lazy = () => import("./e.ts");',
      'const url = "http://nothing"; // import { x } from "./comment.ts"',
    ].join("\n"),
    "src/b.ts": 'import "./f.ts";\nexport const b = 1;\n',
    "src/c.ts": "export type B = 1;\n",
    "src/d.ts": "export const d = 1;\n",
    "src/e.ts": "export const e = 1;\n",
    "src/f.ts": "export {};\n",
    ...changes,
  };
  for (const [path, text] of Object.entries(files)) {
    if (text === null) continue;
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return root;
}

describe("the walker", () => {
  test("follows every form of import, and finds nothing wrong with a good project", () => {
    const { files, problems } = walkFunctions(project());
    expect(problems).toEqual([]);
    expect([...files.get("hello") ?? []].sort()).toEqual([
      ...["a", "b", "c", "d", "e", "f"].map((name) => `src/${name}.ts`),
      "supabase/functions/hello/index.ts",
    ]);
  });

  const config = (line: string, by: string) => ({ "supabase/config.toml": CONFIG.replace(line, by) });
  const imports = (changes: Record<string, string>) => ({
    "supabase/functions/deno.json": JSON.stringify({
      imports: { hono: "npm:hono@4.1.2", "hono/": "npm:/hono@4.1.2/", zod: "npm:zod@4.0.0", ...changes },
    }),
  });
  const bad: [string, Record<string, string | null>, string][] = [
    [
      "no .ts",
      { "src/b.ts": 'import { c } from "./c";' },
      'src/b.ts imports "./c": a relative import ends in .ts',
    ],
    [
      "a .js",
      { "src/b.ts": 'export * from "./c.js";' },
      'src/b.ts imports "./c.js": a relative import ends in .ts',
    ],
    ["a folder", { "src/b.ts": 'import "./c/";' }, 'src/b.ts imports "./c/": a relative import ends in .ts'],
    [
      "a missing file",
      { "src/b.ts": 'import "./gone.ts";' },
      'src/b.ts imports "./gone.ts": there is no such file',
    ],
    ["an unlisted package", { "src/b.ts": 'import pg from "pg";' }, 'src/b.ts imports "pg": it is not in'],
    [
      "an unlisted path of a package",
      { "src/b.ts": 'import { x } from "zod/v4";' },
      'src/b.ts imports "zod/v4": it is not in',
    ],
    [
      "a version beside the import map",
      { "src/b.ts": 'import x from "npm:pg@8.0.0";' },
      'imports "npm:pg@8.0.0": it is not in',
    ],
    [
      "an address",
      { "src/b.ts": 'import x from "https://esm.sh/x";' },
      'imports "https://esm.sh/x": it is not in',
    ],
    [
      "node:",
      { "src/b.ts": 'import { readFile } from "node:fs";' },
      'src/b.ts imports "node:fs": shared code uses Web APIs',
    ],
    [
      "node: by a dynamic import",
      { "src/b.ts": 'await import("node:fs");' },
      'imports "node:fs": shared code uses Web APIs',
    ],
    [
      "a default import with a multi-line named one",
      { "src/b.ts": 'import c, {\n  d,\n} from "./c.ts";' },
      'src/b.ts imports "./c.ts": the CLI drops this form without a word',
    ],
    [
      "a named import on the line after the default one",
      { "src/b.ts": 'import c,\n  { d } from "./c.ts";' },
      'src/b.ts imports "./c.ts": the CLI drops this form',
    ],
    [
      "a comment with braces among the names",
      { "src/b.ts": 'import {\n  // {x}\n  B,\n} from "./c.ts";' },
      'src/b.ts imports "./c.ts": the CLI drops this form',
    ],
    [
      "no blank at all",
      { "src/b.ts": 'import{B}from"./c.ts";' },
      'src/b.ts imports "./c.ts": the CLI drops this form',
    ],
    [
      "a template",
      { "src/b.ts": "await import(`./c.ts`);" },
      'src/b.ts imports "./c.ts": the CLI drops this form',
    ],
    [
      "a computed import",
      { "src/b.ts": "await import(name);" },
      "src/b.ts: a dynamic import names its file as a literal",
    ],
    [
      "a long entry",
      { "supabase/functions/hello/index.ts": "1;\n".repeat(16) },
      "supabase/functions/hello/index.ts: an entry has 15 lines at most, this has 16",
    ],
    [
      "a function that config.toml does not know",
      { "supabase/functions/new/index.ts": "1;" },
      "the function new has no section [functions.new]",
    ],
    [
      "a section without a function",
      { "supabase/functions/hello/index.ts": null },
      "[functions.hello] has no supabase/functions/hello/index.ts",
    ],
    [
      "a JWT asked for",
      config("verify_jwt = false", "verify_jwt = true"),
      "[functions.hello] says verify_jwt = false",
    ],
    [
      "a JWT asked for by default",
      config("verify_jwt = false", ""),
      "[functions.hello] says verify_jwt = false",
    ],
    [
      "another import map",
      config("./functions/deno.json", "./functions/hello/deno.json"),
      "[functions.hello] says import_map",
    ],
    [
      "no import map",
      config('import_map = "./functions/deno.json"', ""),
      "[functions.hello] says import_map",
    ],
    ["another entry", config("hello/index.ts", "hello/main.ts"), "[functions.hello] says entrypoint"],
    [
      "a function switched off",
      config("enabled = true", "enabled = false"),
      "[functions.hello] is not enabled",
    ],
    ["versions apart", imports({ zod: "npm:zod@4.0.1" }), '"zod" is npm:zod@4.0.1: package.json has 4.0.0'],
    ["a range", imports({ zod: "npm:zod@^4.0.0" }), '"zod" is npm:zod@^4.0.0: a version is exact'],
    [
      "a package that package.json lacks",
      imports({ pg: "npm:pg@8.0.0" }),
      "package.json has no such dependency",
    ],
    [
      "another name",
      imports({ z: "npm:zod@4.0.0" }),
      '"z" is npm:zod@4.0.0: an import has the package\'s own name',
    ],
    [
      "paths of another version",
      imports({ hono: "npm:hono@4.1.1" }),
      '"hono/" is npm:/hono@4.1.2/: "hono" is listed beside it',
    ],
    ["paths without their slash", imports({ "hono/": "npm:/hono@4.1.2" }), "only both or neither end in /"],
  ];

  test.each(bad)("fails on %s", (_, changes, problem) => {
    const { problems } = walkFunctions(project(changes));
    expect(problems.join("\n")).toContain(problem);
  });

  test("fails on a file outside the repository, by its path or through a link", () => {
    const elsewhere = project();
    const path = `../../${basename(elsewhere)}/src/f.ts`;
    const root = project({ "src/b.ts": `import "./link.ts";\nimport "${path}";\n` });
    symlinkSync(join(elsewhere, "src/f.ts"), join(root, "src/link.ts"));
    const rule = "a file outside the repository is not uploaded";
    expect(walkFunctions(root).problems).toEqual([
      `src/b.ts imports "./link.ts": ${rule}`,
      `src/b.ts imports "${path}": ${rule}`,
    ]);
  });

  test("knows what the CLI's expression takes, and what it misses", () => {
    const both =
      'import { a } from "./a.ts";\nimport type { B } from "./b.ts";\nexport { c } from "./c.ts";\n';
    expect(importsTheCliSees(both)).toEqual(new Set(["./a.ts", "./b.ts", "./c.ts"]));
    expect(importsOf(both)).toEqual(new Set(["./a.ts", "./b.ts", "./c.ts"]));
    const dropped = 'import a, {\n  b,\n} from "./a.ts";';
    expect([importsTheCliSees(dropped).size, importsOf(dropped)]).toEqual([0, new Set(["./a.ts"])]);
  });
});

const CONFIG = [
  "[functions.hello]",
  "enabled = true",
  "verify_jwt = false",
  'import_map = "./functions/deno.json"',
  'entrypoint = "./functions/hello/index.ts"',
].join("\n");
