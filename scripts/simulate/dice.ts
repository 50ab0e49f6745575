import { seeded } from "../sandbox/random.ts";

export const DAY_MS = 86_400_000;
export const HOUR_MS = 3_600_000;

/** A stream of chance of its own: the draws of one part of the simulation must not change those of another. */
export interface Dice {
  /** 0 to 1. */
  roll(): number;
  chance(share: number): boolean;
  between(least: number, most: number): number;
  /** A whole number, both ends included. */
  whole(least: number, most: number): number;
  pick<T>(from: readonly T[]): T;
  /** One of several by weight. */
  weighted<T>(from: readonly (readonly [weight: number, value: T])[]): T;
  /** Milliseconds until the next of `timesAYear` events. */
  wait(timesAYear: number): number;
}

/** @param names the purpose of the stream, e.g. `customer`, 12 */
export function makeDice(seed: number, ...names: (string | number)[]): Dice {
  const roll = seeded(hash(`${seed}/${names.join("/")}`));
  const between = (least: number, most: number) => least + (most - least) * roll();
  return {
    roll,
    between,
    chance: (share) => roll() < share,
    whole: (least, most) => Math.floor(between(least, most + 1)),
    pick: (from) => must(from[Math.floor(roll() * from.length)]),
    weighted(from) {
      let left = roll() * from.reduce((sum, [weight]) => sum + weight, 0);
      for (const [weight, value] of from) if ((left -= weight) < 0) return value;
      return must(from.at(-1))[1];
    },
    wait: (timesAYear) => (-Math.log(1 - roll()) / timesAYear) * 365 * DAY_MS,
  };
}

function must<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("there is nothing to choose from");
  return value;
}

/** FNV-1a. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  return value >>> 0;
}
