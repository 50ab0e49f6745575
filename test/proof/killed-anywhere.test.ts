import { describe, expect, test } from "vitest";
import { countFaultPoints, killAt } from "../support/kill.ts";
import { makeWorld } from "../support/world.ts";
import { recover, STORIES, type Story } from "./stories.ts";

/** How often a story comes by a fault point. */
async function pointsOf(story: Story): Promise<number> {
  const world = await makeWorld();
  await story.before(world);
  const count = countFaultPoints(world);
  for (const moment of story.moments) {
    await moment(world);
    await recover(world);
  }
  await story.after(world);
  return count();
}

/** So many of a story's fault points are tried, evenly spread; CLOCKWORK_EVERY_POINT=1 tries each. */
const POINTS_TRIED = process.env["CLOCKWORK_EVERY_POINT"] ? Infinity : 9;

describe.each(STORIES)("$name", (story) => {
  test("wherever the drain is killed", { timeout: 900_000 }, async () => {
    const points = await pointsOf(story);
    expect(points).toBeGreaterThan(20);
    const met = new Set<string>();
    const stride = Math.max(1, Math.ceil(points / POINTS_TRIED));
    for (let nth = 1; nth <= points; nth += stride) {
      const world = await makeWorld();
      try {
        await story.before(world);
        const killed = killAt(world, nth);
        for (const moment of story.moments) {
          await moment(world);
          await recover(world);
        }
        await story.after(world);
        met.add(killed.met() ?? "none");
      } catch (error) {
        throw new Error(`killed at fault point ${nth} of ${points}`, { cause: error });
      } finally {
        await world.close();
      }
    }
    expect(met.size).toBeGreaterThan(3);
  });
});
