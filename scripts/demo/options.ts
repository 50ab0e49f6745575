import { parseArgs } from "node:util";

export interface DemoOptions {
  seed: number;
  customers: number;
  json: boolean;
}

export const USAGE = "npm run demo -- [--seed N] [--customers N] [--json]";

/** Throws a sentence for the person who typed it. */
export function parseOptions(args: readonly string[]): DemoOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seed: { type: "string", default: "1" },
      customers: { type: "string", default: "200" },
      json: { type: "boolean", default: false },
    },
  });
  return {
    seed: wholeNumber("--seed", values.seed, 0),
    customers: wholeNumber("--customers", values.customers, 40),
    json: values.json,
  };
}

function wholeNumber(name: string, text: string, least: number): number {
  const value = Number(text);
  if (!/^\d{1,9}$/.test(text) || value < least) {
    throw new Error(`${name} must be a whole number from ${least} on`);
  }
  return value;
}
