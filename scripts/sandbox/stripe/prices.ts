import type { Account } from "./account.ts";
import type { Interval, Price } from "./objects.ts";

/** `amount` in cents; one charge pays for `intervalCount` intervals. */
export interface PriceFields {
  id: string;
  interval: Interval;
  intervalCount: number;
  amount: number;
}

/** Sends `price.created`. */
export function addPrice({ state, events }: Account, fields: PriceFields): Price {
  const price = state.prices.add({
    id: fields.id,
    object: "price",
    created: state.nowSeconds(),
    livemode: state.livemode,
    active: true,
    currency: "usd",
    metadata: {},
    product: state.newId("prod_", 14),
    recurring: { interval: fields.interval, interval_count: fields.intervalCount, usage_type: "licensed" },
    type: "recurring",
    unit_amount: fields.amount,
  });
  events.emit("price.created", price);
  return price;
}

/** Sends `price.updated`. */
export function archivePrice({ events }: Account, price: Price): Price {
  price.active = false;
  events.emit("price.updated", price, { active: true });
  return price;
}
