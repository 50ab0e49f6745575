import { sql } from "kysely";
import type { Database } from "../../src/shared/db/database.ts";
import { markdownTable } from "./markdown.ts";

/** The catalogue of reasons and their choices, as the migrations fill it, as a table in Markdown. */
export async function reasonsTable(db: Database): Promise<string> {
  const reasons = await db.selectFrom("clockwork.reasons")
    .select(["code", "sentence", "repair", "on_resend"])
    .select(sql<string | null>`(
      select string_agg(format('\`%s\`: %s', answer, label), '<br>' order by position)
      from clockwork.reason_choices where reason_choices.code = reasons.code)`.as("choices"))
    .orderBy("code").execute();
  return markdownTable(
    ["code", "says", "repair", "choices", "a resend"],
    reasons.map((
      { code, sentence, repair, choices, on_resend },
    ) => [`\`${code}\``, sentence, repair, choices ?? "", on_resend]),
  );
}
