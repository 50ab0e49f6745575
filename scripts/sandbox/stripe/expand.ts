import { invalidRequest, type StripeApiError } from "./errors.ts";
import { listOf } from "./objects.ts";
import type { StripeState } from "./state.ts";
import { show } from "./wire.ts";

const MAX_DEPTH = 4;

/** References that can be replaced by their object, and the fields on the way to one. */
const EXPANDABLE = new Set([
  ...["charge", "customer", "invoice", "latest_charge", "latest_invoice", "payment_intent", "subscription"],
  ...["data", "items", "lines", "payment", "payments", "parent", "price", "pricing", "price_details"],
  ...["subscription_details", "refund", "refunds", "subscriptions", "invoice_settings"],
  ...[
    "default_payment_method",
    "balance_transaction",
    "failure_balance_transaction",
    "credit_note",
    "discounts",
    "line_items",
    "schedule",
  ],
]);

type Node = Record<string, unknown>;

/** Replaces ids in `answer` by their objects, along each path (`data.payment.payment_intent`). */
export function expandPaths(state: StripeState, answer: Node, paths: readonly string[]): void {
  for (const path of paths) {
    const names = path.split(".");
    if (names.length > MAX_DEPTH) {
      throw invalidRequest(
        `You cannot expand more than ${MAX_DEPTH} levels of a property. Property: ${path}`,
        { code: "property_expansion_max_depth" },
      );
    }
    if (names.some((name) => !EXPANDABLE.has(name))) throw cannotExpand(path);
    follow(state, answer, names, path);
  }
}

function follow(state: StripeState, node: Node, [name, ...rest]: string[], path: string): void {
  if (name === undefined) return;
  if (name === "payments" && node["object"] === "invoice" && node[name] === undefined) {
    const payments = state.paymentsOf(String(node["id"])).map(show);
    node[name] = listOf(`/v1/invoice_payments?invoice=${String(node["id"])}`, payments);
  }
  if (name === "refunds" && node["object"] === "charge") {
    const id = String(node["id"]);
    const refunds = listOf(
      `/v1/charges/${id}/refunds`,
      [...state.refunds.group(id).newestFirst()].map(show),
    );
    Object.assign(node, show({ refunds }));
  }
  if (name === "line_items" && node["object"] === "checkout.session") {
    const id = String(node["id"]);
    const lines = state.checkoutLines.get(id) ?? [];
    Object.assign(
      node,
      show({ line_items: listOf(`/v1/checkout/sessions/${id}/line_items`, lines.map(show)) }),
    );
  }
  if (name === "subscriptions" && node["object"] === "customer") {
    const id = String(node["id"]);
    const current = [...state.subscriptions.group(id).newestFirst()].filter(({ ended_at }) =>
      ended_at === null
    );
    const subscriptions = listOf(`/v1/customers/${id}/subscriptions`, current.map(show));
    Object.assign(node, show({ subscriptions }));
  }
  const whole = (id: string): Node => {
    const object = state.find(id);
    if (!object) throw cannotExpand(path);
    return show(object);
  };
  const value = node[name];
  if (typeof value === "string") node[name] = whole(value);
  if (Array.isArray(value)) {
    node[name] = value.map((entry) => typeof entry === "string" ? whole(entry) : entry);
  }
  const child = node[name];
  for (const entry of Array.isArray(child) ? child : [child]) {
    if (isNode(entry)) follow(state, entry, rest, path);
  }
}

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function cannotExpand(path: string): StripeApiError {
  return invalidRequest(`This property cannot be expanded (${path}).`, { param: "expand" });
}
