import { expect, test } from "vitest";
import { makeWorld } from "../support/world.ts";
import { recover, STORIES } from "./stories.ts";

/**
 * On the edge a pool has four connections. What takes a second one inside a transaction stands still for ten seconds as
 * soon as four do it at once; with a pool of one it always does.
 */
test.each(STORIES)("no transaction waits for a second connection: $name", async (story) => {
  const world = await makeWorld({ connections: 1, cold: true });
  await story.before(world);
  for (const moment of story.moments) {
    await moment(world);
    await recover(world);
  }
  await story.after(world);
  expect(world.lines.filter(({ event }) => /fail/.test(event))).toEqual([]);
});
