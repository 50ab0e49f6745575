import { VARIABLES } from "../../src/shared/env.ts";
import { markdownTable } from "./markdown.ts";

/** Every variable that the functions read, as a table in Markdown. */
export function environmentTable(): string {
  const rows = Object.entries(VARIABLES.shape).map(([name, schema]) => [
    `\`${name}\``,
    schema.description ?? "",
    defaultOf(schema.safeParse(undefined).data),
  ]);
  return markdownTable(["variable", "for", "default"], [
    ...rows,
    ["`STANDARD_WEBHOOK_SECRET_<SOURCE>`", "any vendor of Standard Webhooks", ""],
  ]);
}

function defaultOf(value: string | undefined): string {
  return value === undefined ? "" : `\`${value}\``;
}
