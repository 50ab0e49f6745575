import { sql } from "kysely";
import { importMember, type MemberKeys } from "../../scripts/sandbox/members.ts";
import { addTask } from "../support/act.ts";
import type { World } from "../support/world.ts";

export interface Member extends MemberKeys {
  customerId: number;
}

/** `count` customers who are in step everywhere, without a single event or API call. */
export async function crowd(world: World, count: number): Promise<Member[]> {
  const made = Array.from({ length: count }, (_, n) => importMember(world.vendors, n, world.now()));
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
  await world.drainAll();
  await world.pass({ minutes: 16 });
  await world.drainAll();
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
  return await rows(
    world,
    `select * from ops.checks where work = 'drift' and vendor = '${vendor}' order by started_at desc`,
  );
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
