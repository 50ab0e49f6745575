import { sql } from "kysely";
import { expect, test } from "vitest";
import { notDueYet } from "../../src/shared/orders/fills.ts";
import { makeWorld } from "../support/world.ts";
import { night, refiller, renewals } from "./support.ts";

// A day belongs to the pharmacy's zone: west of UTC its evening is tomorrow there, east of it its morning yesterday.

test.each([
  ["America/New_York", "2041-12-08T04:59:59.999Z"],
  ["Pacific/Auckland", "2041-12-07T10:59:59.999Z"],
])("valid until 7 December in %s is told as 7 December", { timeout: 60_000 }, async (zone, dueOn) => {
  const world = await makeWorld();
  await world.clinic.openShop();
  await sql`update clockwork.settings set pharmacy_time_zone = ${zone}`.execute(world.db);
  await world.pass({ seconds: (Date.parse("2041-11-20T12:00:00Z") - world.now().getTime()) / 1000 });
  const person = await refiller(world, { validUntil: "2041-12-07" });
  await night(world);
  expect(await renewals(world)).toMatchObject([{ cause: "EXPIRES", due_on: new Date(dueOn) }]);
  expect(world.vendors.crm.heard(person.crmPersonId)).toMatchObject([
    { name: "renewal_due", data: { due_on: "2041-12-07" } },
  ]);
});

test.each([
  ["America/New_York", "2026-12-08T04:30:00Z"],
  ["Pacific/Auckland", "2026-12-06T11:30:00Z"],
])("a fill of 7 December in %s waits for 7 December", (zone, at) => {
  expect(notDueYet(new Date(at), zone).details).toEqual({ day: "2026-12-07" });
});
