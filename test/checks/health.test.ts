import { describe, expect, test } from "vitest";
import { healthHint } from "../../src/shared/vendors/hints.ts";
import { STEPS } from "../../src/shared/steps/table.ts";
import { liveAtPharmacy, orders, tasksOf } from "../support/act.ts";
import { makeWorld } from "../support/world.ts";
import { check, expectComplete, pages, takenUp, unheard } from "./support.ts";

async function openClinic() {
  const world = await makeWorld();
  await world.clinic.openShop();
  const person = await world.clinic.signUp("Ada Example");
  await world.drainAll();
  return { world, person };
}

describe("what changed in the health record", { timeout: 180_000 }, () => {
  test("all of it heard, created and changed: nothing missing", async () => {
    const { world, person } = await openClinic();
    const prescription = world.clinic.prescribe(person, "price_pen_month");
    await world.drainAll();
    world.vendors.health.updatePrescription(prescription, { repeats: 3 });
    await world.drainAll();
    const run = await check(world, "health");
    expectComplete(run);
    expect(run.seen).toBeGreaterThan(0);
    await world.pass({ days: 1 });
    expectComplete(await check(world, "health"));
    expect(await takenUp(world)).toEqual([]);
  });

  test("a prescription written unheard is taken up once, and the order that waits for it is placed", async () => {
    const { world, person } = await openClinic();
    world.clinic.subscribe(person, "price_pen_month");
    await world.drainAll();
    expect(await orders(world)).toMatchObject([{ state: "AWAITING_PRESCRIPTION" }]);
    let prescription = "";
    await unheard(world, "pharmacy", () =>
      unheard(world, "health", () => {
        prescription = world.clinic.prescribe(person, "price_pen_month");
      }));
    // The order's own next look is a day away once it has looked some times.
    await world.pass({ hours: 3 });
    await world.drainAll();
    await world.db.updateTable("clockwork.tasks")
      .set({ run_after: new Date(world.now().getTime() + 86_400_000) })
      .where("step", "=", "order.place").where("status", "=", "PENDING").execute();
    const { meta } = world.vendors.health.state.prescriptions.get(prescription) ?? {};
    const run = await check(world, "health");
    expect(run).toMatchObject({ state: "DONE", missing: 1, repaired: 1 });
    const [found] = await tasksOf(world, "health.medicationrequest.update");
    expect(found).toMatchObject({
      key: `listed:MedicationRequest/${prescription}:${meta?.versionId}`,
      data: {
        resource_type: "MedicationRequest",
        resource_id: prescription,
        version_id: meta?.versionId,
        last_updated: meta?.lastUpdated,
        patient_id: person.healthPatientId,
      },
    });
    expect(await orders(world)).toMatchObject([{ state: "PLACED" }]);
    expectComplete(await check(world, "health"));
    expect(liveAtPharmacy(world)).toHaveLength(1);
  });

  test("only the version of now is asked for; one whose webhook comes after its repair makes nothing twice", async () => {
    const { world, person } = await openClinic();
    world.clinic.subscribe(person, "price_pen_month");
    await world.drainAll();
    world.vendors.health.outbox.faults.silent = true;
    const prescription = world.clinic.prescribe(person, "price_pen_month");
    world.vendors.health.updatePrescription(prescription, { repeats: 5 });
    expect(await check(world, "health")).toMatchObject({ missing: 1, repaired: 1 });
    expect(await orders(world)).toMatchObject([{ state: "PLACED" }]);
    world.vendors.health.outbox.faults.silent = false;
    await world.drainAll();
    expect(await orders(world)).toHaveLength(1);
    expect(liveAtPharmacy(world)).toHaveLength(1);
    expectComplete(await check(world, "health"));
  });

  test("over many pages, each change once, also where one moves on meanwhile", async () => {
    const { world, person } = await openClinic();
    const written: string[] = [];
    await unheard(world, "pharmacy", () =>
      unheard(world, "health", () => {
        for (let i = 0; i < 450; i++) written.push(world.clinic.prescribe(person, "price_pen_month"));
      }));
    const { health } = world.deps.vendors;
    let calls = 0;
    world.deps.vendors = {
      ...world.deps.vendors,
      health: {
        ...health,
        listChanges: async (query) => {
          const page = await health.listChanges(query);
          // The last one leaves the window for the present, and its webhook comes.
          if (calls++ === 0) world.vendors.health.updatePrescription(written.at(-1) ?? "", { repeats: 1 });
          return page;
        },
      },
    };
    const run = await check(world, "health");
    expect(run).toMatchObject({ state: "DONE", seen: 451, missing: 449, repaired: 449, pages: 5 });
    expect(await pages(world, "health")).toHaveLength(5);
    expect(new Set((await takenUp(world)).map(({ key }) => key)).size).toBe(449);
    expectComplete(await check(world, "health"));
  });

  test("types come from the steps: patients who changed or were deleted, once a step wants to know", async () => {
    const { world, person } = await openClinic();
    const other = await world.clinic.signUp("Ben Example");
    expectComplete(await check(world, "health"));
    await unheard(world, "health", () => {
      world.vendors.health.moveHouse(person.healthPatientId, {
        line: ["2 CANARY-STREET"],
        city: "Lexington",
        state: "KY",
        postalCode: "40508",
      });
      world.vendors.health.deleteResource("Patient", other.healthPatientId);
    });
    expect(await check(world, "health")).toMatchObject({ state: "DONE", missing: 2, repaired: 2 });
    expect((await takenUp(world)).map(({ step }) => step).sort())
      .toEqual(["health.patient.delete", "health.patient.update"]);
    const [gone] = await tasksOf(world, "health.patient.delete");
    expect(gone).toMatchObject({ status: "DONE", data: { resource_id: other.healthPatientId } });
    // The key is still in the registry: it is told once.
    await world.pass({ days: 1 });
    expectComplete(await check(world, "health"));
  });

  test("a key that the health record never had is no deleted patient", async () => {
    const { world, person } = await openClinic();
    await world.db.updateTable("registry.customers").set({ health_patient_id: "Patient/no such id" })
      .where("id", "=", person.customerId).execute();
    const other = await world.clinic.signUp("Ben Example");
    await world.db.updateTable("registry.customers").set({ health_patient_id: "never-was" })
      .where("id", "=", other.customerId).execute();
    await check(world, "health");
    expect(await tasksOf(world, "health.patient.delete")).toEqual([]);
  });

  test("RULE: every step for the health record keeps what tells a version, and its type can be listed", async () => {
    const { world } = await openClinic();
    const ofHealth = STEPS.filter(({ handles }) => handles.some((name) => name.startsWith("health.")));
    expect(ofHealth.length).toBeGreaterThan(0);
    for (const { keys } of ofHealth) {
      expect(keys).toEqual(expect.arrayContaining(Object.keys(healthHint.shape)));
    }
    const types = new Set(
      ofHealth.flatMap(({ handles }) => handles).filter((name) => /^health\..+\.(create|update)$/.test(name))
        .map((name) => name.split(".")[1] ?? ""),
    );
    for (const type of types) {
      const window = { since: world.now(), until: world.now(), cursor: null };
      expect((await world.deps.vendors.health.listChanges({ type, ...window })).next).toBeNull();
    }
  });
});
