import { sql } from "kysely";
import { type Answers, askHealthRecord } from "../prescriptions/ask-health.ts";
import type { AtPharmacy } from "../prescriptions/coverage.ts";
import { isActive } from "../prescriptions/standing.ts";
import { CREATE_ORDER, isWithPharmacy, WAITING_STATES } from "../orders/orders.ts";
import { pharmacyZone } from "../queue/settings.ts";
import type { StepContext } from "../queue/step.ts";
import type { StripeSubscription } from "../vendors/stripe/client.ts";

/** Everything besides a page of subscriptions that its looks need, read at once for all. */
export interface RefillContext extends Answers {
  timeZone: string;
  /** By Stripe customer id, former ones too. */
  customers: ReadonlyMap<string, RefillCustomer>;
  /** By Stripe price. */
  products: ReadonlyMap<string, RefillProduct>;
  /** The customers' active refills: these subscriptions' as Stripe shows them, others as `tracker.refills` has them. */
  refills: readonly ActiveRefill[];
  /** The customers' orders that have not shipped and are not to be cancelled. */
  orders: readonly OpenOrder[];
}

interface RefillCustomer {
  id: number;
  health_patient_id: string | null;
  pharmacy_patient_id: string | null;
}

interface RefillProduct {
  productId: number;
  fillsPerCharge: number;
  leadDays: number;
  codes: ReadonlySet<string>;
}

interface ActiveRefill {
  customerId: number | null;
  productId: number | null;
  subscriptionItemId: string;
  subscriptionId: string;
}

type OpenOrder = Awaited<ReturnType<typeof readOrders>>[number];

/** @param isDecidedByPrescription subscriptions whose patients' prescriptions are read */
export async function readContext(
  ctx: StepContext,
  subscriptions: readonly StripeSubscription[],
  isDecidedByPrescription: (subscription: StripeSubscription) => boolean,
): Promise<RefillContext> {
  const customers = await readCustomers(ctx, subscriptions);
  const products = await readProducts(ctx, subscriptions);
  const decided = subscriptions.filter(isDecidedByPrescription);
  const patients = decided.flatMap(({ customerId }) => customers.get(customerId)?.health_patient_id ?? []);
  return {
    timeZone: await pharmacyZone(ctx.deps.db),
    customers,
    products,
    refills: [
      ...refillsIn(decided, customers, products),
      ...await readOtherRefills(ctx, subscriptions, customers),
    ],
    orders: await readOrders(ctx, customers),
    // Last: a fill made meanwhile is then counted, at worst twice, and never missed.
    ...(await askHealthRecord(ctx, [...new Set(patients)])),
  };
}

function refillsIn(
  subscriptions: readonly StripeSubscription[],
  customers: RefillContext["customers"],
  products: RefillContext["products"],
): ActiveRefill[] {
  return subscriptions.flatMap(({ id: subscriptionId, customerId, items }) =>
    items.flatMap((item): ActiveRefill[] => {
      const [customer, product] = [customers.get(customerId), products.get(item.priceId)];
      if (!customer || !product || product.fillsPerCharge === 0) return [];
      const { productId } = product;
      return [{ customerId: customer.id, productId, subscriptionItemId: item.id, subscriptionId }];
    })
  );
}

async function readOtherRefills(
  ctx: StepContext,
  subscriptions: readonly StripeSubscription[],
  customers: RefillContext["customers"],
): Promise<ActiveRefill[]> {
  return await ctx.deps.db
    .selectFrom("tracker.refills")
    .select(["customer_id as customerId", "product_id as productId"])
    .select(["subscription_item_id as subscriptionItemId", "subscription_id as subscriptionId"])
    .where(sql<boolean>`customer_id = any (${idsOf(customers)}::bigint[])`)
    .where(sql<boolean>`subscription_id <> all (${subscriptions.map(({ id }) => id)}::text[])`)
    .where("finding", "not in", ["INACTIVE", "PAUSED", "ENDING"])
    .execute();
}

function idsOf(customers: RefillContext["customers"]): number[] {
  return [...customers.values()].map(({ id }) => id);
}

async function readCustomers(ctx: StepContext, subscriptions: readonly StripeSubscription[]) {
  const rows = await ctx.deps.db
    .selectFrom("registry.customer_keys as known")
    .innerJoin("registry.customers as customer", "customer.id", "known.customer_id")
    .select(["known.key", "customer.id", "customer.health_patient_id", "customer.pharmacy_patient_id"])
    .where("known.system", "=", "stripe")
    .where(sql<boolean>`known.key = any (${subscriptions.map(({ customerId }) => customerId)}::text[])`)
    .execute();
  return new Map(rows.map(({ key, ...customer }) => [key ?? "", customer]));
}

async function readProducts(
  ctx: StepContext,
  subscriptions: readonly StripeSubscription[],
): Promise<Map<string, RefillProduct>> {
  const prices = subscriptions.flatMap(({ items }) => items.map(({ priceId }) => priceId));
  const rows = await ctx.deps.db
    .selectFrom("registry.product_keys as price")
    .innerJoin("registry.products as product", "product.id", "price.product_id")
    .select(["price.key", "price.product_id", "price.fills_per_charge", "product.renewal_lead_days"])
    .select(
      sql<string[]>`array(select code.key from registry.product_keys as code
        where code.product_id = price.product_id and code.system = 'rxnorm')`.as("codes"),
    )
    .where("price.system", "=", "stripe_price")
    .where(sql<boolean>`price.key = any (${prices}::text[])`)
    .execute();
  return new Map(rows.map((row) => [row.key, {
    productId: row.product_id,
    fillsPerCharge: row.fills_per_charge ?? 0,
    leadDays: row.renewal_lead_days,
    codes: new Set(row.codes),
  }]));
}

async function readOrders(ctx: StepContext, customers: RefillContext["customers"]) {
  return await ctx.deps.db
    .selectFrom("tracker.orders as orders")
    .leftJoin(
      "clockwork.effects as effects",
      (join) =>
        join.onRef("effects.key", "=", "orders.reference").on("effects.vendor", "=", "pharmacy")
          .on("effects.operation", "=", CREATE_ORDER).on("effects.state", "<>", "REFUSED"),
    )
    .select(["orders.id", "orders.customer_id", "orders.product_id", "orders.state", "orders.fill_on"])
    .select(["orders.prescription_id", "orders.placed_at", "orders.created_at"])
    .select("effects.state as create_state")
    .where(sql<boolean>`orders.customer_id = any (${idsOf(customers)}::bigint[])`)
    .where("orders.state", "in", [...WAITING_STATES, "PLACED", "FILLING"])
    .where("orders.cancel_requested_at", "is", null)
    .orderBy("orders.id")
    .execute();
}

/** A paid fill that still needs a prescription: nothing was sent for it. */
export function needsPrescription(order: OpenOrder): boolean {
  return !isWithPharmacy(order.state) && order.create_state === null;
}

/** True when an order of these customers moved since `context` was read: its parts do not fit together. */
export async function ordersMovedSince(ctx: StepContext, context: RefillContext): Promise<boolean> {
  const states = (orders: readonly OpenOrder[]) =>
    JSON.stringify(orders.map((one) => [one.id, one.state, one.create_state, one.prescription_id]));
  return states(await readOrders(ctx, context.customers)) !== states(context.orders);
}

/** The pharmacy's copies of the customer's active prescriptions, by the health record's id. */
export async function askPharmacyAbout(
  ctx: StepContext,
  context: RefillContext,
  stripeCustomerId: string,
): Promise<Map<string, AtPharmacy>> {
  const copies = new Map<string, AtPharmacy>();
  const customer = context.customers.get(stripeCustomerId);
  if (!customer?.health_patient_id || !customer.pharmacy_patient_id) return copies;
  // The pharmacy may count fills of creates under way, and the look does not: they must not be missed twice.
  const beingPlaced =
    context.orders.filter((one) =>
      one.customer_id === customer.id && !isWithPharmacy(one.state) && !needsPrescription(one)
    ).length;
  for (const prescription of context.prescriptions.get(customer.health_patient_id) ?? []) {
    if (!isActive(prescription)) continue;
    const copy = await ctx.vendors.pharmacy.findPrescription({
      patientId: customer.pharmacy_patient_id,
      reference: prescription.id,
    });
    if (!copy) continue;
    const { active, fillsAllowed, fillsRemaining, lastDay } = copy;
    // A copy that the pharmacy ended fills nothing, whatever is left of it.
    const isEnded = !active && fillsRemaining !== 0;
    const left = isEnded ? 0 : fillsRemaining === null ? null : fillsRemaining + beingPlaced;
    copies.set(prescription.id, { allowed: isEnded ? 0 : fillsAllowed, left, lastDay });
  }
  return copies;
}
