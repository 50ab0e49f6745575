import { expect, test } from "vitest";
import { asClockwork } from "../../src/shared/db/database.ts";
import { tasksOf } from "../support/act.ts";
import { makeWorld, type World } from "../support/world.ts";
import { dayIn, night, refiller, renewals, toldOf } from "./support.ts";

// What `npm run simulate` found: a campaign that begins while its renewal ends must end all the same.

async function dueSoon(): Promise<{ world: World; person: Awaited<ReturnType<typeof refiller>> }> {
  const world = await makeWorld();
  await world.clinic.openShop();
  return { world, person: await refiller(world, { validUntil: dayIn(10) }) };
}

test("a renewal that is closed while the CRM is told ends the campaign that began", {
  timeout: 120_000,
}, async () => {
  const { world, person } = await dueSoon();
  const { sendEvent } = world.deps.vendors.crm;
  world.deps.vendors.crm = {
    ...world.deps.vendors.crm,
    async sendEvent(event) {
      await sendEvent(event);
      if (event.name !== "renewal_due") return;
      await asClockwork(world.db, "test", async (trx) => {
        await trx.updateTable("tracker.renewals")
          .set({ state: "RENEWED", closed_because: "a new prescription" }).execute();
      });
    },
  };
  await night(world);
  expect(await renewals(world)).toMatchObject([{ state: "RENEWED" }]);
  expect(toldOf(world, person)).toEqual(["renewal_due", "renewal_renewed"]);
});

test("a campaign that perhaps began ends with its renewal", { timeout: 120_000 }, async () => {
  const { world, person } = await dueSoon();
  // The CRM takes the event, and its answer is lost.
  world.vendors.crm.faults.add({ operation: "send event", kind: "lose_answer", times: 1 });
  await night(world);
  expect(toldOf(world, person)).toEqual(["renewal_due"]);
  expect(await renewals(world)).toMatchObject([{ state: "SCHEDULED", contacted_at: null }]);
  world.clinic.prescribe(person, "price_morning_month");
  await world.drainAll();
  await world.pass({ hours: 1 });
  await world.drainAll();
  expect(await renewals(world)).toMatchObject([{ state: "RENEWED" }]);
  expect((await tasksOf(world, "renewal.tell_crm")).map(({ status }) => status)).toEqual([
    "CANCELLED",
    "DONE",
  ]);
  expect(toldOf(world, person)).toEqual(["renewal_due", "renewal_renewed"]);
});
