import { expect, test } from "vitest";
import { addTask, stopped } from "../support/act.ts";
import { countFaultPoints, killAt } from "../support/kill.ts";
import { makeWorld, type World } from "../support/world.ts";
import { recover } from "../proof/stories.ts";
import { checks, crowd, editPlan, type Member, profile, rows } from "./support.ts";

const STRIDE = process.env["CLOCKWORK_EVERY_POINT"] ? 1 : 7;

async function scene(): Promise<{ world: World; member: Member }> {
  const world = await makeWorld();
  const [member] = await crowd(world, 2);
  if (!member) throw new Error("nobody");
  world.vendors.stripe.outbox.faults.dropped = 1;
  world.vendors.stripe.updateCustomer(member.stripeCustomerId, { phone: "+18590000000" });
  editPlan(world, member.crmPersonId, { plan_state: "paused" });
  return { world, member };
}

async function story(world: World): Promise<void> {
  await addTask(world.db, "drift.customers", {}, "stripe");
  await recover(world);
  await world.pass({ minutes: 16 });
  await recover(world);
}

test("wherever the drain is killed in a night: put right, written down and counted once", {
  timeout: 480_000,
}, async () => {
  const calm = await scene();
  const count = countFaultPoints(calm.world);
  await story(calm.world);
  const points = count();
  expect(points).toBeGreaterThan(20);
  await calm.world.close();
  const met = new Set<string>();
  for (let nth = 1; nth <= points; nth += STRIDE) {
    const { world, member } = await scene();
    const killed = killAt(world, nth);
    await story(world);
    met.add(killed.met() ?? "none");
    const where = `killed at ${nth} of ${points}, ${killed.met()}`;
    expect(await profile(world, member), where).toMatchObject({ planState: "active" });
    expect(world.vendors.stripe.state.customers.get(member.stripeCustomerId)?.phone, where).toBe(
      member.phone,
    );
    const found = await rows(world, "select looks, repaired_at is not null as done from tracker.drift");
    expect(found, where).toEqual([{ looks: 1, done: true }, { looks: 1, done: true }]);
    expect(await checks(world), where).toMatchObject([{ finished: true, seen: 10, missing: 2, repaired: 2 }]);
    expect(await stopped(world), where).toEqual([]);
    await world.close();
  }
  expect(met.size).toBeGreaterThan(4);
});
