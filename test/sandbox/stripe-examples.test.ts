import { describe, expect, test } from "vitest";
import { CREDIT_NOTES } from "./stripe-examples/credit-notes.ts";
import { type Example, openExample } from "./stripe-examples/example.ts";
import { PAYMENTS } from "./stripe-examples/payments.ts";
import { PERIOD_EXAMPLES } from "./stripe-examples/periods.ts";
import { PRORATION_EXAMPLES } from "./stripe-examples/prorations.ts";
import { SCHEDULE_EXAMPLES } from "./stripe-examples/schedules.ts";
import { TAX } from "./stripe-examples/tax.ts";

// What Stripe's documents work out, the sandbox works out: each file holds the cases of one subject.
const EXAMPLES: readonly Example[] = [
  ...TAX,
  ...CREDIT_NOTES,
  ...PAYMENTS,
  ...PRORATION_EXAMPLES,
  ...PERIOD_EXAMPLES,
  ...SCHEDULE_EXAMPLES,
];

describe("as in Stripe's documents", () => {
  test.each(EXAMPLES.map((example) => [example.title, example.says, example] as const))(
    "%s: %s",
    (_title, _says, { play, expected }) => {
      expect(play(openExample())).toEqual(expected);
    },
  );
});
