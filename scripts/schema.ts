import { writeFiles } from "./generated.ts";
import { dumpRows, dumpSchema } from "./schema/dump.ts";

const HEADER =
  `-- Written by \`npm run schema\` from the migrations: what they make together, to read and to compare.
-- Never edited by hand, never run. pg-boss's own schema is left out: its version says what it is.
`;
const ROWS = "-- The rows that the migrations put in.\n";

await writeFiles(
  "npm run schema",
  "Writes supabase/schema.sql from the migrations, so that a review shows what a migration really changes.",
  ({ url }) => ({
    "supabase/schema.sql": async () =>
      [HEADER, await dumpSchema(url, ["pgboss"]), ROWS, await dumpRows(url, ["pgboss"])].join("\n"),
  }),
);
