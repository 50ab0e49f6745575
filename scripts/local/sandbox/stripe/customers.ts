import type { World } from "./invoicing.ts";
import type { Customer, Interval, Metadata, Price } from "./objects.ts";

export interface CustomerFields {
  email?: string | undefined;
  phone?: string | undefined;
  name?: string | undefined;
  description?: string | undefined;
  metadata?: Metadata | "" | undefined;
}

/** Sends `customer.created`. */
export function createCustomer({ state, events }: World, fields: CustomerFields): Customer {
  const customer: Customer = {
    id: state.newId("cus_", 14),
    object: "customer",
    created: state.nowSeconds(),
    livemode: false,
    balance: 0,
    currency: null,
    delinquent: false,
    description: fields.description || null,
    email: fields.email || null,
    metadata: mergeMetadata({}, fields.metadata),
    name: fields.name || null,
    phone: fields.phone || null,
  };
  state.customers.set(customer.id, customer);
  events.emit("customer.created", customer);
  return customer;
}

/** Absent fields stay, an empty string clears. Sends `customer.updated`, unless nothing changed. */
export function updateCustomer({ events }: World, customer: Customer, fields: CustomerFields): Customer {
  const { metadata, ...texts } = fields;
  const next = { ...customer, metadata: mergeMetadata(customer.metadata, metadata) };
  if (texts.email !== undefined) next.email = texts.email || null;
  if (texts.phone !== undefined) next.phone = texts.phone || null;
  if (texts.name !== undefined) next.name = texts.name || null;
  if (texts.description !== undefined) next.description = texts.description || null;
  const previous: Record<string, unknown> = {};
  const now = new Map<string, unknown>(Object.entries(next));
  for (const [name, value] of Object.entries(customer)) {
    if (JSON.stringify(value) !== JSON.stringify(now.get(name))) previous[name] = value;
  }
  Object.assign(customer, next);
  if (Object.keys(previous).length > 0) events.emit("customer.updated", customer, previous);
  return customer;
}

/** Stripe merges metadata: an empty value removes its key, an empty string all of them. */
export function mergeMetadata(held: Metadata, given: Metadata | "" | undefined): Metadata {
  if (given === undefined) return held;
  if (given === "") return {};
  return Object.fromEntries(Object.entries({ ...held, ...given }).filter(([, value]) => value !== ""));
}

/** `amount` in cents; the interval is what one charge pays for. */
export interface PriceFields {
  id: string;
  interval: Interval;
  intervalCount: number;
  amount: number;
}

/** Sends `price.created`. */
export function addPrice({ state, events }: World, fields: PriceFields): Price {
  const price: Price = {
    id: fields.id,
    object: "price",
    created: state.nowSeconds(),
    livemode: false,
    active: true,
    currency: "usd",
    metadata: {},
    product: state.newId("prod_", 14),
    recurring: { interval: fields.interval, interval_count: fields.intervalCount, usage_type: "licensed" },
    type: "recurring",
    unit_amount: fields.amount,
  };
  state.prices.set(price.id, price);
  events.emit("price.created", price);
  return price;
}
