import type { Customer } from "./customer.ts";

/** The rules, in the order of the report. */
export const RULES = [
  "nobody comes near a gap without a contact or an open row for a person",
  "never two campaigns for one cycle",
  "nobody is asked before it is time",
  "nobody paused or cancelled is contacted",
  "nobody paused or cancelled is charged",
  "what a customer paused stays paused",
  "billing goes on when there is a prescription",
  "a campaign ends when its renewal does",
  "renewed means a prescription",
  "a person knows what to do",
] as const;
type Rule = (typeof RULES)[number];

/** A rule that did not hold for a customer. */
export interface Break {
  rule: Rule;
  /** The moment, ISO. */
  day: string;
  customer: number;
  what: string;
}

/** So many breaks end the run. */
const ENOUGH = 10;

export interface Breaks {
  list: Break[];
  /** The number of checks of each rule: a run without checks proves nothing. */
  checks: Map<Rule, number>;
  /** Counts a check of a rule, and a break of it where there is a `problem`: one a rule and customer. */
  check(customer: Customer, rule: Rule, problem: string | false | undefined): void;
  isEnough(): boolean;
}

export function makeBreaks(now: () => Date): Breaks {
  const list: Break[] = [];
  const checks = new Map<Rule, number>();
  return {
    list,
    checks,
    check(customer, rule, problem) {
      checks.set(rule, (checks.get(rule) ?? 0) + 1);
      if (!problem || list.some((one) => one.rule === rule && one.customer === customer.number)) return;
      list.push({ rule, day: now().toISOString(), customer: customer.number, what: problem });
      customer.story.push({ at: now(), what: `BROKEN: ${rule}: ${problem}` });
    },
    isEnough: () => list.length >= ENOUGH,
  };
}
