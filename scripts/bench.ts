import { connect } from "../src/shared/db/database.ts";
import { drift } from "./bench/drift.ts";
import { finder } from "./bench/finder.ts";
import { queue } from "./bench/queue.ts";
import type { Section } from "./bench/section.ts";
import { among, defineCommand, run, whole } from "./command.ts";
import { withMigratedDatabase } from "./stack/migrated.ts";

/** Each has a database of its own. */
const SECTIONS: readonly Section[] = [queue, finder, drift];

const BENCH = defineCommand(
  "npm run bench",
  "Costs as ratios to a bare floor. Both are measured in turns in the same run, so that a busy machine slows both.",
  {
    only: among(SECTIONS.map(({ name }) => name), "this section alone", null),
    customers: whole("the number in the sections about customers", { from: 1, usual: 100_000 }),
  },
);

await run(BENCH, async ({ only, customers }, { progress }) => {
  await withMigratedDatabase(async ({ copy }) => {
    for (const { name, run } of SECTIONS.filter(({ name }) => only === null || name === only)) {
      const { db, close } = connect(await copy(`bench_${name}`), 8);
      console.log(`${name}\n${await run({ db, customers, progress })}\n`);
      await close();
    }
  });
});
