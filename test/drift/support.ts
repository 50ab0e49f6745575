import { sql } from "kysely";
import { planOf } from "../../src/shared/owners/plan.ts";
import { PRICES } from "../../scripts/local/clinic.ts";
import { addTask } from "../support/act.ts";
import type { World } from "../support/world.ts";

/** A customer who was there before anybody listened: at Stripe, in the CRM, with a login, all in step. */
export interface Member {
  customerId: number;
  stripeCustomerId: string;
  subscriptionId: string;
  crmPersonId: string;
  loginUserId: string;
  email: string;
  phone: string;
}

const PRICE = "price_morning_month";
const ZONE = "America/New_York";

/** `count` customers without a single event or API call. */
export async function crowd(world: World, count: number): Promise<Member[]> {
  const { stripe, crm, login } = world.vendors;
  for (const { id, interval, intervalCount, amount } of PRICES) {
    if (!stripe.state.prices.has(id)) stripe.addPrice({ id, interval, intervalCount, amount });
  }
  const made = Array.from({ length: count }, (_, n) => {
    const [email, phone] = [`member.${n}@example.com`, `+1859444${String(n).padStart(4, "0")}`];
    const { customer, subscription } = stripe.importCustomer({ email, phone, priceId: PRICE });
    if (!subscription) throw new Error("no subscription");
    const ends = subscription.items.data.map((item) => item.current_period_end);
    const plan = planOf([{
      id: subscription.id,
      customerId: customer.id,
      status: "active",
      collectionPaused: false,
      cancelAtPeriodEnd: false,
      createdAt: world.now(),
      endedAt: null,
      metadata: {},
      nextRefillAt: new Date(Math.min(...ends) * 1000),
      items: [],
    }], ZONE);
    const crmPersonId = `member-${n}`;
    crm.importPerson(crmPersonId, {
      email,
      phone,
      plan_state: plan.planState,
      next_refill_on: plan.nextRefillOn,
    });
    return {
      stripeCustomerId: customer.id,
      subscriptionId: subscription.id,
      crmPersonId,
      loginUserId: login.signUp(email),
      email,
      phone,
    };
  });
  const members: Member[] = [];
  for (let from = 0; from < count; from += 500) {
    const some = made.slice(from, from + 500);
    const rows = await world.db.insertInto("registry.customers")
      .values(some.map((one) => ({
        email: one.email,
        stripe_customer_id: one.stripeCustomerId,
        crm_person_id: one.crmPersonId,
        login_user_id: one.loginUserId,
      })))
      .returning(["id", "crm_person_id"]).execute();
    const ids = new Map(rows.map((row) => [row.crm_person_id, row.id]));
    members.push(...some.map((one) => ({ ...one, customerId: ids.get(one.crmPersonId) ?? 0 })));
  }
  return members;
}

/** Both passes of a night, and the second looks a quarter of an hour later. */
export async function night(world: World): Promise<void> {
  await addTask(world.db, "drift.customers", {}, "stripe");
  await addTask(world.db, "drift.logins", {}, "login");
  await world.settle();
  await world.pass({ minutes: 16 });
  await world.settle();
}

export async function nextNight(world: World): Promise<void> {
  await world.pass({ hours: 24 });
  await night(world);
}

/** Inside the CRM somebody changes what it only mirrors: no event tells of it. */
export function editPlan(world: World, person: string, plan: Record<string, string | null>): void {
  const { people } = world.vendors.crm;
  const at = Math.floor(world.now().getTime() / 1000);
  for (const [name, value] of Object.entries(plan)) people.get(person)?.attributes.set(name, { value, at });
}

export async function profile(world: World, { crmPersonId }: Pick<Member, "crmPersonId">) {
  return (await world.deps.vendors.crm.readProfiles([crmPersonId])).get(crmPersonId);
}

export async function rows(world: World, query: string): Promise<Record<string, unknown>[]> {
  return (await sql.raw<Record<string, unknown>>(query).execute(world.db)).rows;
}

/** The latest runs, Stripe's first. */
export async function checks(world: World, vendor = "stripe") {
  return await rows(world, `select * from ops.checks where vendor = '${vendor}' order by started_at desc`);
}

/** Every API call that wrote something at a vendor: what an echo or a needless repair would add to. */
export function writes(world: World): number {
  const { stripe, crm, login } = world.vendors;
  const count = (calls: ReadonlyMap<string, number>, names: readonly string[]) =>
    names.reduce((sum, name) => sum + (calls.get(name) ?? 0), 0);
  return count(stripe.faults.calls, ["update customer", "update subscription", "create subscription"]) +
    count(crm.faults.calls, ["update person", "send event", "batch"]) +
    count(login.faults.calls, ["update user"]);
}
