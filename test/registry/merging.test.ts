import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { customerById, findCustomer } from "../../src/shared/registry/customers.ts";
import { addTask, orders, setStatus, tasksOf } from "../support/act.ts";
import { makeWorld, type World } from "../support/world.ts";
import {
  answer,
  atHealthRecord,
  atStripe,
  formerKeys,
  fresh,
  oneQuestion,
  questions,
  row,
  someone,
  whose,
} from "./support.ts";

let world: World;
beforeAll(async () => {
  world = await makeWorld({ shared: true });
  await world.clinic.openShop();
});
afterAll(() => world.close());

/** What is proposed about two customers. */
async function mergesOf(customer: number) {
  const all = await tasksOf(world, "customer.merge");
  return all.filter(({ data }) => JSON.stringify(data).match(`\\b${customer}\\b`));
}

async function merge(from: number, into: number, more: { give_up?: string[] } = {}) {
  const id = await addTask(world.db, "customer.merge", { from, into, ...more }, "health");
  await world.drainAll();
  return await world.task(id);
}

/** A customer with a paid refill: keys everywhere. */
async function subscriber(name: string) {
  const person = await world.clinic.signUp(name);
  world.clinic.prescribe(person, "price_evening_month");
  const { subscriptionId } = world.clinic.subscribe(person, "price_evening_month");
  await world.drainAll();
  return { ...person, subscriptionId };
}

describe("a deletion", () => {
  test("of a Stripe customer: the key is a former one, and what it paid for is looked at", async () => {
    const { customerId, stripeCustomerId, subscriptionId } = await subscriber("Del Stripe");
    expect(
      await world.db.selectFrom("tracker.refills").select("finding").where("customer_id", "=", customerId)
        .execute(),
    ).toHaveLength(1);
    world.vendors.stripe.outbox.faults.dropped = 1;
    world.vendors.stripe.deleteCustomer(stripeCustomerId);
    world.vendors.stripe.outbox.faults.dropped = 0;
    // Its subscription's own news is lost: that of the customer is enough.
    await addTask(world.db, "stripe.customer.deleted", { object_id: stripeCustomerId }, "stripe");
    await world.drainAll();
    expect(await row(world, customerId)).toMatchObject({ stripe_customer_id: null });
    expect(await formerKeys(world, customerId)).toEqual([
      { system: "stripe", key: stripeCustomerId, why: "deleted" },
    ]);
    expect(
      await world.db.selectFrom("tracker.refills").select("finding").where(
        "subscription_id",
        "=",
        subscriptionId,
      )
        .executeTakeFirst(),
    ).toEqual({ finding: "INACTIVE" });
    // Late news of it still finds its customer, and a new one at Stripe takes the empty place.
    expect((await findCustomer(world.db, "stripe_customer_id", stripeCustomerId))?.id).toBe(customerId);
    const next = atStripe(world, { customer: customerId });
    await world.drainAll();
    expect(await row(world, customerId)).toMatchObject({ stripe_customer_id: next });
  });

  test("that Stripe does not show is asked again, and then a person", async () => {
    const key = atStripe(world, { customer: await someone(world) });
    await world.drainAll();
    const id = await addTask(world.db, "stripe.customer.deleted", { object_id: key }, "stripe");
    await world.drainAll();
    expect(await world.task(id)).toMatchObject({ status: "QUEUED", reason_code: "NOT_YET_VISIBLE" });
    expect(await whose(world, "stripe", key)).toBeDefined();
    world.vendors.stripe.deleteCustomer(key);
    await world.pass({ hours: 1 });
    await world.drainAll();
    expect(await world.task(id)).toMatchObject({ status: "DONE" });
  });

  test("of a patient: nothing ships on what is gone, and a person hears of it", async () => {
    const person = await subscriber("Del Patient");
    world.vendors.health.deleteResource("Patient", person.healthPatientId);
    await world.drainAll();
    expect(await row(world, person.customerId)).toMatchObject({ health_patient_id: null });
    expect(await formerKeys(world, person.customerId)).toEqual([
      { system: "health", key: person.healthPatientId, why: "deleted" },
    ]);
    expect(
      await world.db.selectFrom("tracker.refills").select("finding").where(
        "customer_id",
        "=",
        person.customerId,
      )
        .executeTakeFirst(),
    ).toEqual({ finding: "UNKNOWN_CUSTOMER" });
    const placed = (await orders(world)).length;
    world.clinic.subscribe(person, "price_evening_month");
    await world.drainAll();
    const waiting = (await orders(world)).filter(({ customer_id }) => customer_id === person.customerId);
    expect((await orders(world)).length).toBe(placed + 1);
    expect(waiting.map(({ state }) => state)).toEqual(["PLACED", "READY"]);
    const stop = (await tasksOf(world, "order.place")).find(({ reason }) =>
      reason === `Customer ${person.customerId} has no health_patient_id.`
    );
    expect(stop).toMatchObject({ status: "MANUAL_INTERVENTION" });
    // A new record that names the customer: the stop ends by itself.
    const next = atHealthRecord(world, { customer: person.customerId });
    await world.drainAll();
    expect(await row(world, person.customerId)).toMatchObject({ health_patient_id: next });
    expect((await world.task(stop?.id ?? 0)).reason_code).not.toBe("MISSING_CUSTOMER_KEY");
  });

  test("that somebody else's copy of a delete's signature tells of changes nothing", async () => {
    const ada = await someone(world);
    const key = atHealthRecord(world, { customer: ada });
    await world.drainAll();
    await addTask(
      world.db,
      "health.patient.delete",
      { resource_type: "Patient", resource_id: key },
      "health",
    );
    await world.drainAll();
    expect(await whose(world, "health", key)).toBe(ada);
    expect(await formerKeys(world, ada)).toEqual([]);
  });

  test("a key that was given up and is in use again goes to a person", async () => {
    const ada = await someone(world);
    const key = atHealthRecord(world, {});
    await world.db.insertInto("registry.former_keys")
      .values({ customer_id: ada, system: "health", key, why: "deleted" }).execute();
    await world.drainAll();
    const asked = await oneQuestion(world, key);
    expect(asked).toMatchObject({
      reason: `Patient ${key} is in use again. It is a former key of customer ${ada} (deleted).`,
    });
    // Sent back as it is, it makes no second customer of somebody's past.
    await answer(world, asked);
    expect(await world.task(asked.id)).toMatchObject({ reason_code: "KEY_CAME_BACK" });
    await answer(world, asked, { system: "health", key, customer_id: ada });
    expect(await row(world, ada)).toMatchObject({ health_patient_id: key });
    expect(await formerKeys(world, ada)).toEqual([]);
  });
});

describe("a merge at the health record", () => {
  test.each(["the old record's", "the kept record's"])(
    "the customer goes over by %s news alone",
    async (which) => {
      const ada = await someone(world);
      const old = atHealthRecord(world, { customer: ada });
      await world.drainAll();
      world.vendors.health.outbox.faults.dropped = 1;
      const kept = atHealthRecord(world, {});
      world.vendors.health.mergePatients(old, kept);
      world.vendors.health.outbox.faults.dropped = 0;
      const heard = which === "the old record's" ? old : kept;
      await addTask(
        world.db,
        "health.patient.update",
        { resource_type: "Patient", resource_id: heard },
        "health",
      );
      await world.drainAll();
      expect(await row(world, ada)).toMatchObject({ health_patient_id: kept });
      expect(await formerKeys(world, ada)).toEqual([{ system: "health", key: old, why: "merged" }]);
      expect((await findCustomer(world.db, "health_patient_id", old))?.id).toBe(ada);
      expect(await questions(world, kept)).toEqual([]);
    },
  );

  test("all of its news in any order comes to the same, also over two merges", async () => {
    const ada = await someone(world);
    world.vendors.health.outbox.faults.shuffled = true;
    world.vendors.health.outbox.faults.doubled = 0.5;
    const first = atHealthRecord(world, { customer: ada });
    await world.drainAll();
    const [second, third] = [atHealthRecord(world, {}), atHealthRecord(world, {})];
    world.vendors.health.mergePatients(first, second);
    world.vendors.health.mergePatients(second, third);
    await world.drainAll();
    world.vendors.health.outbox.faults.shuffled = false;
    world.vendors.health.outbox.faults.doubled = 0;
    expect(await row(world, ada)).toMatchObject({ health_patient_id: third });
    expect((await formerKeys(world, ada)).map(({ key }) => key).toSorted()).toContain(first);
    for (const key of [first, second, third]) expect(await whose(world, "health", key)).toBe(ada);
    for (const key of [second, third]) {
      expect((await questions(world, key)).filter(({ status }) => status === "MANUAL_INTERVENTION")).toEqual(
        [],
      );
    }
  });

  test("of two customers: a person confirms, and the rows become one with all that is theirs", async () => {
    const one = await subscriber("Merge One");
    const two = await world.clinic.signUp("Merge Two");
    await world.drainAll();
    // At Stripe and in the CRM they are one already: the second knows only patient and pharmacy.
    await world.db.updateTable("registry.customers")
      .set({ stripe_customer_id: null, crm_person_id: null, login_user_id: null })
      .where("id", "=", two.customerId).execute();
    world.vendors.health.mergePatients(two.healthPatientId, one.healthPatientId);
    await world.drainAll();
    const [proposed] = await mergesOf(two.customerId);
    expect(proposed).toMatchObject({
      status: "MANUAL_INTERVENTION",
      reason_code: "CUSTOMERS_ARE_ONE",
      data: { from: two.customerId, into: one.customerId },
    });
    expect(await row(world, two.customerId)).toMatchObject({ health_patient_id: two.healthPatientId });
    // The pharmacy knows both, and nobody told us which one stays.
    await answer(world, { id: proposed?.id ?? 0 });
    expect(await world.task(proposed?.id ?? 0)).toMatchObject({
      status: "MANUAL_INTERVENTION",
      reason:
        `Customers ${two.customerId} and ${one.customerId} both have a key in pharmacy: ${two.pharmacyPatientId} and ${one.pharmacyPatientId}.`,
    });
    await answer(world, { id: proposed?.id ?? 0 }, {
      from: two.customerId,
      into: one.customerId,
      give_up: ["pharmacy"],
    });
    expect(await world.task(proposed?.id ?? 0)).toMatchObject({
      status: "DONE",
      customer_id: one.customerId,
    });
    expect(await row(world, two.customerId)).toMatchObject({
      merged_into: one.customerId,
      email: null,
      health_patient_id: null,
      pharmacy_patient_id: null,
    });
    expect(await row(world, one.customerId)).toMatchObject({
      health_patient_id: one.healthPatientId,
      pharmacy_patient_id: one.pharmacyPatientId,
    });
    expect((await formerKeys(world, one.customerId)).toSorted((a, b) => a.system < b.system ? -1 : 1))
      .toEqual([
        { system: "health", key: two.healthPatientId, why: "merged" },
        { system: "pharmacy", key: two.pharmacyPatientId, why: "replaced" },
      ]);
    for (const id of [two.customerId, one.customerId]) {
      expect((await customerById(world.db, id)).id).toBe(one.customerId);
    }
  });

  test("unclear ones go to a person: still in use, to nobody, in a circle", async () => {
    const link = (other: string) => [{ type: "replaced-by", other: { reference: other } }];
    const cases: [string, (kept: string) => Record<string, unknown>][] = [
      ["the old record is in use all the same", (kept) => ({ active: true, link: link(`Patient/${kept}`) })],
      ["it names no one patient", () => ({ active: false, link: link("RelatedPerson/sister") })],
      ["the record it names is not there", () => ({ active: false, link: link("Patient/nobody") })],
    ];
    const { patients } = world.vendors.health.state;
    for (const [problem, change] of cases) {
      const ada = await someone(world);
      const key = atHealthRecord(world, { customer: ada });
      const kept = atHealthRecord(world, { customer: await someone(world) });
      await world.drainAll();
      // Written past the sandbox's own actions, which make no such thing.
      Object.assign(patients.get(key) ?? {}, change(kept));
      const id = await addTask(
        world.db,
        "health.patient.update",
        { resource_type: "Patient", resource_id: key },
        "health",
      );
      await world.drainAll();
      expect(await world.task(id), problem).toMatchObject({
        status: "MANUAL_INTERVENTION",
        reason:
          `The health record says that Patient ${key} was replaced. Its replacement is unclear: ${problem}.`,
      });
      expect(await whose(world, "health", key)).toBe(ada);
    }
  });
});

describe("customer.merge by a person", () => {
  test("moves keys, orders, refills, renewals, tasks and those merged before; what comes late finds its way", async () => {
    const grandma = await someone(world, { email: "old@example.com" });
    const person = await subscriber("Moves All");
    const into = await someone(world, { crm_person_id: fresh("stays"), email: "stays@example.com" });
    await world.db.updateTable("registry.customers").set({ crm_person_id: null }).where("id", "in", [
      grandma,
      person.customerId,
    ]).execute();
    expect(await merge(grandma, person.customerId)).toMatchObject({ status: "DONE" });
    await sql`
      insert into tracker.renewals (customer_id, product_id, subscription_id, subscription_item_id, prescription_id, cause,
        opened_by, due_on, start_on, next_on)
      select ${person.customerId}, min(products.id), 'sub_m', 'si_m', 'rx_m', 'EXPIRES', 'test', clockwork.now() + interval '90 days',
        clockwork.now() + interval '60 days', clockwork.now() + interval '60 days' from registry.products`
      .execute(
        world.db,
      );
    const own = async (id: number) => ({
      orders: (await orders(world)).filter(({ customer_id }) => customer_id === id).length,
      refills:
        (await world.db.selectFrom("tracker.refills").select("customer_id").where("customer_id", "=", id)
          .execute()).length,
      renewals:
        (await world.db.selectFrom("tracker.renewals").select("id").where("customer_id", "=", id).execute())
          .length,
    });
    expect(await own(person.customerId)).toEqual({ orders: 1, refills: 1, renewals: 1 });
    const done = await merge(person.customerId, into);
    expect(done).toMatchObject({ status: "DONE" });
    expect(await own(person.customerId)).toEqual({ orders: 0, refills: 0, renewals: 0 });
    expect(await own(into)).toEqual({ orders: 1, refills: 1, renewals: 1 });
    expect(await row(world, into)).toMatchObject({
      stripe_customer_id: person.stripeCustomerId,
      health_patient_id: person.healthPatientId,
      pharmacy_patient_id: person.pharmacyPatientId,
      email: "stays@example.com",
    });
    expect(await row(world, grandma)).toMatchObject({ merged_into: into });
    expect(
      (await world.db.selectFrom("clockwork.tasks").select("id").where("customer_id", "=", person.customerId)
        .execute()).length,
    ).toBe(0);
    // The next charge belongs to the one who stays; a number from before leads there too.
    world.vendors.stripe.renew(person.subscriptionId);
    await addTask(world.db, "renewal.check", { customer_id: grandma }, "health");
    await world.drainAll();
    expect(await own(into)).toMatchObject({ orders: 2 });
    expect((await tasksOf(world, "renewal.check")).at(-1)).toMatchObject({ customer_id: into });
    // Twice is once.
    await setStatus(world.db, done.id, "PENDING");
    await world.drainAll();
    expect(await world.task(done.id)).toMatchObject({ status: "DONE" });
    expect(await own(into)).toMatchObject({ orders: 2 });
  });

  test("both live at Stripe: refused until Stripe has deleted one", async () => {
    const [from, into] = [await someone(world), await someone(world)];
    const [one, other] = [atStripe(world, { customer: from }), atStripe(world, { customer: into })];
    await world.drainAll();
    await world.db.updateTable("registry.customers").set({ crm_person_id: null }).where("id", "=", from)
      .execute();
    const stopped = await merge(from, into);
    expect(stopped).toMatchObject({
      status: "MANUAL_INTERVENTION",
      reason: `Customers ${from} and ${into} both have a key in stripe: ${one} and ${other}.`,
    });
    expect(await row(world, from)).toMatchObject({ merged_into: null, stripe_customer_id: one });
    // The one that would have stayed is deleted; its news is late. The other one stays then.
    world.vendors.stripe.outbox.faults.dropped = 1;
    world.vendors.stripe.deleteCustomer(other);
    world.vendors.stripe.outbox.faults.dropped = 0;
    await answer(world, stopped);
    expect(await row(world, into)).toMatchObject({ stripe_customer_id: one });
    expect(await formerKeys(world, into)).toEqual([{ system: "stripe", key: other, why: "deleted" }]);
    // The late news changes nothing more.
    await addTask(world.db, "stripe.customer.deleted", { object_id: other }, "stripe");
    await world.drainAll();
    expect(await row(world, into)).toMatchObject({ stripe_customer_id: one });
  });

  test("two open renewals of one product: refused until one is cancelled", async () => {
    const [from, into] = [await someone(world), await someone(world)];
    await world.db.updateTable("registry.customers").set({ crm_person_id: null }).where("id", "=", from)
      .execute();
    for (const customer of [from, into]) {
      await sql`
        insert into tracker.renewals (customer_id, product_id, subscription_id, subscription_item_id, prescription_id, cause,
          opened_by, due_on, start_on, next_on)
        select ${customer}, min(products.id), ${`sub_${customer}`}, ${`si_${customer}`}, ${`rx_${customer}`}, 'EXPIRES', 'test',
          clockwork.now() + interval '90 days', clockwork.now() + interval '60 days', clockwork.now() + interval '60 days'
        from registry.products`.execute(world.db);
    }
    const stopped = await merge(from, into);
    expect(stopped).toMatchObject({ status: "MANUAL_INTERVENTION", reason_code: "MERGE_RENEWALS_COLLIDE" });
    await world.db.updateTable("tracker.renewals").set({ state: "CANCELLED" }).where("customer_id", "=", from)
      .execute();
    await answer(world, stopped);
    expect(await world.task(stopped.id)).toMatchObject({ status: "DONE" });
    expect(await row(world, from)).toMatchObject({ merged_into: into });
  });

  test("wrong numbers, oneself, and somebody who was merged elsewhere", async () => {
    const [a, b, c] = [await someone(world), await someone(world), await someone(world)];
    expect(await merge(a, 999_999)).toMatchObject({ reason: "The registry has no customer 999999." });
    expect(await merge(a, a)).toMatchObject({ reason_code: "INVALID_DATA" });
    expect(await merge(a, b)).toMatchObject({ reason_code: "MERGE_KEYS_DIFFER" });
    expect(await merge(a, b, { give_up: ["crm"] })).toMatchObject({ status: "DONE" });
    expect(await merge(a, c)).toMatchObject({
      reason: `Customer ${a} was already merged into customer ${b}.`,
    });
    // The other way round they are one as well.
    expect(await merge(b, a)).toMatchObject({ status: "DONE" });
    expect(await row(world, b)).toMatchObject({ merged_into: null });
  });

  test("a renewal that was left to somebody who was merged may go over, and to nobody else", async () => {
    const [a, b, c] = [await someone(world), await someone(world), await someone(world)];
    await sql`
      insert into tracker.renewals (customer_id, product_id, subscription_id, subscription_item_id, prescription_id, cause,
        opened_by, due_on, start_on, next_on)
      select ${a}, min(products.id), 'sub_g', 'si_g', 'rx_g', 'EXPIRES', 'test', clockwork.now() + interval '90 days',
        clockwork.now() + interval '60 days', clockwork.now() + interval '60 days' from registry.products`
      .execute(
        world.db,
      );
    const move = (to: number) =>
      world.db.updateTable("tracker.renewals").set({ customer_id: to }).where("prescription_id", "=", "rx_g")
        .execute();
    await expect(move(c)).rejects.toThrow(/is about one prescription of one customer/);
    expect(await merge(a, b, { give_up: ["crm"] })).toMatchObject({ status: "DONE" });
    await expect(move(c)).rejects.toThrow(/is about one prescription of one customer/);
  });
});
