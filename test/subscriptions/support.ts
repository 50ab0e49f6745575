import { sql } from "kysely";
import { isoDay, type Person, type PriceId } from "../../scripts/sandbox/clinic.ts";
import type { CardState } from "../../scripts/sandbox/stripe/cards.ts";
import { makeWorld, type World } from "../support/world.ts";

export const MONTH: PriceId = "price_morning_month";

/** A clinic that sells the morning tablets by prescription, and a customer who has not been prescribed anything yet. */
export async function open(
  { card = "default", defaults = [MONTH] }: { card?: CardState; defaults?: readonly PriceId[] } = {},
) {
  const world = await makeWorld();
  await world.clinic.openShop([], defaults);
  const person = await world.clinic.signUp("Ada Example", undefined, card);
  await world.drainAll();
  return { world, person };
}

/** What is due is done, and what waits for the start's own moment is reached. */
export async function settleIn(world: World): Promise<void> {
  await world.drainAll();
  await world.pass({ minutes: 20 });
  await world.drainAll();
}

export const subscriptionsOf = (world: World, { stripeCustomerId }: Person) =>
  [...world.vendors.stripe.state.subscriptions.values()].filter(({ customer }) =>
    customer === stripeCustomerId
  );
export const charges = (world: World) =>
  [...world.vendors.stripe.state.charges.values()].filter(({ status }) => status === "succeeded");

export async function productId(world: World, name = "Morning tablets"): Promise<number> {
  const { id } = await world.db.selectFrom("registry.products").select("id").where("name", "=", name)
    .executeTakeFirstOrThrow();
  return id;
}

export async function without(world: World) {
  const { rows } = await sql<{ product: string; why: string; task_id: number | null }>`
    select product, why, task_id from ops.prescribed_without_subscription order by product`.execute(world.db);
  return rows;
}

export const findings = async (world: World) =>
  await world.db.selectFrom("tracker.first_prescriptions").selectAll().orderBy("customer_id").orderBy(
    "product_id",
  ).execute();

/** A morning prescription in the health record alone, on whatever terms. */
export function write(world: World, person: Person, terms: Record<string, unknown> = {}) {
  return world.vendors.health.writePrescription({
    patientId: person.healthPatientId,
    rxnorm: "1000001",
    drug: "CANARY-DRUG",
    repeats: 11,
    validUntil: isoDay(new Date(world.now().getTime() + 300 * 86_400_000)),
    daysSupply: 30,
    ...terms,
  });
}

/** When it says that it was written. */
export function backdate(world: World, id: string, days: number) {
  const prescription = world.vendors.health.state.prescriptions.get(id);
  if (!prescription) throw new Error("no such prescription");
  Object.assign(prescription, {
    authoredOn: new Date(world.now().getTime() - days * 86_400_000).toISOString(),
  });
}
