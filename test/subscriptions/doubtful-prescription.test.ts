import { sql } from "kysely";
import { describe, expect, test } from "vitest";
import { isoDay } from "../../scripts/sandbox/clinic.ts";
import { addTask, setStatus, stopped, tasksOf } from "../support/act.ts";
import type { World } from "../support/world.ts";
import {
  backdate,
  charges,
  MONTH,
  open,
  productId,
  settleIn,
  subscriptionsOf,
  without,
  write,
} from "./support.ts";

describe("what is not surely a first prescription", { timeout: 180_000 }, () => {
  async function notFirst(world: World) {
    const asked = (await stopped(world)).filter(({ step }) => step === "subscription.start");
    expect(asked).toMatchObject([{ reason_code: "NOT_THE_FIRST_PRESCRIPTION" }]);
    return asked[0]?.id ?? 0;
  }

  test("an earlier one of months ago: a question; PENDING starts it, once", async () => {
    const { world, person } = await open();
    const old = write(world, person, { status: "completed" });
    backdate(world, old, 200);
    await settleIn(world);
    expect(await tasksOf(world, "subscription.start")).toEqual([]);
    world.clinic.prescribe(person, MONTH);
    await settleIn(world);
    expect(subscriptionsOf(world, person)).toEqual([]);
    const asked = await notFirst(world);
    expect((await stopped(world))[0]?.reason).toContain("an earlier one was written more than 30 days ago");
    await setStatus(world.db, asked, "PENDING");
    await settleIn(world);
    expect(subscriptionsOf(world, person)).toHaveLength(1);
    expect(await stopped(world)).toEqual([]);
  });

  test("CANCELLED leaves it: it is not asked again for this prescription, and the next one is asked about too", async () => {
    const { world, person } = await open();
    const old = write(world, person, { status: "completed" });
    world.vendors.health.recordDispense({
      patientId: person.healthPatientId,
      prescriptionId: old,
      pharmacyOrderId: "elsewhere",
    });
    const id = world.clinic.prescribe(person, MONTH);
    await settleIn(world);
    const asked = await notFirst(world);
    expect((await stopped(world))[0]?.reason).toContain("it was filled before");
    await setStatus(world.db, asked, "CANCELLED");
    world.vendors.health.updatePrescription(id, { daysSupply: 28 });
    await settleIn(world);
    expect(await stopped(world)).toEqual([]);
    expect(await without(world)).toMatchObject([{
      why: "A person decided against a subscription.",
      task_id: null,
    }]);
    world.clinic.prescribe(person, MONTH);
    await settleIn(world);
    await notFirst(world);
    expect(subscriptionsOf(world, person)).toEqual([]);
  });

  test("one that a person dropped while it waited: the corrected one is a question, not a charge", async () => {
    const { world, person } = await open();
    const id = world.clinic.prescribe(person, MONTH);
    await world.drainAll();
    await setStatus(world.db, (await tasksOf(world, "subscription.start"))[0]?.id ?? 0, "CANCELLED");
    world.vendors.health.cancelPrescription(id);
    world.clinic.prescribe(person, MONTH);
    await settleIn(world);
    expect(subscriptionsOf(world, person)).toEqual([]);
    await notFirst(world);
    expect((await stopped(world))[0]?.reason).toContain("a person cancelled task");
  });

  test("one that is old when we first hear of it", async () => {
    const { world, person } = await open();
    const id = write(world, person);
    backdate(world, id, 31);
    await settleIn(world);
    await notFirst(world);
  });

  test("one that was cancelled and written anew the same day is still the first", async () => {
    const { world, person } = await open();
    const wrong = world.clinic.prescribe(person, MONTH);
    await world.drainAll();
    world.vendors.health.cancelPrescription(wrong);
    world.clinic.prescribe(person, MONTH);
    await settleIn(world);
    expect(subscriptionsOf(world, person)).toHaveLength(1);
    expect(charges(world)).toHaveLength(1);
    expect(await stopped(world)).toEqual([]);
  });

  test("one that is cancelled while it waits starts nothing", async () => {
    const { world, person } = await open();
    const wrong = world.clinic.prescribe(person, MONTH);
    await world.drainAll();
    world.vendors.health.cancelPrescription(wrong);
    await settleIn(world);
    expect(subscriptionsOf(world, person)).toEqual([]);
    expect(await without(world)).toMatchObject([{
      why: "The prescription ended before a subscription started.",
    }]);
    expect(await stopped(world)).toEqual([]);
  });

  test("one that is cancelled between our first look and the send starts nothing", async () => {
    const { world, person } = await open();
    const id = world.clinic.prescribe(person, MONTH);
    await world.drainAll();
    let isCancelled = false;
    world.deps.faultPoint = (name) => {
      if (name === "effect claimed" && !isCancelled) {
        isCancelled = true;
        world.vendors.health.cancelPrescription(id);
      }
      return Promise.resolve();
    };
    await settleIn(world);
    expect(isCancelled).toBe(true);
    expect(subscriptionsOf(world, person)).toEqual([]);
  });

  test("drafts, what is on hold, ended or a mistake, plans, proposals, orders not to give it: nothing", async () => {
    const { world } = await open();
    const terms = [
      { status: "draft" },
      { status: "on-hold" },
      { status: "entered-in-error" },
      { status: "stopped" },
      { validUntil: "2020-01-31" },
    ];
    for (const one of terms) write(world, await world.clinic.signUp("Bea Example"), one);
    for (const fields of [{ intent: "plan" }, { intent: "proposal" }, { doNotPerform: true }]) {
      const id = write(world, await world.clinic.signUp("Cleo Example"));
      Object.assign(world.vendors.health.state.prescriptions.get(id) ?? {}, fields);
    }
    await settleIn(world);
    expect((await tasksOf(world, "subscription.look")).length).toBeGreaterThanOrEqual(8);
    expect(await tasksOf(world, "subscription.start")).toEqual([]);
    expect(await stopped(world)).toEqual([]);
  });

  test("a draft that becomes active, days later, is the first", async () => {
    const { world, person } = await open();
    const id = write(world, person, { status: "draft" });
    await settleIn(world);
    await world.pass({ days: 5 });
    world.vendors.health.updatePrescription(id, { status: "active" });
    await settleIn(world);
    expect(subscriptionsOf(world, person)).toHaveLength(1);
  });

  test("what is missing or not understood goes to a person, and goes on when it is completed", async () => {
    const { world } = await open();
    const cases = [
      [{ daysSupply: null }, "the days' supply"],
      [{ repeats: null }, "the number of fills"],
      [{ validUntil: "2029-09" }, "the last day it is valid"],
      [{ validUntil: null }, "the last day it is valid"],
      [{ status: "hibernating" }, "its status"],
      [{ status: "unknown" }, "its status"],
    ] as const;
    const ids: string[] = [];
    for (const [terms] of cases) ids.push(write(world, await world.clinic.signUp("Bea Example"), terms));
    await settleIn(world);
    const asked = await stopped(world);
    expect(asked.map(({ step, reason_code }) => [step, reason_code]))
      .toEqual(cases.map(() => ["subscription.start", "PRESCRIPTION_UNCLEAR"]));
    for (const [, what] of cases) {
      const about = asked.filter(({ reason }) => reason?.includes(`because ${what} is missing or unclear`));
      expect([what, about.length]).toEqual([what, cases.filter((one) => one[1] === what).length]);
    }
    expect(world.vendors.stripe.state.subscriptions.size).toBe(0);
    for (const id of ids) {
      world.vendors.health.updatePrescription(id, {
        status: "active",
        daysSupply: 30,
        repeats: 3,
        validUntil: isoDay(new Date(world.now().getTime() + 300 * 86_400_000)),
      });
    }
    await settleIn(world);
    expect(world.vendors.stripe.state.subscriptions.size).toBe(cases.length);
    expect((await stopped(world)).filter(({ step }) => step.startsWith("subscription."))).toEqual([]);
  });
});

describe("a prescription for none of our products", { timeout: 180_000 }, () => {
  test("is asked about once, without its code, and goes on when the code was added", async () => {
    const { world, person } = await open();
    const id = write(world, person, { rxnorm: "CANARY-CODE-77" });
    await settleIn(world);
    for (let i = 0; i < 3; i++) {
      world.vendors.health.updatePrescription(id, { daysSupply: 28 + i });
      await world.drainAll();
    }
    const [asked, ...others] = await stopped(world);
    expect(others).toEqual([]);
    expect(asked).toMatchObject({
      step: "subscription.look",
      reason_code: "PRESCRIPTION_FOR_UNKNOWN_PRODUCT",
      reason: expect.stringContaining(id),
      data: { customer_id: person.customerId, prescription_id: id },
    });
    const { rows } = await sql<{ leaks: number }>`
      select count(*) as leaks from clockwork.tasks where tasks::text like '%CANARY%'`.execute(world.db);
    expect(rows).toEqual([{ leaks: 0 }]);
    // A resend too early stays in front of the person.
    await setStatus(world.db, asked?.id ?? 0, "PENDING");
    await world.drainAll();
    expect(await stopped(world)).toMatchObject([{ id: asked?.id }]);
    await world.db.insertInto("registry.product_keys").values({
      system: "rxnorm",
      key: "CANARY-CODE-77",
      product_id: await productId(world),
    }).execute();
    await setStatus(world.db, asked?.id ?? 0, "PENDING");
    await settleIn(world);
    expect(await stopped(world)).toEqual([]);
    expect(subscriptionsOf(world, person)).toHaveLength(1);
  });

  test("that was dropped is not asked about again; another one is", async () => {
    const { world, person } = await open();
    const id = write(world, person, { rxnorm: "999" });
    await settleIn(world);
    await setStatus(world.db, (await stopped(world))[0]?.id ?? 0, "CANCELLED");
    world.vendors.health.updatePrescription(id, { daysSupply: 28 });
    await settleIn(world);
    expect(await stopped(world)).toEqual([]);
    write(world, person, { rxnorm: "998" });
    await settleIn(world);
    expect(await stopped(world)).toHaveLength(1);
  });

  test("that ends is no question any more", async () => {
    const { world, person } = await open();
    const id = write(world, person, { rxnorm: "999" });
    await settleIn(world);
    expect(await stopped(world)).toHaveLength(1);
    world.vendors.health.cancelPrescription(id);
    await settleIn(world);
    expect(await stopped(world)).toEqual([]);
  });

  test("without any code, not to be read, or with the codes of two products", async () => {
    const { world } = await open();
    const coding = ["1000001", "1000002"].map((code) => ({
      system: "http://www.nlm.nih.gov/research/umls/rxnorm",
      code,
    }));
    const cases = [
      [{ medicationCodeableConcept: { text: "CANARY-DRUG" } }, "it has no RxNorm code"],
      [{ intent: 7 }, "it cannot be read"],
      [{ medicationCodeableConcept: { coding } }, "its codes stand for more than one product"],
    ] as const;
    for (const [fields] of cases) {
      const person = await world.clinic.signUp("Bea Example");
      Object.assign(world.vendors.health.state.prescriptions.get(write(world, person)) ?? {}, fields);
      await addTask(world.db, "subscription.look", { customer_id: person.customerId }, "health");
    }
    await settleIn(world);
    const asked = (await stopped(world)).filter(({ step }) => step.startsWith("subscription."));
    expect(asked.map(({ reason_code }) => reason_code)).toEqual(
      cases.map(() => "PRESCRIPTION_FOR_UNKNOWN_PRODUCT"),
    );
    for (const [, why] of cases) expect(asked.some(({ reason }) => reason?.includes(why))).toBe(true);
    expect(world.vendors.stripe.state.subscriptions.size).toBe(0);
  });
});
