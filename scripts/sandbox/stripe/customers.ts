import { addCard, type CardState } from "./cards.ts";
import type { Account } from "./account.ts";
import type { Customer, DeletedCustomer, Metadata } from "./objects.ts";
import { mergeMetadata } from "./params.ts";
import type { StripeState } from "./state.ts";
import { cancel } from "./endings.ts";

export interface CustomerFields {
  email?: string | undefined;
  phone?: string | undefined;
  name?: string | undefined;
  description?: string | undefined;
  metadata?: Metadata | "" | undefined;
}

/** Sends `customer.created`. A customer made over the API has no card yet. */
export function createCustomer(
  { state, events }: Account,
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
  const customer = state.customers.add({
    ...state.fresh("customer", "cus_", 14),
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
  });
  // The card's id follows from the customer's, without a random number: a seed gives the same ids with and without.
  addCard(state, customer, card, `pm_1${customer.id.slice("cus_".length)}`);
  return customer;
}

/** Absent fields stay, an empty string clears. Sends `customer.updated`, unless nothing changed. */
export function updateCustomer({ events }: Account, customer: Customer, fields: CustomerFields): Customer {
  const next = { ...customer, metadata: mergeMetadata(customer.metadata, fields.metadata) };
  for (const name of ["email", "phone", "name", "description"] as const) {
    const text = fields[name];
    if (text !== undefined) next[name] = text || null;
  }
  const now = new Map<string, unknown>(Object.entries(next));
  const changed = Object.entries(customer)
    .filter(([name, value]) => JSON.stringify(value) !== JSON.stringify(now.get(name)));
  Object.assign(customer, next);
  if (changed.length > 0) events.emit("customer.updated", customer, Object.fromEntries(changed));
  return customer;
}

/** For ever. Its subscriptions end first. Sends `customer.subscription.deleted` for each and `customer.deleted`. */
export function deleteCustomer(account: Account, customer: Customer): DeletedCustomer {
  const { state, events } = account;
  for (const subscription of state.subscriptions.group(customer.id).values()) {
    if (subscription.ended_at === null) cancel(account, subscription);
  }
  for (const { id } of [...state.paymentMethods.group(customer.id).values()]) state.paymentMethods.delete(id);
  const deleted: DeletedCustomer = { id: customer.id, object: "customer", deleted: true };
  state.customers.delete(customer.id);
  state.deletedCustomers.set(customer.id, deleted);
  events.emit("customer.deleted", customer);
  return deleted;
}
