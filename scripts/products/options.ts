import { MOVES_PER_SECOND } from "../../src/shared/products/retirement.ts";
import { VendorError } from "../../src/shared/vendors/contract.ts";
import { isOfUnknownId } from "../../src/shared/vendors/stripe/errors.ts";
import {
  decimal,
  defineCommand,
  flag,
  type Option,
  type OptionsOf,
  sentenceOf,
  text,
  whole,
} from "../command.ts";

export const FREQUENCY = defineCommand(
  "npm run product:frequency",
  "Shows and draws the keys in use at Stripe and at the pharmacy, as last counted.",
  {
    out: text("FILE.svg", "where the picture goes", ".clockwork/product-frequency.svg"),
    json: flag("print the keys as JSON"),
    sample: flag("of the sandbox clinic, after a month"),
  },
  { explain: sentenceOf },
);

export const RETIRE = defineCommand(
  "npm run product:retire",
  "Moves the subscribers of a retired Stripe price to the supported one. A dry run without --apply.",
  {
    from: price("retired price"),
    to: price("supported price"),
    apply: flag("mark the price as retired and have them moved"),
    limit: whole("subscriptions at most", { from: 1, usual: null }),
    pace: decimal("moves a second", { above: 0, to: 20, usual: MOVES_PER_SECOND }),
    json: flag("print the preview or the report as JSON"),
  },
  { explain },
);
export type RetireOptions = OptionsOf<typeof RETIRE>;

function price(which: string): Option<string> {
  return {
    means: `the id of a price of Stripe's`,
    takes: which,
    isOperand: true,
    read([id, ...more]) {
      if (id === undefined || more.length > 0) {
        throw new Error("Two prices are needed: the retired one and the one that replaces it.");
      }
      if (!/^\w{1,200}$/.test(id)) throw new Error(`${id} is not a price of Stripe's`);
      return id;
    },
  };
}

function explain(error: unknown): string {
  if (!(error instanceof VendorError)) return sentenceOf(error);
  return isOfUnknownId(error)
    ? "Stripe does not have one of these prices. Is it the right account?"
    : `${error.message}. Nothing was lost: run the command again.`;
}
