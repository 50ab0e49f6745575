import { makeBoss } from "../../src/shared/queue/boss.ts";
import type { World } from "./world.ts";

/** Kills the drain at the `nth` time it comes by any fault point; everything after runs in fresh ones. */
export function killAt(world: World, nth: number): { met: () => string | undefined } {
  let count = 0;
  return killWhen(world, () => ++count === nth);
}

/** Kills the drain at the first fault point for which `isNow` says so; everything after runs in fresh ones. */
export function killWhen(world: World, isNow: (name: string) => boolean): { met: () => string | undefined } {
  let dead: object | undefined;
  let where: string | undefined;
  world.deps.faultPoint = (name) => {
    if (dead === world.deps.boss) return Promise.reject(new Error(`dead since ${where}`));
    if (where !== undefined || !isNow(name)) return Promise.resolve();
    where = name;
    dead = world.deps.boss;
    return Promise.reject(new Error(`killed at ${name}`));
  };
  const drainAll = world.drainAll;
  world.drainAll = async () => {
    // A killed process never comes back: the next drain is another one.
    if (dead === world.deps.boss) world.deps.boss = makeBoss(world.db);
    await drainAll();
    if (dead === world.deps.boss) world.deps.boss = makeBoss(world.db);
  };
  return { met: () => where };
}

/** Counts the fault points that are met from now on. */
export function countFaultPoints(world: World): () => number {
  let count = 0;
  world.deps.faultPoint = () => {
    count += 1;
    return Promise.resolve();
  };
  return () => count;
}
