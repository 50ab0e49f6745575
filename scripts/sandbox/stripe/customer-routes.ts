import { createCustomer, deleteCustomer, updateCustomer } from "./customers.ts";
import { need } from "./errors.ts";
import type { Account } from "./account.ts";
import { choose } from "./lists.ts";
import { expand, is, metadata, text } from "./params.ts";
import type { StripeRouter } from "./router.ts";

export function addCustomerRoutes(router: StripeRouter, account: Account): void {
  const { customers, deletedCustomers, paymentMethods, checkoutSessions, checkoutLines, prices } =
    account.state;
  const inPath = (id: string) => need(customers, "customer", id, "id", 404);
  const fields = { email: text, phone: text, name: text, description: text, metadata, expand };
  router.route(
    "POST",
    "/v1/customers",
    "create customer",
    fields,
    (params) => createCustomer(account, params),
  );
  router.route(
    "POST",
    "/v1/customers/:id",
    "update customer",
    fields,
    (params, id) => updateCustomer(account, inPath(id), params),
  );
  router.route(
    "DELETE",
    "/v1/customers/:id",
    "delete customer",
    {},
    (_params, id) => deleteCustomer(account, inPath(id)),
  );
  router.route(
    "GET",
    "/v1/customers/:id",
    "get customer",
    { expand },
    (_params, id) => deletedCustomers.get(id) ?? inPath(id),
  );
  router.collection("/v1/customers", "customer", customers, ["email"]);
  router.lister(
    "/v1/customers/:id/payment_methods",
    "payment method",
    { type: text },
    ({ type }, id) =>
      choose(paymentMethods.group(need(customers, "customer", id, "customer", 404).id), {
        where: (method) => is(method.type, type),
      }),
  );
  router.lister("/v1/payment_methods", "payment method", { customer: text, type: text }, (params) => {
    const { customer, type } = params;
    // Without a customer Stripe lists its own account's methods: there are none.
    const group = customer === undefined ? "" : need(customers, "customer", customer, "customer").id;
    return choose(paymentMethods.group(group), { where: (method) => is(method.type, type) });
  });
  router.getter("/v1/payment_methods", "payment method", paymentMethods);
  router.getter("/v1/prices", "price", prices);
  router.getter("/v1/checkout/sessions", "checkout session", checkoutSessions);
  router.collection("/v1/checkout/sessions", "checkout session", checkoutSessions, [
    "customer",
    "payment_intent",
    "subscription",
  ]);
  router.lister(
    "/v1/checkout/sessions/:id/line_items",
    "item",
    {},
    (_params, id) =>
      checkoutLines.get(need(checkoutSessions, "checkout session", id, "session", 404).id) ?? [],
    "list checkout lines",
  );
}
