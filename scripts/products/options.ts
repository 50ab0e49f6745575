import { parseArgs } from "node:util";
import { MOVES_PER_SECOND } from "../../src/shared/products/retirement.ts";

export interface RetireOptions {
  from: string;
  to: string;
  apply: boolean;
  /** Subscriptions at most. */
  limit: number | null;
  /** Moves a second. */
  pace: number;
  json: boolean;
}

export const USAGE =
  "npm run product:retire -- <retired price> <supported price> [--apply] [--limit N] [--pace MOVES_PER_SECOND] [--json]";

/** Throws a sentence for the person who typed it. */
export function parseOptions(args: readonly string[]): RetireOptions {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      apply: { type: "boolean", default: false },
      limit: { type: "string" },
      pace: { type: "string", default: String(MOVES_PER_SECOND) },
      json: { type: "boolean", default: false },
    },
  });
  const [from, to, ...more] = positionals;
  if (from === undefined || to === undefined || more.length > 0) {
    throw new Error("Two prices are needed: the retired one and the one that replaces it.");
  }
  for (const price of [from, to]) {
    if (!/^\w{1,200}$/.test(price)) throw new Error(`${price} is not a price of Stripe's`);
  }
  return {
    from,
    to,
    apply: values.apply,
    limit: limitOf(values.limit),
    pace: paceOf(values.pace),
    json: values.json,
  };
}

function limitOf(text: string | undefined): number | null {
  if (text === undefined) return null;
  if (!/^\d{1,9}$/.test(text) || Number(text) < 1) {
    throw new Error("--limit must be a whole number from 1 on");
  }
  return Number(text);
}

function paceOf(text: string): number {
  const pace = Number(text);
  if (!/^\d{1,2}(\.\d{1,3})?$/.test(text) || pace <= 0 || pace > 20) {
    throw new Error("--pace must be a number above 0 and up to 20 moves a second");
  }
  return pace;
}
