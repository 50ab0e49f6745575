import { z } from "zod";
import { runSupabase } from "../stack/migrate.ts";
import type { Check, Finding } from "./run.ts";

const answer = z.object({
  results: z.array(z.object({
    name: z.string(),
    level: z.enum(["ERROR", "WARN", "INFO"]),
    detail: z.string(),
    metadata: z.object({ schema: z.string().nullish() }).nullish(),
  })),
});

/**
 * Supabase's own advisors on the database at `url`, which has all migrations. Errors fail; warnings are counted.
 * `supabase db lint` is not run: it needs the extension plpgsql_check, which the Postgres from npm does not have.
 */
export function advisorsCheck(root: string, url: () => Promise<string>): Check {
  return { name: "database advisors", run: async () => await askAdvisors(root, await url()) };
}

/** @param url of a database, as role `postgres` */
export async function askAdvisors(root: string, url: string): Promise<Finding> {
  const { code, stdout, output } = await runSupabase(
    ["db", "advisors", "--type=all", "--level=warn", "--fail-on=none", "--output-format=json"],
    { url, workdir: root },
  );
  return code === 0 ? judgeAdvice(stdout) : { problems: [`exit code ${code}\n${output}`] };
}

/** @param json the output of `supabase db advisors --output-format=json`. Throws for any other text. */
export function judgeAdvice(json: string): Finding {
  const { results } = answer.parse(JSON.parse(json));
  const warnings = results.filter(({ level }) => level === "WARN");
  const bySchema = [...Map.groupBy(warnings, ({ metadata }) => metadata?.schema ?? "no schema")]
    .map(([schema, ofSchema]) => `${schema} ${ofSchema.length}`).join(", ");
  return {
    problems: results.filter(({ level }) => level === "ERROR").map(({ name, detail }) =>
      `${name}: ${detail}`
    ),
    note: warnings.length === 0 ? "no warnings" : `${warnings.length} warnings (${bySchema})`,
  };
}
