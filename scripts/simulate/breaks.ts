import type { Customer } from "./customer.ts";

/** The rules, in the order they are reported, and what is counted for each. */
export const RULES = [
  "nobody comes near a gap without a contact or an open row for a person",
  "never two campaigns for one cycle",
  "nobody is asked before it is time",
  "nobody paused or cancelled is contacted",
  "nobody paused or cancelled is charged",
  "what a customer paused stays paused",
  "billing goes on when there is a prescription",
  "a campaign ends when its renewal does",
  "a person knows what to do",
] as const;
export type Rule = (typeof RULES)[number];

/** An invariant that did not hold: which, when, whose. */
export interface Break {
  rule: Rule;
  /** The moment, ISO. */
  day: string;
  customer: number;
  what: string;
}

/** More than these tell nothing new. */
const ENOUGH = 10;

export interface Breaks {
  list: Break[];
  /** A rule that was looked at, whether it held or not: a run without looks proves nothing. */
  looked(rule: Rule): void;
  looks: Map<Rule, number>;
  add(customer: Customer, rule: Rule, what: string): void;
  /** True when it is time to stop. */
  isEnough(): boolean;
}

export function makeBreaks(now: () => Date): Breaks {
  const list: Break[] = [];
  const seen = new Set<string>();
  const looks = new Map<Rule, number>();
  return {
    list,
    looks,
    looked: (rule) => void looks.set(rule, (looks.get(rule) ?? 0) + 1),
    add(customer, rule, what) {
      const key = `${customer.number} ${rule}`;
      if (seen.has(key)) return;
      seen.add(key);
      const day = now().toISOString();
      list.push({ rule, day, customer: customer.number, what });
      customer.story.push({ at: now(), what: `BROKEN: ${rule}: ${what}` });
    },
    isEnough: () => list.length >= ENOUGH,
  };
}
