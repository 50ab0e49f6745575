import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { withOwnersTable } from "./owners/table.ts";

// `npm run owners` writes the README's table of who owns which fact from the one table in code;
// `npm run owners -- --check` only compares, and fails when they differ.

const README = fileURLToPath(new URL("../README.md", import.meta.url));

const readme = readFileSync(README, "utf8");
const current = withOwnersTable(readme);
if (!process.argv.includes("--check")) {
  writeFileSync(README, current);
  console.log("README.md is written.");
} else if (current !== readme) {
  console.error("README.md's table of owners is out of date: run `npm run owners`.");
  process.exitCode = 1;
}
