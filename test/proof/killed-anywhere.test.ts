import { describe, expect, test } from "vitest";
import { makeBoss } from "../../src/shared/queue/boss.ts";
import { makeWorld, type World } from "../support/world.ts";
import { recover, STORIES, type Story } from "./stories.ts";

/** Kills the drain at the `nth` time it comes by any fault point; everything after runs in fresh ones. */
function killAt(world: World, nth: number): { met: () => string | undefined } {
  let count = 0;
  let dead: object | undefined;
  let where: string | undefined;
  const fresh = { ...world.deps };
  world.deps.faultPoint = (name) => {
    if (dead === world.deps.boss) return Promise.reject(new Error(`dead since ${where}`));
    count += 1;
    if (count !== nth) return Promise.resolve();
    where = name;
    dead = world.deps.boss;
    return Promise.reject(new Error(`killed at ${name}`));
  };
  const settle = world.settle;
  world.settle = async () => {
    // A killed process never comes back: the next drain is another one.
    if (dead === world.deps.boss) world.deps.boss = makeBoss(fresh.db);
    await settle();
    if (dead === world.deps.boss) world.deps.boss = makeBoss(fresh.db);
  };
  return { met: () => where };
}

/** How often a story comes by a fault point. */
async function countFaultPoints(story: Story): Promise<number> {
  const world = await makeWorld();
  await story.before(world);
  let count = 0;
  world.deps.faultPoint = () => {
    count += 1;
    return Promise.resolve();
  };
  for (const moment of story.moments) {
    await moment(world);
    await recover(world);
  }
  await story.after(world);
  return count;
}

/** Which of the story's fault points are tried: CLOCKWORK_EVERY_POINT=1 tries each. */
const STRIDE = process.env["CLOCKWORK_EVERY_POINT"] ? 1 : 7;

describe.each(STORIES)("$name", (story) => {
  test("wherever the drain is killed", { timeout: 480_000 }, async () => {
    const points = await countFaultPoints(story);
    expect(points).toBeGreaterThan(20);
    const met = new Set<string>();
    for (let nth = 1; nth <= points; nth += STRIDE) {
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
