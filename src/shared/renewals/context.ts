import type { InFlight } from "./coverage.ts";
import type { StepContext } from "../queue/step.ts";
import type { Prescription } from "../vendors/contract.ts";
import type { StripeSubscription } from "../vendors/stripe/client.ts";

/** What looking at a page of subscriptions needs besides them, read at once for all. */
export interface RefillContext {
  timeZone: string;
  /** By Stripe customer id, former ones too. */
  customers: ReadonlyMap<string, RefillCustomer>;
  /** By Stripe price. */
  products: ReadonlyMap<string, RefillProduct>;
  /** By patient. */
  prescriptions: ReadonlyMap<string, Prescription[]>;
  /** By customer: orders at the pharmacy whose fill the health record may not have counted yet. */
  inFlight: ReadonlyMap<number, InFlight[]>;
  /** By customer and product: the days on which fills that are paid for are due. */
  waiting: ReadonlyMap<number, ReadonlyMap<number, Date[]>>;
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

/** @param isDecidedByPrescription subscriptions whose patients' prescriptions are read */
export async function readContext(
  ctx: StepContext,
  subscriptions: readonly StripeSubscription[],
  isDecidedByPrescription: (subscription: StripeSubscription) => boolean,
): Promise<RefillContext> {
  const { db } = ctx.deps;
  const { pharmacy_time_zone: timeZone } = await db.selectFrom("clockwork.settings")
    .select("pharmacy_time_zone").executeTakeFirstOrThrow();
  const customers = await readCustomers(ctx, subscriptions);
  const products = await readProducts(ctx, subscriptions);
  const ids = [...customers.values()].map(({ id }) => id);
  const patients = new Set(
    subscriptions.filter(isDecidedByPrescription).flatMap(({ customerId }) =>
      customers.get(customerId)?.health_patient_id ?? []
    ),
  );
  return {
    timeZone,
    customers,
    products,
    ...(await readOrders(ctx, ids)),
    // Last, so that a fill made meanwhile is rather counted than missed.
    prescriptions: patients.size > 0
      ? await ctx.vendors.health.listPrescriptionsOf([...patients])
      : new Map<string, Prescription[]>(),
  };
}

async function readCustomers(ctx: StepContext, subscriptions: readonly StripeSubscription[]) {
  const keys = [...new Set(subscriptions.map(({ customerId }) => customerId))];
  if (keys.length === 0) return new Map<string, RefillCustomer>();
  const rows = await ctx.deps.db
    .selectFrom("registry.customer_keys as known")
    .innerJoin("registry.customers as customer", "customer.id", "known.customer_id")
    .select(["known.key", "customer.id", "customer.health_patient_id", "customer.pharmacy_patient_id"])
    .where("known.system", "=", "stripe")
    .where("known.key", "in", keys)
    .execute();
  return new Map(rows.flatMap(({ key, ...customer }) => key ? [[key, customer] as const] : []));
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
  if (customerIds.length === 0) return { inFlight, waiting };
  const orders = await ctx.deps.db
    .selectFrom("tracker.orders")
    .select(["customer_id", "product_id", "state", "fill_on", "prescription_id", "placed_at", "created_at"])
    .where("customer_id", "in", [...customerIds])
    .where("state", "in", ["READY", "AWAITING_PRESCRIPTION", "AWAITING_SUBSCRIPTION", "PLACED", "FILLING"])
    .where("cancel_requested_at", "is", null)
    .execute();
  for (const order of orders) {
    if (order.state !== "PLACED" && order.state !== "FILLING") {
      const ofCustomer = waiting.get(order.customer_id) ?? new Map<number, Date[]>();
      waiting.set(order.customer_id, ofCustomer);
      ofCustomer.set(order.product_id, [...(ofCustomer.get(order.product_id) ?? []), order.fill_on]);
    } else if (order.prescription_id) {
      const placed = { prescriptionId: order.prescription_id, placedAt: order.placed_at ?? order.created_at };
      inFlight.set(order.customer_id, [...(inFlight.get(order.customer_id) ?? []), placed]);
    }
  }
  return { inFlight, waiting };
}

/** Fills left of each of the customer's active prescriptions, as the pharmacy counts them. */
export async function fillsAtPharmacyOf(
  ctx: StepContext,
  context: RefillContext,
  stripeCustomerId: string,
): Promise<Map<string, number>> {
  const left = new Map<string, number>();
  const customer = context.customers.get(stripeCustomerId);
  if (!customer?.health_patient_id || !customer.pharmacy_patient_id) return left;
  for (const { id, status } of context.prescriptions.get(customer.health_patient_id) ?? []) {
    if (status !== "active") continue;
    const held = await ctx.vendors.pharmacy.findPrescription({
      patientId: customer.pharmacy_patient_id,
      reference: id,
    });
    if (held && held.fillsRemaining !== null) left.set(id, held.fillsRemaining);
  }
  return left;
}
