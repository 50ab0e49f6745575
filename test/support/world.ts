import { onTestFinished } from "vitest";
import { seeded } from "../../scripts/sandbox/random.ts";
import {
  makeWorld as makeWholeWorld,
  type World as WholeWorld,
  type WorldOptions,
} from "../../scripts/sandbox/world.ts";
import type { Database } from "../../src/shared/db/database.ts";
import { createTestDatabase } from "./database.ts";
import { takeWarmDatabase } from "./warm.ts";
import { DRAINED_TEMPLATE, TEMPLATE } from "./global-setup.ts";

/** The whole of Clockwork in one process: a database of its own, the vendors' sandboxes over real HTTP, a clock to move. */
export interface World extends WholeWorld {
  url: string;
  /** Every line that was logged. */
  lines: { event: string; fields: Record<string, unknown> }[];
  task(id: number): Promise<Awaited<ReturnType<typeof readTask>>>;
}

async function readTask(db: Database, id: number) {
  return await db.selectFrom("clockwork.tasks").selectAll().where("id", "=", id).executeTakeFirstOrThrow();
}

/**
 * A world of its own for one test; closed when the test ends, unless `close` is called before or it is to be `shared`.
 * A `cold` one has never drained.
 */
export async function makeWorld(
  { seed = 1, shared = false, cold = false, ...options }:
    & { seed?: number; shared?: boolean; cold?: boolean }
    & Pick<WorldOptions, "connections" | "stripeEventKinds"> = {},
): Promise<World> {
  const isWarm = !cold && options.connections === undefined;
  const warm = isWarm ? await takeWarmDatabase() : undefined;
  const database = warm ?? await createTestDatabase(undefined, cold ? TEMPLATE : DRAINED_TEMPLATE);
  const lines: World["lines"] = [];
  const whole = await makeWholeWorld({
    ...options,
    url: database.url,
    ...(warm ? { connection: warm.connect() } : {}),
    random: seeded(seed),
    log: (event, fields) => void lines.push({ event, fields }),
  });
  let isClosed = false;
  const world: World = {
    ...whole,
    url: database.url,
    lines,
    task: (id) => readTask(whole.db, id),
    async close() {
      if (isClosed) return;
      isClosed = true;
      await whole.close();
      await ("drop" in database ? database.drop() : database.giveBack());
    },
  };
  if (!shared) onTestFinished(() => world.close());
  return world;
}
