import { parseArgs } from "node:util";

export interface SimulateOptions {
  seed: number;
  customers: number;
  /** Among so many clinics, each with a database, a seed and a pharmacy of its own, and all at once. */
  clinics: number;
  /** Simulated days. */
  days: number;
  /** How much happens to people and vendors; 1 is a usual life. */
  busy: number;
  json: boolean;
  /** Where the picture goes; null: nowhere. */
  svg: string | null;
}

export const USAGE =
  "npm run simulate -- [--customers N] [--clinics N] [--years N | --days N] [--seed N] [--busy N] [--svg FILE] [--json]";

const DAYS_A_YEAR = 365;

/** Throws a sentence for the person who typed it. */
export function parseOptions(args: readonly string[]): SimulateOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seed: { type: "string" },
      customers: { type: "string", default: "1000" },
      clinics: { type: "string", default: "2" },
      years: { type: "string", default: "2" },
      days: { type: "string" },
      busy: { type: "string", default: "1" },
      svg: { type: "string" },
      json: { type: "boolean", default: false },
    },
  });
  const clinics = wholeNumber("--clinics", values.clinics, 1);
  return {
    // Another life each time, unless one is asked for again.
    seed: values.seed === undefined
      ? Math.floor(Math.random() * 1_000_000)
      : wholeNumber("--seed", values.seed, 0),
    customers: wholeNumber("--customers", values.customers, 10 * clinics),
    clinics,
    days: values.days === undefined
      ? Math.round(number("--years", values.years, 0.1, 10) * DAYS_A_YEAR)
      : wholeNumber("--days", values.days, 30),
    busy: number("--busy", values.busy, 0.1, 20),
    json: values.json,
    svg: values.svg ?? null,
  };
}

function wholeNumber(name: string, text: string, least: number): number {
  const value = Number(text);
  if (!/^\d{1,9}$/.test(text) || value < least) {
    throw new Error(`${name} must be a whole number from ${least} on`);
  }
  return value;
}

function number(name: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (!(value >= least && value <= most)) {
    throw new Error(`${name} must be a number from ${least} to ${most}`);
  }
  return value;
}
