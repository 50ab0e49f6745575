import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { DrainDeps } from "../../src/shared/queue/turn.ts";
import { liveAtPharmacy, orders, setStatus, stopped, tasksOf } from "../support/act.ts";
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
  waitInVain,
  whose,
} from "./support.ts";

const LOGINS = {
  ada: "0b6f7c1e-9c3b-4f5e-8a55-1f2d3c4b5a01",
  new: "0b6f7c1e-9c3b-4f5e-8a55-1f2d3c4b5a02",
  nobody: "0b6f7c1e-9c3b-4f5e-8a55-1f2d3c4b5a03",
};

let world: World;
beforeAll(async () => {
  world = await makeWorld({ shared: true });
  await world.clinic.openShop();
  // Supabase Auth has the first two.
  const login: DrainDeps["vendors"]["login"] = {
    ...world.deps.vendors.login,
    getUser: (id) =>
      Promise.resolve(
        id === LOGINS.ada || id === LOGINS.new
          ? { id, email: null, isConfirmed: false, pendingEmail: null, pendingSince: null }
          : null,
      ),
  };
  world.deps.vendors = { ...world.deps.vendors, login };
});
afterAll(() => world.close());

const rows = async () =>
  (await world.db.selectFrom("registry.customers").select("id").where("merged_into", "is", null).execute())
    .length;

describe("a customer at Stripe", () => {
  test("with our number on it is that customer's, whatever its email says", async () => {
    const ada = await someone(world, { email: fresh("ada") });
    const other = await someone(world, { email: "other@example.com" });
    const key = atStripe(world, { customer: ada, email: "other@example.com" });
    await world.drainAll();
    expect(await row(world, ada)).toMatchObject({ stripe_customer_id: key });
    expect(await row(world, other)).toMatchObject({ stripe_customer_id: null });
    expect(await questions(world, key)).toEqual([]);
    expect((await tasksOf(world, "stripe.customer.created")).at(-1)).toMatchObject({ customer_id: ada });
  });

  test("without a number, with nobody's email, is a new customer", async () => {
    const before = await rows();
    const key = atStripe(world, { email: "new@example.com" });
    await world.drainAll();
    expect(await rows()).toBe(before + 1);
    expect(await row(world, await whose(world, "stripe", key) ?? 0)).toMatchObject({
      email: "new@example.com",
      stripe_customer_id: key,
      crm_person_id: null,
    });
    // Without any email as well.
    const bare = atStripe(world, {});
    await world.drainAll();
    expect(await rows()).toBe(before + 2);
    expect(await whose(world, "stripe", bare)).toBeDefined();
  });

  test("with somebody's email goes to a person, who links it", async () => {
    const ada = await someone(world, { email: "ada@example.com" });
    const before = await rows();
    const key = atStripe(world, { email: "ADA@Example.com" });
    await world.drainAll();
    const asked = await oneQuestion(world, key);
    expect(asked).toMatchObject({
      status: "MANUAL_INTERVENTION",
      reason_code: "EMAIL_IS_NO_PROOF",
      reason:
        `Stripe customer ${key} is in no row of registry.customers. Its email is that of customer ${ada}. That proves nothing, because families share one.`,
      data: { system: "stripe", key, customer_id: null },
    });
    expect(await whose(world, "stripe", key)).toBeUndefined();
    await answer(world, asked, { system: "stripe", key, customer_id: ada });
    expect(await world.task(asked.id)).toMatchObject({ status: "DONE", customer_id: ada });
    expect(await row(world, ada)).toMatchObject({ stripe_customer_id: key });
    expect(await rows()).toBe(before);
  });

  test("two people with one address: each new one goes to a person, and a resend as it is makes a new customer", async () => {
    const [mother, father] = [
      await someone(world, { email: "family@example.com" }),
      await someone(world, { email: "family@example.com" }),
    ];
    const key = atStripe(world, { email: "family@example.com" });
    await world.drainAll();
    const asked = await oneQuestion(world, key);
    expect(asked.reason).toContain(`that of customer ${mother}, ${father}. That proves nothing`);
    await answer(world, asked);
    const child = await whose(world, "stripe", key);
    expect([mother, father]).not.toContain(child);
    expect(await row(world, child ?? 0)).toMatchObject({ email: "family@example.com" });
  });

  test("two new customers with one address: the first is a row, the second a question", async () => {
    const [one, other] = [
      atStripe(world, { email: "twins@example.com" }),
      atStripe(world, { email: "twins@example.com" }),
    ];
    await world.drainAll();
    const placed = [await whose(world, "stripe", one), await whose(world, "stripe", other)];
    expect(placed.filter((id) => id !== undefined)).toHaveLength(1);
    const asked = placed[0] === undefined ? one : other;
    expect(await oneQuestion(world, asked)).toMatchObject({ reason_code: "EMAIL_IS_NO_PROOF" });
  });

  test("a plus-alias is another address", async () => {
    const ada = await someone(world, { email: "alias@example.com" });
    const key = atStripe(world, { email: "alias+refills@example.com" });
    await world.drainAll();
    expect(await questions(world, key)).toEqual([]);
    const made = await whose(world, "stripe", key);
    expect(made).toBeDefined();
    expect(made).not.toBe(ada);
  });

  test("changed and swapped addresses move no key", async () => {
    const [ada, ben] = [
      await someone(world, { email: "a@swap.test" }),
      await someone(world, { email: "b@swap.test" }),
    ];
    const [cusA, cusB] = [
      atStripe(world, { customer: ada, email: "a@swap.test" }),
      atStripe(world, { customer: ben, email: "b@swap.test" }),
    ];
    // Before anything is heard, they swap their addresses at Stripe; the registry learns it later, or never.
    world.vendors.stripe.updateCustomer(cusA, { email: "b@swap.test" });
    world.vendors.stripe.updateCustomer(cusB, { email: "a@swap.test" });
    await world.drainAll();
    expect([await whose(world, "stripe", cusA), await whose(world, "stripe", cusB)]).toEqual([ada, ben]);
    // A patient with the address that Ada gave away could be either's.
    const patient = atHealthRecord(world, { email: "a@swap.test" });
    await world.drainAll();
    expect(await whose(world, "health", patient)).toBeUndefined();
    expect(await oneQuestion(world, patient)).toMatchObject({ reason_code: "EMAIL_IS_NO_PROOF" });
  });

  test("a number that is nobody's: after a while a person is asked", async () => {
    const key = atStripe(world, { customer: 987_654, email: "lost@example.com" });
    await world.drainAll();
    expect((await tasksOf(world, "stripe.customer.created")).at(-1)).toMatchObject({
      status: "PENDING",
      reason_code: "REFERENCE_LEADS_NOWHERE",
    });
    expect(await questions(world, key)).toEqual([]);
    await waitInVain(world);
    expect(await oneQuestion(world, key)).toMatchObject({
      reason:
        `Stripe customer ${key} names a customer that registry.customers does not have (customer 987654).`,
    });
    expect(await whose(world, "stripe", key)).toBeUndefined();
  });

  test("what is no number is told to nobody, for it could be anything", async () => {
    const { id: key } = world.vendors.stripe.createCustomer({
      metadata: { clockwork_customer: "jane.doe@private.test" },
    });
    await waitInVain(world);
    const asked = await oneQuestion(world, key);
    expect(asked.reason_code).toBe("REFERENCE_LEADS_NOWHERE");
    expect(JSON.stringify(asked)).not.toContain("private.test");
  });

  test("a second customer with the same number: a person replaces the first, or does not", async () => {
    const ada = await someone(world);
    const first = atStripe(world, { customer: ada });
    await world.drainAll();
    const second = atStripe(world, { customer: ada });
    await world.drainAll();
    const asked = await oneQuestion(world, second);
    expect(asked).toMatchObject({
      reason:
        `Stripe customer ${second} leads to customer ${ada}, who has another key in that system: ${first}.`,
    });
    await answer(world, asked, { system: "stripe", key: second, customer_id: ada });
    expect(await world.task(asked.id)).toMatchObject({
      status: "MANUAL_INTERVENTION",
      reason_code: "CUSTOMER_HAS_ANOTHER_KEY",
    });
    await answer(world, asked, { system: "stripe", key: second, customer_id: ada, replace: true });
    expect(await row(world, ada)).toMatchObject({ stripe_customer_id: second });
    expect(await formerKeys(world, ada)).toEqual([{ system: "stripe", key: first, why: "replaced" }]);
    // News of the first is still this customer's.
    expect(await whose(world, "stripe", first)).toBe(ada);
  });

  test("a key in one row and a number of another goes to a person; moving it in the table settles it", async () => {
    const [ada, ben] = [await someone(world), await someone(world)];
    const key = atStripe(world, { customer: ben });
    await world.db.updateTable("registry.customers").set({ stripe_customer_id: key }).where("id", "=", ada)
      .execute();
    await world.drainAll();
    const asked = await oneQuestion(world, key);
    expect(asked).toMatchObject({
      reason_code: "KEY_AND_REFERENCE_DIFFER",
      reason: `Stripe customer ${key} is in the row of customer ${ada}, but names customer ${ben}.`,
    });
    // The row changes otherwise: the question stays.
    await world.db.updateTable("registry.customers").set({ email: "x@example.com" }).where("id", "=", ada)
      .execute();
    await world.drainAll();
    expect(await world.task(asked.id)).toMatchObject({ status: "MANUAL_INTERVENTION" });
    await world.db.updateTable("registry.customers").set({ stripe_customer_id: null }).where("id", "=", ada)
      .execute();
    await world.db.updateTable("registry.customers").set({ stripe_customer_id: key }).where("id", "=", ben)
      .execute();
    await world.drainAll();
    expect(await world.task(asked.id)).toMatchObject({ status: "DONE" });
    expect(await whose(world, "stripe", key)).toBe(ben);
  });

  test("one deleted before we looked is nobody's", async () => {
    const before = await rows();
    const key = atStripe(world, { email: "short@example.com" });
    world.vendors.stripe.deleteCustomer(key);
    await world.drainAll();
    expect(await rows()).toBe(before);
    expect(await questions(world, key)).toEqual([]);
  });
});

describe("a completed checkout", () => {
  const pay = (fields: { email: string; clientReferenceId?: string; metadata?: Record<string, string> }) => {
    const session = world.vendors.stripe.completeCheckout({ priceId: "price_evening_month", ...fields });
    return String(session.customer);
  };

  test.each([
    ["our number as client reference", (id: number) => ({ clientReferenceId: String(id) })],
    ["our number in metadata", (id: number) => ({ metadata: { clockwork_customer: String(id) } })],
    ["both, beside something of the company's own", (id: number) => ({
      clientReferenceId: "cart-77",
      metadata: { clockwork_customer: String(id) },
    })],
  ])("with %s is that customer's", async (_what, reference) => {
    const ada = await someone(world, { email: fresh("checkout") });
    const before = await rows();
    const key = pay({ email: fresh("private"), ...reference(ada) });
    await world.drainAll();
    expect(await row(world, ada)).toMatchObject({ stripe_customer_id: key });
    expect(await rows()).toBe(before);
    expect(await questions(world, key)).toEqual([]);
  });

  test("with the login's id is that login's customer", async () => {
    const ada = await someone(world, { login_user_id: LOGINS.ada, email: "login@example.com" });
    // The email makes it a question until the session is heard of, and no longer.
    const key = pay({ email: "login@example.com", clientReferenceId: LOGINS.ada });
    await world.drainAll();
    expect(await row(world, ada)).toMatchObject({ stripe_customer_id: key });
    expect((await questions(world, key)).filter(({ status }) => status !== "DONE")).toEqual([]);
  });

  test("of a login that nobody has yet is a new customer with both; a login that is none goes to a person", async () => {
    const key = pay({ email: fresh("first"), clientReferenceId: LOGINS.new });
    await world.drainAll();
    expect(await row(world, await whose(world, "stripe", key) ?? 0)).toMatchObject({
      login_user_id: LOGINS.new,
    });
    const other = pay({ email: "nologin@example.com", clientReferenceId: LOGINS.nobody });
    await waitInVain(world);
    // customer.created made a row of it, which has nothing but this key; the session changes nothing about that.
    expect((await row(world, await whose(world, "stripe", other) ?? 0)).login_user_id).toBeNull();
  });

  test("without any reference is a new customer, once, and its charge is that customer's", async () => {
    const before = await rows();
    const key = pay({ email: "walkin@example.com" });
    await world.drainAll();
    expect(await rows()).toBe(before + 1);
    const id = await whose(world, "stripe", key);
    expect((await orders(world)).filter((order) => order.customer_id === id)).toHaveLength(1);
  });

  test("two references that differ go to a person", async () => {
    const [ada, ben] = [await someone(world), await someone(world)];
    const before = await rows();
    world.vendors.stripe.outbox.faults.dropped = 1;
    const key = pay({
      email: fresh("twice"),
      clientReferenceId: String(ada),
      metadata: { clockwork_customer: String(ben) },
    });
    // Only the session is heard of.
    const [session] = [...world.vendors.stripe.state.checkoutSessions.values()].slice(-1);
    world.vendors.stripe.outbox.faults.dropped = 0;
    await sql`
      insert into clockwork.tasks (step, key, vendor, data)
      values ('stripe.checkout.session.completed', ${fresh("evt")}, 'stripe', ${
      JSON.stringify({ object_id: session?.id })
    }::jsonb)`.execute(world.db);
    await world.drain();
    expect((await oneQuestion(world, key)).reason).toBe(
      `Stripe customer ${key} leads to more than one customer: ${ada}, ${ben}.`,
    );
    expect(await whose(world, "stripe", key)).toBeUndefined();
    expect(await rows()).toBe(before);
    await world.drainAll();
  });
});

describe("a patient", () => {
  test("with our number is that customer's; its email does not matter", async () => {
    const ada = await someone(world, { email: "p@example.com" });
    const other = await someone(world, { email: "q@example.com" });
    const key = atHealthRecord(world, { customer: ada, email: "q@example.com" });
    await world.drainAll();
    expect([await whose(world, "health", key), (await row(world, other)).health_patient_id]).toEqual([
      ada,
      null,
    ]);
  });

  test.each([
    ["stripe", "https://clockwork.invalid/stripe-customer", "stripe_customer_id"],
    ["pharmacy", "https://clockwork.invalid/pharmacy-patient", "pharmacy_patient_id"],
    ["CRM", "https://clockwork.invalid/crm-person", "crm_person_id"],
  ])("with the customer's %s key is that customer's", async (_system, system, column) => {
    const value = fresh("key");
    const ada = await someone(world, { [column]: value });
    const key = atHealthRecord(world, { identifiers: [{ system, value }] });
    await world.drainAll();
    expect(await whose(world, "health", key)).toBe(ada);
  });

  test("heard of before the Stripe customer it names waits for it", async () => {
    const stripe = world.vendors.stripe.importCustomer({ email: "late@example.com" }).customer.id;
    const key = atHealthRecord(world, {
      identifiers: [{ system: "https://clockwork.invalid/stripe-customer", value: stripe }],
    });
    await world.drainAll();
    expect(await whose(world, "health", key)).toBeUndefined();
    expect(await questions(world, key)).toEqual([]);
    const ada = await someone(world, { stripe_customer_id: stripe });
    await world.pass({ minutes: 2 });
    await world.drainAll();
    expect(await whose(world, "health", key)).toBe(ada);
  });

  test("without an identifier goes to a person, and is asked about once, however often it is written", async () => {
    const before = await rows();
    const key = atHealthRecord(world, {});
    await world.drainAll();
    for (let i = 0; i < 3; i++) {
      world.vendors.health.changeEmail(key, `${fresh("again")}@example.com`);
      await world.drainAll();
    }
    const asked = await oneQuestion(world, key);
    expect(asked).toMatchObject({
      status: "MANUAL_INTERVENTION",
      reason: `Patient ${key} is in no row of registry.customers and names no customer.`,
    });
    expect(await rows()).toBe(before);
    // Dropped: no customer of ours. It stays dropped.
    await setStatus(world.db, asked.id, "CANCELLED");
    world.vendors.health.changeEmail(key, `${fresh("again")}@example.com`);
    await world.drainAll();
    expect(await questions(world, key)).toHaveLength(1);
    // Until the record says something else.
    world.vendors.health.identifyPatient(key, [{
      system: "https://clockwork.invalid/customer",
      value: "876543",
    }]);
    await waitInVain(world);
    expect((await questions(world, key)).map(({ reason_code }) => reason_code)).toEqual([
      "PATIENT_OF_NOBODY",
      "REFERENCE_LEADS_NOWHERE",
    ]);
  });

  test("named while the question waits: it is linked, and the question ends by itself", async () => {
    const ada = await someone(world, { email: "asked@example.com" });
    const key = atHealthRecord(world, { email: "asked@example.com" });
    await world.drainAll();
    const asked = await oneQuestion(world, key);
    world.vendors.health.identifyPatient(key, [
      { system: "https://clockwork.invalid/customer", value: String(ada) },
    ]);
    await world.drainAll();
    expect(await whose(world, "health", key)).toBe(ada);
    expect(await world.task(asked.id)).toMatchObject({ status: "DONE" });
    expect(await questions(world, key)).toHaveLength(1);
  });

  test("a confirmed link is acted on: what waited for the patient ships", async () => {
    const stripe = world.vendors.stripe.createCustomer({ email: fresh("ships") }).id;
    await world.drainAll();
    const id = await whose(world, "stripe", stripe) ?? 0;
    const placedBefore = liveAtPharmacy(world).length;
    const patient = world.vendors.health.createPatient({
      name: "Ships Later",
      address: { line: ["1 Example Street"], city: "Lexington", state: "KY", postalCode: "40507" },
    });
    const pharmacy = world.vendors.pharmacy.createPatient({ externalId: patient });
    const person = {
      customerId: id,
      email: "",
      stripeCustomerId: stripe,
      healthPatientId: patient,
      pharmacyPatientId: pharmacy,
      crmPersonId: "",
      loginUserId: "",
    };
    world.clinic.prescribe(person, "price_evening_month");
    world.clinic.subscribe(person, "price_evening_month");
    await world.drainAll();
    const waits = (await stopped(world)).filter(({ reason_code, reason }) =>
      reason_code === "MISSING_CUSTOMER_KEY" && reason?.startsWith(`Customer ${id} `)
    );
    expect(waits).toMatchObject([{ step: "order.place" }]);
    await answer(world, await oneQuestion(world, patient), {
      system: "health",
      key: patient,
      customer_id: id,
    });
    // Its pharmacy key is filled in by hand: that is enough too.
    await world.db.updateTable("registry.customers").set({ pharmacy_patient_id: pharmacy }).where(
      "id",
      "=",
      id,
    )
      .execute();
    await world.drainAll();
    expect(liveAtPharmacy(world).length).toBe(placedBefore + 1);
  });
});

describe("what a person confirms", () => {
  test("a number that is not there, and a key that is another's, are refused on the same row", async () => {
    const key = atHealthRecord(world, {});
    const ada = await someone(world);
    const ben = await someone(world, { health_patient_id: fresh("patient") });
    await world.drainAll();
    const asked = await oneQuestion(world, key);
    await answer(world, asked, { system: "health", key, customer_id: 999_999 });
    expect(await world.task(asked.id)).toMatchObject({ reason: "The registry has no customer 999999." });
    await answer(world, asked, { system: "health", key, customer_id: ben });
    expect(await world.task(asked.id)).toMatchObject({ reason_code: "CUSTOMER_HAS_ANOTHER_KEY" });
    await world.db.updateTable("registry.customers").set({ health_patient_id: key }).where("id", "=", ada)
      .execute();
    // Woken by the link, it still holds the wrong number, and says so.
    await world.drainAll();
    expect(await world.task(asked.id)).toMatchObject({
      status: "MANUAL_INTERVENTION",
      reason: `Patient ${key} belongs to customer ${ada}.`,
    });
    await answer(world, asked, { system: "health", key, customer_id: ada });
    expect(await world.task(asked.id)).toMatchObject({ status: "DONE" });
  });

  test("a key that is gone by then is linked to nobody", async () => {
    const key = atHealthRecord(world, {});
    await world.drainAll();
    const asked = await oneQuestion(world, key);
    world.vendors.health.deleteResource("Patient", key);
    await world.drainAll();
    await answer(world, asked);
    expect(await world.task(asked.id)).toMatchObject({ status: "CANCELLED", reason_code: "KEY_IS_GONE" });
    expect(await whose(world, "health", key)).toBeUndefined();
  });

  test("resent after the end it changes nothing", async () => {
    const key = atStripe(world, { email: "asked@example.com" });
    await world.drainAll();
    const asked = await oneQuestion(world, key);
    await answer(world, asked);
    const [before, made] = [await rows(), await whose(world, "stripe", key)];
    await setStatus(world.db, asked.id, "PENDING");
    await world.drainAll();
    expect([await rows(), await whose(world, "stripe", key)]).toEqual([before, made]);
  });
});
