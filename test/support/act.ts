import { sql } from "kysely";
import { expect } from "vitest";
import type { Database } from "../../src/shared/db/database.ts";
import type { Json } from "../../src/shared/vendors/contract.ts";
import type { Queue } from "../../src/shared/queue/reasons.ts";
import type { World } from "./world.ts";

/** Adds a task as a person would in the table editor: step and data, nothing else. */
export async function addTask(
  db: Database,
  step: string,
  data: Record<string, Json>,
  vendor: Queue = "internal",
): Promise<number> {
  const { id } = await db.insertInto("clockwork.tasks")
    .values({ step, key: crypto.randomUUID(), vendor, data: JSON.stringify(data) })
    .returning("id").executeTakeFirstOrThrow();
  return id;
}

/** Edits one cell of a task, as a person would in the table editor. */
export async function setStatus(db: Database, id: number, status: "PENDING" | "CANCELLED"): Promise<void> {
  await db.updateTable("clockwork.tasks").set({ status }).where("id", "=", id).execute();
}

/** Chooses an answer for a stopped task, as a person would in the table editor. */
export async function answer(db: Database, id: number, word: string): Promise<void> {
  await db.updateTable("clockwork.tasks").set({ answer: word }).where("id", "=", id).execute();
}

export async function setData(db: Database, id: number, data: Record<string, Json>): Promise<void> {
  await db.updateTable("clockwork.tasks").set({ data: JSON.stringify(data) }).where("id", "=", id).execute();
}

/** The tasks of a step, oldest first. */
export async function tasksOf(world: World, step: string) {
  return await world.db.selectFrom("clockwork.tasks").selectAll().where("step", "=", step).orderBy("id")
    .execute();
}

export async function orders(world: World) {
  return await world.db.selectFrom("tracker.orders").selectAll().orderBy("id").execute();
}

export async function effects(world: World) {
  return await world.db.selectFrom("clockwork.effects").selectAll().orderBy("id").execute();
}

/** What the CRM heard of a person, by name, each counted event once. */
export function heard(world: World, personId: string): string[] {
  return world.vendors.crm.heard(personId).map((event) => event.name);
}

/** Orders at the pharmacy that are neither cancelled nor failed. */
export function liveAtPharmacy(world: World) {
  return [...world.vendors.pharmacy.state.orders.values()].filter((order) =>
    order.state !== "CANCELED" && order.state !== "ERROR"
  );
}

/** Every task has ended, or waits for its day with a reason; the list of those that need a person. */
export async function stopped(world: World) {
  return await world.db
    .selectFrom("clockwork.tasks")
    .select(["id", "step", "reason_code", "reason", "data"])
    .where("status", "=", "MANUAL_INTERVENTION")
    .orderBy("id")
    .execute();
}

/** Nothing is left in the drain's hands. */
export async function expectAtRest(world: World): Promise<void> {
  const { rows } = await sql<{ count: number }>`
    select count(*) from clockwork.tasks
    where status = 'QUEUED' or (status = 'PENDING' and run_after <= clockwork.now())
  `.execute(world.db);
  expect(rows[0]?.count).toBe(0);
}

/** The pharmacy works until nothing moves any more, an hour at a time. */
export async function liveOn(world: World, hours = 6): Promise<void> {
  for (let hour = 0; hour < hours; hour++) {
    await world.pass({ hours: 1 });
    world.clinic.workPharmacy();
    await world.drainAll();
  }
}
