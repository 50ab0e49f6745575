import { sql } from "kysely";
import { expect, test } from "vitest";
import { connect } from "../../src/shared/db/database.ts";
import { createTestDatabase } from "../support/database.ts";

test("a connection that the server ends while it is in use fails its query and nothing else", async () => {
  const database = await createTestDatabase();
  const { db, close } = connect(database.url, 2);
  const broken = db.transaction().execute(async (trx) => {
    const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(trx);
    await sql`select pg_terminate_backend(${rows[0]?.pid ?? 0})`.execute(db);
    // The break is noticed while no query is under way, as between two statements of a settle.
    await expect.poll(async () =>
      (await sql`select 1 from pg_stat_activity where pid = ${rows[0]?.pid ?? 0}`.execute(db)).rows.length
    ).toBe(0);
    await sql`select 1`.execute(trx);
  });
  await expect(broken).rejects.toThrow();
  expect((await sql<{ one: number }>`select 1 as one`.execute(db)).rows).toEqual([{ one: 1 }]);
  await close();
  await database.drop();
});
