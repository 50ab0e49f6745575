import { createCustomer, deleteCustomer, updateCustomer } from "./customers.ts";
import { noSuch } from "./errors.ts";
import type { World } from "./invoicing.ts";
import { choose, createdParam, createdWithin } from "./lists.ts";
import { expand, is, metadata, text } from "./params.ts";
import type { StripeRouter } from "./router.ts";

export function addCustomerRoutes(router: StripeRouter, world: World): void {
  const { customers, deletedCustomers, paymentMethods, checkoutSessions, prices } = world.state;
  const need = (id: string, param = "id", status = 404) => {
    const customer = customers.get(id);
    if (!customer) throw noSuch("customer", id, param, status);
    return customer;
  };
  const fields = { email: text, phone: text, name: text, description: text, metadata, expand };
  router.route("POST", "/v1/customers", "create customer", fields, (params) => createCustomer(world, params));
  router.route(
    "POST",
    "/v1/customers/:id",
    "update customer",
    fields,
    (params, id) => updateCustomer(world, need(id), params),
  );
  router.route(
    "DELETE",
    "/v1/customers/:id",
    "delete customer",
    {},
    (_params, id) => deleteCustomer(world, need(id)),
  );
  router.route(
    "GET",
    "/v1/customers/:id",
    "get customer",
    { expand },
    (_params, id) => deletedCustomers.get(id) ?? need(id),
  );
  router.lister(
    "/v1/customers",
    "customer",
    "list customers",
    { email: text, created: createdParam },
    ({ email, created }) =>
      choose(customers, {
        where: (customer) => is(customer.email, email) && createdWithin(customer.created, created),
      }),
  );
  router.lister(
    "/v1/customers/:id/payment_methods",
    "payment method",
    "list payment methods",
    { type: text },
    ({ type }, id) =>
      choose(paymentMethods.group(need(id, "customer").id), {
        where: (method) => is(method.type, type),
      }),
  );
  router.lister(
    "/v1/payment_methods",
    "payment method",
    "list payment methods",
    { customer: text, type: text },
    // Without a customer Stripe lists its own account's methods: there are none.
    ({ customer, type }) =>
      choose(paymentMethods.group(customer === undefined ? "" : need(customer, "customer", 400).id), {
        where: (method) => is(method.type, type),
      }),
  );
  router.getter("/v1/payment_methods", "payment method", paymentMethods);
  router.getter("/v1/prices", "price", prices);
  router.getter("/v1/checkout/sessions", "checkout session", checkoutSessions);
}
