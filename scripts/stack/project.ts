import { fileURLToPath } from "node:url";

/** The folder of the project: of package.json, `supabase/` and `node_modules/`. */
export const PROJECT = fileURLToPath(new URL("../..", import.meta.url));
