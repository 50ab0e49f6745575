import type { Account } from "./account.ts";
import type { Interval, Price, Recurring, RecurringPrice } from "./objects.ts";
import type { Tier } from "./state.ts";

/** `amount` in cents; one charge pays for `intervalCount` intervals. */
export interface PriceFields {
  id: string;
  interval: Interval;
  intervalCount: number;
  amount: number;
  /** `metered`: its items have no quantity, and are paid at the end of a period by what was used. */
  usage?: "licensed" | "metered";
  /** In place of `amount`: the price has no unit amount. */
  tiers?: Tier[];
}

/** Sends `price.created`. */
export function addPrice(account: Account, fields: PriceFields): RecurringPrice {
  const { interval, intervalCount, amount, usage = "licensed", tiers } = fields;
  if (tiers) account.state.tiers.set(fields.id, tiers);
  const recurring: Recurring = {
    interval,
    interval_count: intervalCount,
    meter: null,
    trial_period_days: null,
    usage_type: usage,
  };
  return create(account, {
    id: fields.id,
    billing_scheme: tiers ? "tiered" : "per_unit",
    recurring,
    tiers_mode: tiers ? "volume" : null,
    type: "recurring",
    unit_amount: tiers ? null : amount,
  });
}

/** A price for one payment. Sends `price.created`. */
export function addOneTimePrice(account: Account, { id, amount }: { id: string; amount: number }): Price {
  return create(account, {
    id,
    billing_scheme: "per_unit",
    recurring: null,
    tiers_mode: null,
    type: "one_time",
    unit_amount: amount,
  });
}

type Own = Pick<Price, "id" | "billing_scheme" | "recurring" | "tiers_mode" | "type" | "unit_amount">;

function create<Fields extends Own>({ state, events }: Account, fields: Fields) {
  const price = {
    object: "price" as const,
    created: state.nowSeconds(),
    livemode: state.livemode,
    active: true,
    currency: "usd",
    metadata: {},
    product: state.newId("prod_", 14),
    ...fields,
  };
  state.prices.add(price);
  events.emit("price.created", price);
  return price;
}

/** Sends `price.updated`. */
export function archivePrice({ events }: Account, price: Price): Price {
  price.active = false;
  events.emit("price.updated", price, { active: true });
  return price;
}
