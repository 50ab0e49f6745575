import { addCard, type CardState } from "./cards.ts";
import type { World } from "./invoicing.ts";
import type { Customer, DeletedCustomer, Interval, Metadata, Price } from "./objects.ts";
import type { StripeState } from "./state.ts";
import { cancel } from "./subscriptions.ts";

export interface CustomerFields {
  email?: string | undefined;
  phone?: string | undefined;
  name?: string | undefined;
  description?: string | undefined;
  metadata?: Metadata | "" | undefined;
}

/** Sends `customer.created`. One made over the API has no card yet. */
export function createCustomer(
  { state, events }: World,
  fields: CustomerFields & { card?: CardState },
): Customer {
  const customer = newCustomer(state, fields);
  events.emit("customer.created", customer);
  return customer;
}

/** Without any event. */
export function newCustomer(
  state: StripeState,
  { card = "none", ...fields }: CustomerFields & { card?: CardState },
): Customer {
  const customer: Customer = {
    id: state.newId("cus_", 14),
    object: "customer",
    created: state.nowSeconds(),
    livemode: false,
    balance: 0,
    currency: null,
    default_source: null,
    delinquent: false,
    description: fields.description || null,
    email: fields.email || null,
    invoice_settings: { default_payment_method: null },
    metadata: mergeMetadata({}, fields.metadata),
    name: fields.name || null,
    phone: fields.phone || null,
  };
  state.customers.set(customer.id, customer);
  // The card's id follows from the customer's: no random number is drawn, so a seed gives the same ids with and without.
  addCard(state, customer, card, `pm_1${customer.id.slice("cus_".length)}`);
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

/** For ever. Its subscriptions end first. Sends `customer.subscription.deleted` for each and `customer.deleted`. */
export function deleteCustomer(world: World, customer: Customer): DeletedCustomer {
  const { state, events } = world;
  for (const subscription of state.subscriptions.group(customer.id).values()) {
    if (subscription.ended_at === null) cancel(world, subscription);
  }
  for (const { id } of [...state.paymentMethods.group(customer.id).values()]) state.paymentMethods.delete(id);
  const deleted: DeletedCustomer = { id: customer.id, object: "customer", deleted: true };
  state.customers.delete(customer.id);
  state.deletedCustomers.set(customer.id, deleted);
  events.emit("customer.deleted", customer);
  return deleted;
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

/** Sends `price.updated`. */
export function archivePrice({ events }: World, price: Price): Price {
  price.active = false;
  events.emit("price.updated", price, { active: true });
  return price;
}
