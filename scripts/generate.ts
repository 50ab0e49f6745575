import { docsFiles } from "./generate/docs.ts";
import { writeFiles } from "./generated.ts";

await writeFiles(
  "npm run generate",
  "Writes what docs/ says of the code and of the database.",
  ({ db }) => docsFiles(db),
);
