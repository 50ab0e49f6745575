import { type Answers, askHealthRecord } from "../prescriptions/ask-health.ts";
import type { AtPharmacy, InFlight } from "../prescriptions/coverage.ts";
import { isActive } from "../prescriptions/standing.ts";
import { CREATE_ORDER } from "../orders/orders.ts";
import type { StepContext } from "../queue/step.ts";
import type { StripeSubscription } from "../vendors/stripe/client.ts";

/** What looking at a page of subscriptions needs besides them, read at once for all. */
export interface RefillContext extends Answers {
  timeZone: string;
  /** By Stripe customer id, former ones too. */
  customers: ReadonlyMap<string, RefillCustomer>;
  /** By Stripe price. */
  products: ReadonlyMap<string, RefillProduct>;
  /** Active refills of the customer for the product besides this one. */
  refillsOf(customerId: number, productId: number, besides: string): OtherRefill[];
  /** By customer: orders at the pharmacy whose fill the health record may not have counted yet. */
  inFlight: ReadonlyMap<number, InFlight[]>;
  /** By customer and product: the days on which fills that are paid for are due. */
  waiting: ReadonlyMap<number, ReadonlyMap<number, Date[]>>;
  /** By customer: orders that may be at the pharmacy and do not say so here yet. It may have counted their fills. */
  beingPlaced: ReadonlyMap<number, number>;
  /** Changes whenever one of the orders above does. */
  ordersSeen: string;
}

export interface RefillCustomer {
  id: number;
  health_patient_id: string | null;
  pharmacy_patient_id: string | null;
}

export interface RefillProduct {
  productId: number;
  fillsPerCharge: number;
  leadDays: number;
  codes: ReadonlySet<string>;
}

/** A refill that uses the same fills. */
export interface OtherRefill {
  subscriptionItemId: string;
  subscriptionId: string;
}

/** @param isDecidedByPrescription subscriptions whose patients' prescriptions are read */
export async function readContext(
  ctx: StepContext,
  subscriptions: readonly StripeSubscription[],
  isDecidedByPrescription: (subscription: StripeSubscription) => boolean,
): Promise<RefillContext> {
  const { customers, timeZone } = await readCustomers(ctx, subscriptions);
  const products = await readProducts(ctx, subscriptions);
  const ids = [...customers.values()].map(({ id }) => id);
  const decided = subscriptions.filter(isDecidedByPrescription);
  const patients = new Set(
    decided.flatMap(({ customerId }) => customers.get(customerId)?.health_patient_id ?? []),
  );
  return {
    timeZone,
    customers,
    products,
    refillsOf: await readOtherRefills(ctx, ids, subscriptions, decided, customers, products),
    ...(await readOrders(ctx, ids)),
    // Last, so that a fill made meanwhile is rather counted than missed.
    ...(await askHealthRecord(ctx, [...patients])),
  };
}

/** What is being looked at tells it fresh; of what is not, the last look does. */
async function readOtherRefills(
  ctx: StepContext,
  customerIds: readonly number[],
  subscriptions: readonly StripeSubscription[],
  decided: readonly StripeSubscription[],
  customers: RefillContext["customers"],
  products: RefillContext["products"],
): Promise<RefillContext["refillsOf"]> {
  const refills = new Map<string, OtherRefill[]>();
  const add = (customerId: number, productId: number, refill: OtherRefill) => {
    const key = `${customerId}:${productId}`;
    refills.set(key, [...(refills.get(key) ?? []), refill]);
  };
  for (const { id: subscriptionId, customerId, items } of decided) {
    const customer = customers.get(customerId);
    for (const item of items) {
      const product = products.get(item.priceId);
      if (!customer || !product || product.fillsPerCharge === 0) continue;
      add(customer.id, product.productId, { subscriptionItemId: item.id, subscriptionId });
    }
  }
  const looked = new Set(subscriptions.map(({ id }) => id));
  const rows = customerIds.length === 0 ? [] : await ctx.deps.db
    .selectFrom("tracker.refills")
    .select(["subscription_item_id", "subscription_id", "customer_id", "product_id"])
    .where("customer_id", "in", [...customerIds])
    .where("finding", "not in", ["INACTIVE", "PAUSED", "ENDING"])
    .execute();
  for (const row of rows) {
    if (looked.has(row.subscription_id) || row.customer_id === null || row.product_id === null) continue;
    add(row.customer_id, row.product_id, {
      subscriptionItemId: row.subscription_item_id,
      subscriptionId: row.subscription_id,
    });
  }
  return (customerId, productId, besides) =>
    (refills.get(`${customerId}:${productId}`) ?? []).filter((one) => one.subscriptionItemId !== besides);
}

/** The customers, and the zone in which the days of their prescriptions end. */
async function readCustomers(
  ctx: StepContext,
  subscriptions: readonly StripeSubscription[],
): Promise<{ customers: Map<string, RefillCustomer>; timeZone: string }> {
  const keys = [...new Set(subscriptions.map(({ customerId }) => customerId))];
  const rows = keys.length === 0 ? [] : await ctx.deps.db
    .selectFrom("registry.customer_keys as known")
    .innerJoin("registry.customers as customer", "customer.id", "known.customer_id")
    .innerJoin("clockwork.settings as settings", (join) => join.onTrue())
    .select([
      "known.key",
      "customer.id",
      "customer.health_patient_id",
      "customer.pharmacy_patient_id",
      "settings.pharmacy_time_zone",
    ])
    .where("known.system", "=", "stripe")
    .where("known.key", "in", keys)
    .execute();
  const customers = new Map<string, RefillCustomer>();
  for (const { key, id, health_patient_id, pharmacy_patient_id } of rows) {
    if (key) customers.set(key, { id, health_patient_id, pharmacy_patient_id });
  }
  // Without a customer nothing is prescribed, and no day ends.
  return { customers, timeZone: rows[0]?.pharmacy_time_zone ?? "UTC" };
}

async function readProducts(ctx: StepContext, subscriptions: readonly StripeSubscription[]) {
  const prices = [...new Set(subscriptions.flatMap(({ items }) => items.map(({ priceId }) => priceId)))];
  const products = new Map<string, RefillProduct>();
  if (prices.length === 0) return products;
  const rows = await ctx.deps.db
    .selectFrom("registry.product_keys as price")
    .innerJoin("registry.products as product", "product.id", "price.product_id")
    .leftJoin(
      "registry.product_keys as code",
      (join) => join.onRef("code.product_id", "=", "price.product_id").on("code.system", "=", "rxnorm"),
    )
    .select([
      "price.key",
      "price.product_id",
      "price.fills_per_charge",
      "product.renewal_lead_days",
      "code.key as code",
    ])
    .where("price.system", "=", "stripe_price")
    .where("price.key", "in", prices)
    .execute();
  const codes = new Map<string, Set<string>>();
  for (const row of rows) {
    const known = codes.get(row.key) ?? new Set();
    codes.set(row.key, known);
    if (row.code) known.add(row.code);
    products.set(row.key, {
      productId: row.product_id,
      fillsPerCharge: row.fills_per_charge ?? 0,
      leadDays: row.renewal_lead_days,
      codes: known,
    });
  }
  return products;
}

async function readOrders(ctx: StepContext, customerIds: readonly number[]) {
  const inFlight = new Map<number, InFlight[]>();
  const waiting = new Map<number, Map<number, Date[]>>();
  const beingPlaced = new Map<number, number>();
  const orders = await readOpenOrders(ctx, customerIds);
  for (const order of orders) {
    if (order.state === "PLACED" || order.state === "FILLING") {
      if (!order.prescription_id) continue;
      const placed = { prescriptionId: order.prescription_id, placedAt: order.placed_at ?? order.created_at };
      inFlight.set(order.customer_id, [...(inFlight.get(order.customer_id) ?? []), placed]);
    } else if (order.create_state) {
      // It was sent under a prescription that was found valid: it asks for nothing more.
      beingPlaced.set(order.customer_id, (beingPlaced.get(order.customer_id) ?? 0) + 1);
    } else {
      const ofCustomer = waiting.get(order.customer_id) ?? new Map<number, Date[]>();
      waiting.set(order.customer_id, ofCustomer);
      ofCustomer.set(order.product_id, [...(ofCustomer.get(order.product_id) ?? []), order.fill_on]);
    }
  }
  const ordersSeen = JSON.stringify(
    orders.map(({ id, state, create_state, prescription_id }) => [id, state, create_state, prescription_id]),
  );
  return { inFlight, waiting, beingPlaced, ordersSeen };
}

async function readOpenOrders(ctx: StepContext, customerIds: readonly number[]) {
  if (customerIds.length === 0) return [];
  return await ctx.deps.db
    .selectFrom("tracker.orders as orders")
    .leftJoin(
      "clockwork.effects as effects",
      (join) =>
        join.onRef("effects.key", "=", "orders.reference").on("effects.vendor", "=", "pharmacy")
          .on("effects.operation", "=", CREATE_ORDER).on("effects.state", "<>", "REFUSED"),
    )
    .select([
      "orders.id",
      "orders.customer_id",
      "orders.product_id",
      "orders.state",
      "orders.fill_on",
      "orders.prescription_id",
      "orders.placed_at",
      "orders.created_at",
      "effects.state as create_state",
    ])
    .where("orders.customer_id", "in", [...customerIds])
    .where("orders.state", "in", [
      "READY",
      "AWAITING_PRESCRIPTION",
      "AWAITING_SUBSCRIPTION",
      "PLACED",
      "FILLING",
    ])
    .where("orders.cancel_requested_at", "is", null)
    .orderBy("orders.id")
    .execute();
}

/** True when an order of these customers moved since `context` was read, so that what it says does not fit together. */
export async function ordersMovedSince(ctx: StepContext, context: RefillContext): Promise<boolean> {
  const ids = [...context.customers.values()].map(({ id }) => id);
  return (await readOrders(ctx, ids)).ordersSeen !== context.ordersSeen;
}

/** What the pharmacy has of each of the customer's active prescriptions. */
export async function askPharmacyAbout(
  ctx: StepContext,
  context: RefillContext,
  stripeCustomerId: string,
): Promise<Map<string, AtPharmacy>> {
  const found = new Map<string, AtPharmacy>();
  const customer = context.customers.get(stripeCustomerId);
  if (!customer?.health_patient_id || !customer.pharmacy_patient_id) return found;
  for (const prescription of context.prescriptions.get(customer.health_patient_id) ?? []) {
    if (!isActive(prescription)) continue;
    const held = await ctx.vendors.pharmacy.findPrescription({
      patientId: customer.pharmacy_patient_id,
      reference: prescription.id,
    });
    if (!held) continue;
    // What is being placed may be counted there and is not counted here: it must not be missed twice.
    const mayBeCounted = context.beingPlaced.get(customer.id) ?? 0;
    // One that the pharmacy ended fills nothing, whatever was left of it.
    const isEnded = !held.active && held.fillsRemaining !== 0;
    const left = isEnded ? 0 : held.fillsRemaining === null ? null : held.fillsRemaining + mayBeCounted;
    found.set(prescription.id, { left, lastDay: held.lastDay });
  }
  return found;
}
