import type { Database } from "../../src/shared/db/database.ts";
import type { Writer } from "../generated.ts";
import { decisionsTable } from "./decisions.ts";
import { environmentTable } from "./environment.ts";
import { stripeEventsTable } from "./events.ts";
import { flowPicture } from "./flow.ts";
import { withTables } from "./markdown.ts";
import { ownersTable } from "./owners.ts";
import { reasonsTable } from "./reasons.ts";

/** The files under docs/ that are written from the code and the database, wholly or between markers. */
export function docsFiles(db: Database): Readonly<Record<string, Writer>> {
  return {
    "docs/flow.svg": () => flowPicture(),
    "docs/how-it-works.md": (text) => withTables(text, { owners: ownersTable() }),
    "docs/deploy.md": (text) =>
      withTables(text, { environment: environmentTable(), "stripe events": stripeEventsTable() }),
    "docs/reasons.md": async (text) => withTables(text, { reasons: await reasonsTable(db) }),
    "docs/decisions.md": (text) => withTables(text, { decisions: decisionsTable(text) }),
  };
}
