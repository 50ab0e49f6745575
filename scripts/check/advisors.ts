import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { cliEnvironment } from "../stack/migrate.ts";
import { type Check, type Finding, runCommand } from "./run.ts";

const answer = z.object({
  results: z.array(z.object({
    name: z.string(),
    level: z.enum(["ERROR", "WARN", "INFO"]),
    detail: z.string(),
    metadata: z.object({ schema: z.string().nullish() }).nullish(),
  })),
});

/**
 * What Supabase's own advisors say of the database at `url`, which has all migrations. Errors fail; warnings are counted.
 * `supabase db lint` is not run: it needs the extension plpgsql_check, which the Postgres from npm does not have.
 */
export function advisorsCheck(root: string, url: () => Promise<string>): Check {
  return { name: "database advisors", run: async () => await askAdvisors(root, await url()) };
}

/** @param url of a database, as role `postgres` */
export async function askAdvisors(root: string, url: string): Promise<Finding> {
  const home = mkdtempSync(join(tmpdir(), "clockwork-advisors-"));
  try {
    const { code, stdout, stderr } = await runCommand([
      process.execPath,
      join(root, "node_modules/.bin/supabase"),
      "db",
      "advisors",
      `--remote=${url}`,
      `--workdir=${root}`,
      "--type=all",
      "--level=warn",
      "--fail-on=none",
      "--output-format=json",
      "--agent=no",
    ], {
      cwd: root,
      env: cliEnvironment(home),
    });
    if (code !== 0) return { problems: [`exit code ${code}\n${stdout}${stderr}`.replaceAll(url, "<url>")] };
    return judgeAdvice(stdout);
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

/** @param json what `supabase db advisors --output-format=json` printed. Throws when it is something else. */
export function judgeAdvice(json: string): Finding {
  const { results } = answer.parse(JSON.parse(json));
  const warnings = new Map<string, number>();
  for (const { level, metadata } of results) {
    const schema = metadata?.schema ?? "no schema";
    if (level === "WARN") warnings.set(schema, (warnings.get(schema) ?? 0) + 1);
  }
  const count = [...warnings.values()].reduce((sum, one) => sum + one, 0);
  const where = [...warnings].map(([schema, one]) => `${schema} ${one}`).join(", ");
  return {
    problems: results.filter(({ level }) => level === "ERROR").map(({ name, detail }) =>
      `${name}: ${detail}`
    ),
    note: count === 0 ? "no warnings" : `${count} warnings (${where})`,
  };
}
