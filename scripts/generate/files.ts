import type { Database } from "../../src/shared/db/database.ts";
import { casesTable } from "./cases.ts";
import { decisionsTable } from "./decisions.ts";
import { schemaFile } from "./dump.ts";
import { environmentTable } from "./environment.ts";
import { stripeEventsTable } from "./events.ts";
import { flowPicture } from "./flow.ts";
import { withTables } from "./markdown.ts";
import { ownersTable } from "./owners.ts";
import { reasonsTable } from "./reasons.ts";
import { typesFile } from "./types.ts";

/** Makes a file's text from its committed text (no file: ""). */
type Writer = (committed: string) => string | Promise<string>;

/**
 * The files of the project that are written from the code and the database, wholly or between markers.
 * @param url of a database with all migrations, which `db` is connected to
 * @returns by their path in the project
 */
export function generatedFiles(url: string, db: Database): Readonly<Record<string, Writer>> {
  return {
    "src/shared/db/types.ts": () => typesFile(url, db),
    "supabase/schema.sql": () => schemaFile(url),
    "docs/flow.svg": () => flowPicture(),
    "docs/how-it-works.md": (text) => withTables(text, { owners: ownersTable() }),
    "docs/deploy.md": (text) =>
      withTables(text, { environment: environmentTable(), "stripe events": stripeEventsTable() }),
    "docs/what-ships.md": (text) => withTables(text, { cases: casesTable() }),
    "docs/reasons.md": async (text) => withTables(text, { reasons: await reasonsTable(db) }),
    "docs/decisions.md": (text) => withTables(text, { decisions: decisionsTable(text) }),
  };
}
