import { sql } from "kysely";
import { describe, expect, test } from "vitest";
import { expectAtRest, setStatus, stopped, tasksOf } from "../support/act.ts";
import { makeWorld, type World } from "../support/world.ts";
import { checks, crowd, editPlan, type Member, nextNight, night, profile, rows, writes } from "./support.ts";

async function clinicOf(count: number): Promise<{ world: World; members: Member[] }> {
  const world = await makeWorld();
  return { world, members: await crowd(world, count) };
}

const first = ([member]: Member[]): Member => {
  if (!member) throw new Error("nobody");
  return member;
};

const inStep = { planState: "active", nextRefillOn: expect.stringMatching(/^\d{4}-\d\d-\d\d$/) };

describe("a night in which all is in step", () => {
  test("reads each vendor once for a hundred customers, writes nothing, and says so", async () => {
    const { world, members } = await clinicOf(150);
    await night(world);
    const { stripe, crm, login } = world.vendors;
    expect(stripe.faults.calls.get("list customers")).toBe(2);
    expect(login.faults.calls.get("list users")).toBe(2);
    // Two pages of Stripe's, two of the logins'.
    expect(crm.faults.calls.get("read people")).toBe(4);
    expect(writes(world)).toBe(0);
    expect(await checks(world)).toMatchObject([{
      work: "drift",
      state: "finished: nothing was wrong",
      finished: true,
      seen: members.length * 5,
      missing: 0,
      repaired: 0,
      unlinked: 0,
      task_id: null,
    }]);
    expect(await checks(world, "login")).toMatchObject([{ finished: true, seen: members.length }]);
    expect(await rows(world, "select * from tracker.drift")).toEqual([]);
    expect(await stopped(world)).toEqual([]);
    await expectAtRest(world);
  });

  test("is begun by the nightly work, once a night, after the completeness checks", async () => {
    const { world } = await clinicOf(1);
    await sql`update clockwork.nightly_work set is_on = step like 'drift.%', at = '00:00'`.execute(world.db);
    await sql`select clockwork.start_nightly_work()`.execute(world.db);
    await sql`select clockwork.start_nightly_work()`.execute(world.db);
    await world.drainAll();
    expect(await rows(world, "select vendor, finished from ops.checks order by vendor")).toEqual([
      { vendor: "login", finished: true },
      { vendor: "stripe", finished: true },
    ]);
  });
});

describe("what drifted is put right and written down", () => {
  test("the plan, edited inside the CRM, where no event tells of it", async () => {
    const { world, members } = await clinicOf(3);
    const member = first(members);
    editPlan(world, member.crmPersonId, { plan_state: "paused", next_refill_on: null });
    await night(world);
    expect(await profile(world, member)).toMatchObject(inStep);
    expect(await rows(world, "select fact, owner, mirror, times_in_30_days from ops.drift order by fact"))
      .toEqual([
        { fact: "next_refill_on", owner: "Stripe", mirror: "the CRM", times_in_30_days: 1 },
        { fact: "plan_state", owner: "Stripe", mirror: "the CRM", times_in_30_days: 1 },
      ]);
    expect(await rows(world, "select customer_id, looks from tracker.drift where repaired_at is not null"))
      .toEqual([
        { customer_id: member.customerId, looks: 1 },
        { customer_id: member.customerId, looks: 1 },
      ]);
    expect(await checks(world)).toMatchObject([{
      state: "finished: everything wrong is repaired",
      missing: 2,
      repaired: 2,
    }]);
    // Both attributes in one call, and not again the night after.
    expect(writes(world)).toBe(1);
    await nextNight(world);
    expect(writes(world)).toBe(1);
  });

  test("a subscription that was paused while nothing of it came through", async () => {
    const { world, members } = await clinicOf(1);
    world.vendors.stripe.outbox.faults.dropped = 1;
    world.vendors.stripe.pause(first(members).subscriptionId);
    await night(world);
    expect(await profile(world, first(members))).toMatchObject({ planState: "paused", nextRefillOn: null });
    expect(await stopped(world)).toEqual([]);
  });

  test("email and phone at Stripe and in the registry, edited by hand or never told of", async () => {
    const { world, members } = await clinicOf(2);
    const [one, two] = members;
    if (!one || !two) throw new Error("nobody");
    const { stripe, crm } = world.vendors;
    stripe.outbox.faults.dropped = 1;
    crm.outbox.faults.dropped = 1;
    stripe.updateCustomer(one.stripeCustomerId, { phone: "+18590000000" });
    await world.db.updateTable("registry.customers").set({ email: "typo@example.com" })
      .where("id", "=", one.customerId).execute();
    crm.changeProfile(two.crmPersonId, { email: "two.new@example.com" });
    await night(world);
    expect(stripe.state.customers.get(one.stripeCustomerId)).toMatchObject({
      email: one.email,
      phone: one.phone,
    });
    expect(stripe.state.customers.get(two.stripeCustomerId)).toMatchObject({ email: "two.new@example.com" });
    expect(await rows(world, "select email from registry.customers order by id")).toEqual([
      { email: one.email },
      { email: "two.new@example.com" },
    ]);
    // The customer is asked for the login, and nothing there is set.
    const login = world.vendors.login.users.get(two.loginUserId);
    expect(login).toMatchObject({ email: two.email, newEmail: "two.new@example.com" });
    const mails = world.vendors.login.mails.length;
    expect(
      await rows(
        world,
        "select system, attribute, repaired_at is not null as done from tracker.drift order by id",
      ),
    ).toEqual(expect.arrayContaining([
      { system: "stripe", attribute: "phone", done: true },
      { system: "registry", attribute: "email", done: true },
      { system: "stripe", attribute: "email", done: true },
      { system: "login", attribute: "email", done: false },
    ]));
    // Once an address, however many nights the customer takes.
    world.vendors.login.openAll(one.loginUserId);
    await nextNight(world);
    await nextNight(world);
    expect(world.vendors.login.mails).toHaveLength(mails);
    expect(await stopped(world)).toEqual([]);
    // Another address is asked for anew, and confirmed in time.
    crm.changeProfile(two.crmPersonId, { email: "two.newest@example.com" });
    await nextNight(world);
    world.vendors.login.openAll(two.loginUserId);
    expect(login).toMatchObject({ email: "two.newest@example.com" });
    await nextNight(world);
    expect(await rows(world, "select id from tracker.drift where repaired_at is null")).toEqual([]);
  });

  test("a login whose customer answers no mail: asked again after some days, then a person is, once", {
    timeout: 240_000,
  }, async () => {
    const { world, members } = await clinicOf(1);
    const { crm, login } = world.vendors;
    crm.outbox.faults.dropped = 1;
    crm.changeProfile(first(members).crmPersonId, { email: "moved@example.com" });
    for (let i = 0; i < 13; i++) await nextNight(world);
    // Both addresses are mailed each time.
    expect(login.mails.length).toBe(6);
    expect(await stopped(world)).toMatchObject([{
      step: "owner.propagate_login",
      reason_code: "LOGIN_NOT_CONFIRMED",
    }]);
    expect(await rows(world, "select system, looks from tracker.drift where repaired_at is null"))
      .toEqual([{ system: "login", looks: expect.any(Number) }]);
  });

  test("hashes only: equal for equal values of one customer, and no value anywhere", async () => {
    const { world, members } = await clinicOf(2);
    const wrong = "+18597777777";
    for (const { stripeCustomerId } of members) {
      world.vendors.stripe.state.customers.get(stripeCustomerId)!.phone = wrong;
    }
    await night(world);
    const hashes = await rows(
      world,
      "select owner_hash, mirror_hash from tracker.drift where attribute = 'phone' order by customer_id",
    );
    expect(hashes).toHaveLength(2);
    expect(new Set(hashes.flatMap((row) => Object.values(row))).size).toBe(4);
    world.vendors.stripe.state.customers.get(first(members).stripeCustomerId)!.phone = wrong;
    await nextNight(world);
    expect(
      await rows(
        world,
        `select distinct owner_hash, mirror_hash from tracker.drift where customer_id = ${
          first(members).customerId
        }`,
      ),
    ).toEqual([hashes[0]]);
    for (
      const table of ["clockwork.tasks", "clockwork.task_history", "tracker.drift", "tracker.check_runs"]
    ) {
      const text = JSON.stringify(await rows(world, `select * from ${table}`));
      for (const value of [wrong, first(members).phone, first(members).email]) {
        expect(text).not.toContain(
          value,
        );
      }
    }
    expect(JSON.stringify(world.lines)).not.toContain(wrong);
  });
});

describe("what is no drift", () => {
  test("a change whose news came in before the second look", async () => {
    const { world, members } = await clinicOf(1);
    world.vendors.stripe.outbox.faults.silent = true;
    world.vendors.stripe.pause(first(members).subscriptionId);
    await night(world);
    // Its news never came: that was drift.
    expect(await rows(world, "select id from tracker.drift")).toHaveLength(2);
    world.vendors.stripe.resume(first(members).subscriptionId);
    await world.pass({ hours: 24 });
    await sql`insert into clockwork.tasks (step, vendor, data) values ('drift.customers', 'stripe', '{}')`
      .execute(world.db);
    await world.drainAll();
    world.vendors.stripe.outbox.faults.silent = false;
    await world.drainAll();
    await world.pass({ minutes: 16 });
    await world.drainAll();
    expect(await rows(world, "select id from tracker.drift")).toHaveLength(2);
    expect(await profile(world, first(members))).toMatchObject(inStep);
  });

  test("a change whose news waits behind a vendor's outage", async () => {
    const { world, members } = await clinicOf(1);
    world.vendors.stripe.pause(first(members).subscriptionId);
    // The CRM takes no writes for a while, so that the propagation hangs.
    world.vendors.crm.faults.add({ operation: "update person", kind: "status", status: 503 });
    await night(world);
    expect(await rows(world, "select id from tracker.drift")).toEqual([]);
    world.vendors.crm.faults.clear();
    await world.pass({ hours: 1 });
    await world.drainAll();
    expect(await profile(world, first(members))).toMatchObject({ planState: "paused" });
    expect(await rows(world, "select id from tracker.drift")).toEqual([]);
  });

  test("a customer who never subscribed, of whom the CRM was told nothing", async () => {
    const { world } = await clinicOf(1);
    const { stripe, crm } = world.vendors;
    const { customer } = stripe.importCustomer({ email: "new@example.com" });
    crm.importPerson("new-person", { email: "new@example.com" });
    await world.db.insertInto("registry.customers").values({
      email: "new@example.com",
      stripe_customer_id: customer.id,
      crm_person_id: "new-person",
    }).execute();
    await night(world);
    expect(await checks(world)).toMatchObject([{ missing: 0, unlinked: 0 }]);
    expect(writes(world)).toBe(0);
  });
});

describe("whom nobody can compare", () => {
  test("a Stripe customer who is nobody's is counted, and asked about once, by the refills' finder", async () => {
    const { world } = await clinicOf(2);
    world.vendors.stripe.importCustomer({ email: "stranger@example.com", priceId: "price_morning_month" });
    world.vendors.stripe.importCustomer({ email: "old@example.com" });
    await world.pass({ days: 4 });
    for (let i = 0; i < 2; i++) {
      await sql`insert into clockwork.tasks (step, vendor, data) values ('renewal.find', 'stripe', '{}')`
        .execute(world.db);
      await nextNight(world);
    }
    expect(await checks(world)).toMatchObject([{ finished: true, unlinked: 2 }, { unlinked: 2 }]);
    expect((await stopped(world)).filter(({ step }) => step.startsWith("drift."))).toEqual([]);
  });

  test("a person the CRM does not know: asked once, not once a night, and gone when it is repaired", async () => {
    const { world, members } = await clinicOf(2);
    const member = first(members);
    const set = (crm_person_id: string) =>
      world.db.updateTable("registry.customers").set({ crm_person_id }).where("id", "=", member.customerId)
        .execute();
    await set("nobody");
    await night(world);
    const [asked, ...more] = await stopped(world);
    expect(asked).toMatchObject({ step: "owner.propagate_contact", reason_code: "CRM_PERSON_UNKNOWN" });
    expect(more).toEqual([]);
    expect(await checks(world)).toMatchObject([{ finished: true, unlinked: 1 }]);
    await nextNight(world);
    expect(await stopped(world)).toHaveLength(1);
    await set(member.crmPersonId);
    await setStatus(world.db, asked?.id ?? 0, "PENDING");
    await world.drainAll();
    expect(await stopped(world)).toEqual([]);
    // A person who drops the question does not want to be asked the same again; another key is another question.
    await set("nobody");
    await nextNight(world);
    await setStatus(world.db, (await stopped(world))[0]?.id ?? 0, "CANCELLED");
    await nextNight(world);
    expect(await stopped(world)).toEqual([]);
    await set("nobody else");
    await nextNight(world);
    expect(await stopped(world)).toHaveLength(1);
  });

  test("a customer whom Stripe does not have, and a login that is gone: one question each; the rest goes on", async () => {
    const { world, members } = await clinicOf(3);
    const [one, two, three] = members;
    if (!one || !two || !three) throw new Error("nobody");
    world.vendors.stripe.outbox.faults.dropped = 1;
    world.vendors.stripe.deleteCustomer(one.stripeCustomerId);
    world.vendors.login.deleteUser(two.loginUserId);
    // A mirror that is there is put right all the same.
    await world.db.updateTable("registry.customers").set({ email: "typo@example.com" })
      .where("id", "in", [one.customerId, two.customerId]).execute();
    await night(world);
    await nextNight(world);
    expect((await stopped(world)).map(({ reason_code }) => reason_code).sort()).toEqual([
      "LOGIN_UNKNOWN",
      "STRIPE_CUSTOMER_UNKNOWN",
    ]);
    expect(await rows(world, "select email from registry.customers order by id")).toEqual(
      members.map(({ email }) => ({ email })),
    );
    await world.db.updateTable("registry.customers").set({ stripe_customer_id: null })
      .where("id", "=", one.customerId).execute();
    await world.db.updateTable("registry.customers").set({ login_user_id: null })
      .where("id", "=", two.customerId).execute();
    for (const { id } of await stopped(world)) await setStatus(world.db, id, "PENDING");
    await nextNight(world);
    expect(await stopped(world)).toEqual([]);
  });

  test("a customer without any key at Stripe: their registry row is compared all the same", async () => {
    const { world, members } = await clinicOf(1);
    world.vendors.crm.importPerson("lead", { email: "lead@example.com" });
    await world.db.insertInto("registry.customers").values([
      { email: "typo@example.com", crm_person_id: "lead" },
      { email: "walk-in@example.com" },
    ]).execute();
    await night(world);
    expect(await rows(world, "select email from registry.customers order by id")).toEqual([
      { email: first(members).email },
      { email: "lead@example.com" },
      { email: "walk-in@example.com" },
    ]);
    expect(await checks(world)).toMatchObject([{ finished: true, missing: 1, repaired: 1, unlinked: 1 }]);
  });

  test("an email that the CRM lacks: one question, never a wipe, and none again once it is dropped", async () => {
    const { world, members } = await clinicOf(1);
    world.vendors.crm.outbox.faults.dropped = 1;
    world.vendors.crm.changeProfile(first(members).crmPersonId, { email: "" });
    await night(world);
    await nextNight(world);
    const [asked, ...more] = await stopped(world);
    expect(asked).toMatchObject({ step: "owner.propagate_contact", reason_code: "CRM_EMAIL_MISSING" });
    expect(more).toEqual([]);
    expect(await rows(world, "select email from registry.customers")).toEqual([{
      email: first(members).email,
    }]);
    expect(
      await rows(
        world,
        "select sum(missing)::int as missing, sum(repaired)::int as repaired from ops.checks",
      ),
    )
      .toEqual([{ missing: 6, repaired: 0 }]);
    expect(await rows(world, "select distinct looks from tracker.drift")).toEqual([{ looks: 2 }]);
    await setStatus(world.db, asked?.id ?? 0, "CANCELLED");
    await nextNight(world);
    expect(await stopped(world)).toEqual([]);
  });
});

test("a look on demand needs no run, and a customer nobody has is nothing to look at", async () => {
  const { world, members } = await clinicOf(1);
  editPlan(world, first(members).crmPersonId, { plan_state: "paused" });
  await sql`insert into clockwork.tasks (step, vendor, data) values
    ('drift.look', 'crm', ${JSON.stringify({ customer_id: first(members).customerId, fact: "plan" })}),
    ('drift.look', 'crm', '{"customer_id": 99, "fact": "plan"}')`.execute(world.db);
  await world.drainAll();
  expect(await profile(world, first(members))).toMatchObject(inStep);
  expect(await rows(world, "select run_id, repaired_at is not null as done from tracker.drift")).toEqual([
    { run_id: null, done: true },
  ]);
  expect((await tasksOf(world, "drift.look")).map(({ status }) => status)).toEqual(["DONE", "DONE"]);
});
