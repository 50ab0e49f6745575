import { sql } from "kysely";
import { describe, expect, test } from "vitest";
import { addTask, heard, setStatus, stopped, tasksOf } from "../support/act.ts";
import { makeWorld, type World } from "../support/world.ts";
import { dayIn, explained, live, night, type Refiller, refiller, renewals } from "./support.ts";

// What would make a renewal silently never happen? Each of these must end with the customer asked, or in a row for a
// person.

async function withRefiller(terms: Parameters<typeof refiller>[1]): Promise<{ world: World; who: Refiller }> {
  const world = await makeWorld();
  await world.clinic.openShop();
  return { world, who: await refiller(world, terms) };
}

const told = (world: World, who: Refiller) =>
  heard(world, who.crmPersonId).filter((name) => name.startsWith("renewal_"));
const reasons = async (world: World) => (await stopped(world)).map(({ reason_code }) => reason_code);
const setPerson = async (world: World, person: string | null) => {
  await sql`update registry.customers set crm_person_id = ${person}`.execute(world.db);
};

describe("a customer whom the CRM does not reach", { timeout: 180_000 }, () => {
  test.each([
    ["has no key in the CRM", (world: World) => setPerson(world, null), "MISSING_CUSTOMER_KEY"],
    [
      "is somebody whom the CRM does not know",
      (world: World) => setPerson(world, "nobody"),
      "CRM_PERSON_UNKNOWN",
    ],
  ])("%s: a person is told, and after the repair the customer is asked once", async (_name, bend, code) => {
    const { world, who } = await withRefiller({ validUntil: dayIn(20) });
    await bend(world);
    await live(world, 2);
    expect(await reasons(world)).toEqual([code]);
    expect(await renewals(world)).toMatchObject([{ state: "SCHEDULED", contacted_at: null }]);
    await setPerson(world, who.crmPersonId);
    const [stop] = await stopped(world);
    await setStatus(world.db, stop?.id ?? 0, "PENDING");
    await world.drainAll();
    expect(told(world, who)).toEqual(["renewal_due"]);
    expect(await renewals(world)).toMatchObject([{ state: "CONTACTED" }]);
  });

  test("has neither an email nor a phone there", async () => {
    const { world, who } = await withRefiller({ validUntil: dayIn(20) });
    world.vendors.crm.createPerson("silent", { email: "", phone: "" });
    await setPerson(world, "silent");
    await live(world, 1);
    expect(await reasons(world)).toEqual(["CRM_PERSON_UNREACHABLE"]);
    expect(told(world, who)).toEqual([]);
  });

  test("is one whose event the CRM refuses: one row, and no second campaign when it is taken after all", async () => {
    const { world, who } = await withRefiller({ validUntil: dayIn(20) });
    world.vendors.crm.faults.add({ operation: "send event", kind: "status", status: 422 });
    await live(world, 2);
    expect(await reasons(world)).toEqual(["VENDOR_REFUSED"]);
    world.vendors.crm.faults.clear();
    for (const { id } of await stopped(world)) await setStatus(world.db, id, "PENDING");
    await world.drainAll();
    await live(world, 1);
    expect(told(world, who)).toEqual(["renewal_due"]);
    expect(await stopped(world)).toEqual([]);
  });

  test("still lapses in front of a person when nobody repairs it", async () => {
    const { world } = await withRefiller({ validUntil: dayIn(3) });
    await setPerson(world, null);
    await live(world, 5);
    expect((await reasons(world)).toSorted()).toEqual(["MISSING_CUSTOMER_KEY", "RENEWAL_LAPSED"]);
    expect(await renewals(world)).toMatchObject([{ state: "LAPSED", billing_paused_at: expect.any(Date) }]);
  });
});

describe("the finder that does not come through", { timeout: 180_000 }, () => {
  test("a vendor that is paused for nights is a row for a person, one, and the look is made when it is back", async () => {
    const { world } = await withRefiller({ validUntil: dayIn(20) });
    await sql`update clockwork.vendors set paused_until = clockwork.now() + interval '60 hours' where vendor = 'health'`
      .execute(world.db);
    await night(world);
    await live(world, 2);
    // Each work of the night that needs the vendor says so, once.
    const unfinished = (await stopped(world)).filter(({ step }) => step === "renewal.find");
    expect(unfinished).toMatchObject([{ reason_code: "NIGHT_UNFINISHED" }]);
    expect(unfinished[0]?.reason).toContain("renewal.find");
    await live(world, 1);
    expect(await renewals(world)).toMatchObject([{ state: "CONTACTED" }]);
    for (const { id, reason_code } of await stopped(world)) {
      expect(reason_code).toBe("NIGHT_UNFINISHED");
      await setStatus(world.db, id, "PENDING");
    }
    await world.drainAll();
    expect(await stopped(world)).toEqual([]);
  });

  test("a page that stopped at a person stands in no other night's way", async () => {
    const { world } = await withRefiller({ validUntil: dayIn(40) });
    world.vendors.stripe.faults.add({ operation: "list subscriptions", kind: "status", status: 403 });
    await night(world);
    expect((await stopped(world)).filter(({ step }) => step === "renewal.find"))
      .toMatchObject([{ reason_code: "VENDOR_REFUSED" }]);
    world.vendors.stripe.faults.clear();
    await live(world, 5);
    expect(await renewals(world)).toHaveLength(1);
  });

  test("a run that another one took over looks no further", async () => {
    const { world } = await withRefiller({});
    await Promise.all([
      addTask(world.db, "renewal.find", {}, "stripe"),
      addTask(world.db, "renewal.find", {}, "stripe"),
    ]);
    await world.drainAll();
    const runs = await world.db.selectFrom("tracker.check_runs").select(["state", "pages"]).orderBy("id")
      .execute();
    expect(runs.map(({ pages }) => pages)).toEqual([1, 1]);
    // A page of the first run that is resent when it is over goes on with nothing.
    const [first] = await world.db.selectFrom("tracker.check_runs").select("id").orderBy("id").execute();
    await addTask(world.db, "renewal.find", { run_id: first?.id ?? 0, page: 1 }, "stripe");
    await world.drainAll();
    expect(await tasksOf(world, "renewal.find")).toHaveLength(3);
  });
});

describe("what people change while a renewal is open", { timeout: 180_000 }, () => {
  test("a longer lead time asks sooner, of what is covered and of what is scheduled; a shorter one puts nobody off", async () => {
    const { world, who } = await withRefiller({ validUntil: dayIn(36) });
    const covered = await refiller(world, { validUntil: dayIn(70) });
    const lead = (days: number) =>
      sql`update registry.products set renewal_lead_days = ${days}`.execute(world.db);
    await lead(31);
    await night(world);
    expect(await renewals(world)).toMatchObject([{ state: "SCHEDULED" }]);
    const [before] = await renewals(world);
    await lead(10);
    await live(world, 1);
    expect((await renewals(world))[0]?.start_on).toEqual(before?.start_on);
    await lead(90);
    await live(world, 1);
    expect(told(world, who)).toEqual(["renewal_due"]);
    expect(told(world, covered)).toEqual(["renewal_due"]);
  });

  test("Stripe's announcement of a charge starts the campaign of a renewal that was to begin later", async () => {
    const { world, who } = await withRefiller({ validUntil: dayIn(25) });
    await sql`update registry.products set renewal_lead_days = 20`.execute(world.db);
    await night(world);
    expect(await renewals(world)).toMatchObject([{ state: "SCHEDULED" }]);
    expect(told(world, who)).toEqual([]);
    world.vendors.stripe.announceRenewal(who.subscriptionId);
    world.vendors.stripe.announceRenewal(who.subscriptionId);
    await world.drainAll();
    expect(told(world, who)).toEqual(["renewal_due"]);
  });

  test("a renewal that a person stopped ends its campaign, says so, and opens again when it is due", async () => {
    const { world, who } = await withRefiller({ validUntil: dayIn(3) });
    await night(world);
    await sql`update tracker.renewals set state = 'CANCELLED'`.execute(world.db);
    await world.drainAll();
    expect(told(world, who)).toEqual(["renewal_due", "renewal_cancelled"]);
    await live(world, 1);
    expect(await renewals(world)).toHaveLength(1);
    expect((await explained(world, who.customerId))[0]?.why).toContain("A person cancelled its renewal");
    await live(world, 3);
    expect(await renewals(world)).toMatchObject([{ state: "CANCELLED" }, { state: "LAPSED", cycle: 2 }]);
    expect(await reasons(world)).toEqual(["RENEWAL_LAPSED"]);
  });
});

test("what cannot be told of the subscription holds the campaign back, in front of a person", {
  timeout: 120_000,
}, async () => {
  const { world, who } = await withRefiller({ validUntil: dayIn(34) });
  await night(world);
  const atStripe = world.vendors.stripe.state.subscriptions.get(who.subscriptionId);
  Object.assign(atStripe ?? {}, { status: "hibernating" });
  await live(world, 8);
  expect(told(world, who)).toEqual([]);
  expect(await reasons(world)).toEqual(["SUBSCRIPTION_STATUS_UNKNOWN"]);
  Object.assign(atStripe ?? {}, { status: "active" });
  await live(world, 2);
  expect(told(world, who)).toEqual(["renewal_due"]);
  expect(await stopped(world)).toEqual([]);
});

test("the three dates are worked out and shown", { timeout: 120_000 }, async () => {
  const { world, who } = await withRefiller({ fills: 3, validUntil: dayIn(300) });
  await night(world);
  const [row] = await explained(world, who.customerId);
  const { last_fill_on, fillable_until, drug_runs_out_on, covered_until } = row ?? {};
  for (const date of [last_fill_on, fillable_until, drug_runs_out_on]) expect(date).toBeInstanceOf(Date);
  expect(Number(last_fill_on)).toBeLessThan(Number(drug_runs_out_on));
  expect(Number(drug_runs_out_on)).toBeLessThan(Number(fillable_until));
  expect(Number(covered_until)).toBe(Math.min(Number(drug_runs_out_on), Number(covered_until)));
});
