import type { Database } from "../../src/shared/db/database.ts";
import { markdownTable } from "./markdown.ts";

/** The catalogue of reasons, as the migrations fill it, as a table in Markdown. */
export async function reasonsTable(db: Database): Promise<string> {
  const reasons = await db.selectFrom("clockwork.reasons")
    .select(["code", "sentence", "repair", "on_resend"]).orderBy("code").execute();
  return markdownTable(
    ["code", "says", "repair", "a resend"],
    reasons.map(({ code, sentence, repair, on_resend }) => [`\`${code}\``, sentence, repair, on_resend]),
  );
}
