import { sql } from "kysely";
import { expect, test } from "vitest";
import { dumpRows } from "../../scripts/generate/dump.ts";
import { ORDER_STORIES } from "../proof/stories.ts";
import { addTask } from "./act.ts";
import { createTestDatabase } from "./database.ts";
import { DRAINED_TEMPLATE } from "./global-setup.ts";
import { takeWarmDatabase, type WarmDatabase } from "./warm.ts";
import { makeWorld } from "./world.ts";

/** Uses a database, gives it back, and asks whether the next one is the same. */
async function isTakenAgain(use: (connection: ReturnType<WarmDatabase["connect"]>) => Promise<unknown>) {
  const used = await takeWarmDatabase();
  await use(used.connect());
  await used.giveBack();
  const next = await takeWarmDatabase();
  await next.giveBack();
  return next.url === used.url;
}

test("a database that a world gave back has the rows and the sequences of a new one", async () => {
  const unused = await createTestDatabase(undefined, DRAINED_TEMPLATE);
  const rows = await dumpRows(unused.url);
  const world = await makeWorld();
  await ORDER_STORIES[0]?.before(world);
  await world.db.deleteFrom("clockwork.nightly_work").execute();
  await sql`set clockwork.actor = 'clockwork:test'`.execute(world.db);
  expect(await dumpRows(world.url)).not.toBe(rows);
  await world.close();

  const next = await takeWarmDatabase();
  expect(next.url).toBe(world.url);
  expect(await dumpRows(next.url)).toBe(rows);
  const { db, close } = next.connect();
  expect((await sql`select clockwork.actor()`.execute(db)).rows).toEqual([{ actor: "table editor" }]);
  expect(await addTask(db, "order.make", {})).toBe(1);
  await close();
  await expect(addTask(db, "order.make", {})).rejects.toThrow();
  await next.giveBack();
  await unused.drop();
});

test("a database is not taken again after a change of its tables, or with a transaction under way", async () => {
  expect(await isTakenAgain(({ db, close }) => sql`select 1`.execute(db).then(close))).toBe(true);
  expect(await isTakenAgain(({ db }) => sql`alter table clockwork.settings add column more int`.execute(db)))
    .toBe(false);
  expect(
    await isTakenAgain(({ db }) =>
      new Promise((begun) => {
        void db.transaction().execute((trx) =>
          sql`select 1`.execute(trx).then(begun).then(() => new Promise(() => {}))
        );
      })
    ),
  ).toBe(false);
});
