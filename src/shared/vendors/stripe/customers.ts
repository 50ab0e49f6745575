import type Stripe from "stripe";
import { callStripe, nullIfMissing } from "./errors.ts";
import { PAGE_SIZE, readPage, whole } from "./pages.ts";
import { idOf, toCustomer } from "./reduce.ts";
import type { StripeCustomers } from "./types.ts";
import { wholeSubscriptions } from "./whole-subscription.ts";

export function makeCustomers(stripe: Stripe): StripeCustomers {
  return {
    getCustomer: (id) =>
      callStripe("get customer", async () => {
        const customer = await findCustomer(stripe, id);
        return customer && toCustomer(customer);
      }),

    updateCustomer: (id, { email, phone }) =>
      callStripe("update customer", async () => {
        await stripe.customers.update(id, {
          ...(email === undefined ? {} : { email: email ?? "" }),
          ...(phone === undefined ? {} : { phone: phone ?? "" }),
        });
      }),

    listCustomers: (cursor) =>
      callStripe("list customers", async () => {
        const { entries, next } = await readPage(cursor, (start) =>
          stripe.customers.list({ limit: PAGE_SIZE, expand: ["data.subscriptions"], ...start }));
        const customers = [];
        for (const customer of entries) {
          const subscriptions = customer.subscriptions === undefined ? [] : await whole(
            customer.subscriptions,
            () =>
              stripe.subscriptions.list({ customer: customer.id, limit: PAGE_SIZE }),
          );
          customers.push({
            ...toCustomer(customer),
            subscriptions: await wholeSubscriptions(stripe, subscriptions),
          });
        }
        return { entries: customers, next };
      }),

    hasPaymentMethod: (customerId) =>
      callStripe("get payment methods", async () => (await findPaymentMethod(stripe, customerId)) !== null),

    getPaymentMethodCustomer: (id) =>
      callStripe("get payment method", async () => {
        const method = await nullIfMissing(stripe.paymentMethods.retrieve(id));
        return idOf(method?.customer);
      }),
  };
}

/** Null for a customer that was deleted or never was. */
async function findCustomer(stripe: Stripe, id: string): Promise<Stripe.Customer | null> {
  const customer = await nullIfMissing(stripe.customers.retrieve(id));
  return customer?.deleted ? null : customer;
}

/**
 * The payment method for a new subscription: the customer's default, else the newest on file (Checkout leaves a card on
 * file without making it the default); null when there is none.
 */
export async function findPaymentMethod(
  stripe: Stripe,
  customerId: string,
): Promise<{ id: string; isDefault: boolean } | null> {
  const customer = await findCustomer(stripe, customerId);
  if (customer === null) return null;
  const preferred = idOf(customer.invoice_settings.default_payment_method) ?? idOf(customer.default_source);
  if (preferred !== null) return { id: preferred, isDefault: true };
  const { data: [newest] } = await stripe.customers.listPaymentMethods(customerId, { limit: 1 });
  return newest ? { id: newest.id, isDefault: false } : null;
}
