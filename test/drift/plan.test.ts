import { sql } from "kysely";
import { expect, test } from "vitest";
import { addTask, setStatus, stopped, tasksOf } from "../support/act.ts";
import { makeWorld, type World } from "../support/world.ts";

test("first", async () => {
  const world = await makeWorld();
  await world.clinic.openShop();
  const person = await world.clinic.signUp("Ada Example");
  world.vendors.stripe.updateCustomer(person.stripeCustomerId, { phone: "+18595550001" });
  world.clinic.prescribe(person, "price_morning_month");
  world.clinic.subscribe(person, "price_morning_month");
  await world.settle();
  const night = async () => {
    await addTask(world.db, "drift.customers", {}, "stripe");
    await world.settle();
    await world.pass({ minutes: 16 });
    await world.settle();
  };
  await night();
  const show = async (q: string) => console.table((await sql.raw<any>(q).execute(world.db)).rows);
  await show("select * from ops.checks");
  await show("select * from tracker.drift");
  for (let i = 0; i < 3; i++) {
    await world.pass({ hours: 24 });
    await world.deps.vendors.crm.updateProfile(person.crmPersonId, { planState: "cancelled", nextRefillOn: null }, world.now());
    await night();
  }
  await show("select * from ops.checks");
  await show("select * from ops.drift");
  await show("select * from ops.manual_intervention");
  await show("select id,step,status,data,reason from clockwork.tasks where step ~ 'drift|propagate'");
});
