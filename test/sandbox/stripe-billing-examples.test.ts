import { describe, expect, test } from "vitest";
import { type Example, openExample } from "./stripe-examples/example.ts";
import { PERIOD_EXAMPLES } from "./stripe-examples/periods.ts";
import { PRORATION_EXAMPLES } from "./stripe-examples/prorations.ts";
import { SCHEDULE_EXAMPLES } from "./stripe-examples/schedules.ts";

// What Stripe's documents work out about billing, the sandbox works out.
const EXAMPLES: readonly Example[] = [...PRORATION_EXAMPLES, ...PERIOD_EXAMPLES, ...SCHEDULE_EXAMPLES];

describe("as in Stripe's documents", () => {
  test.each(EXAMPLES.map((example) => [example.title, example.says, example] as const))(
    "%s: %s",
    (_title, _says, { play, expected }) => {
      expect(play(openExample())).toEqual(expected);
    },
  );
});
