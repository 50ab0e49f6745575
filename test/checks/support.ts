import { sql } from "kysely";
import { expect } from "vitest";
import { z } from "zod";
import type { Queue } from "../../src/shared/queue/reasons.ts";
import { defineStep } from "../../src/shared/queue/step.ts";
import { makeStepTable, STEPS } from "../../src/shared/steps/table.ts";
import { addTask } from "../support/act.ts";
import type { World } from "../support/world.ts";

export type Checked = "stripe" | "health" | "pharmacy";

/** Webhooks under way are not missing: what happened is this old before a night's check looks. */
export const A_WHILE = { minutes: 15 } as const;

/** Runs a vendor's check to its end and gives its row. */
export async function check(world: World, vendor: Checked) {
  await world.pass(A_WHILE);
  await addTask(world.db, `completeness.${vendor}`, {}, vendor);
  await world.drainAll();
  return await lastRun(world, vendor);
}

/** The pages of a vendor's runs, and what became of them. */
export async function pages(world: World, vendor: Checked) {
  return await world.db.selectFrom("clockwork.tasks").selectAll()
    .where("step", "=", `completeness.${vendor}`)
    .where(sql<boolean>`data ->> 'run_id' is not null`).orderBy("id").execute();
}

export async function lastRun(world: World, vendor: Queue) {
  return await world.db.selectFrom("tracker.check_runs").selectAll()
    .where("work", "=", "completeness").where("vendor", "=", vendor)
    .orderBy("id", "desc").limit(1).executeTakeFirstOrThrow();
}

/** What checks took up: tasks of a vendor's event that a page's task caused. */
export async function takenUp(world: World): Promise<{ step: string; key: string }[]> {
  const { rows } = await sql<{ step: string; key: string }>`
    select step, key from clockwork.tasks
    where caused_by is not null and split_part(step, '.', 1) in ('stripe', 'health', 'pharmacy')
    order by id`.execute(world.db);
  return rows;
}

/** A run that went to its end with nothing missing. */
export function expectComplete(run: Awaited<ReturnType<typeof lastRun>>): void {
  expect(run).toMatchObject({ state: "DONE", missing: 0, repaired: 0 });
}

/** What the vendor sends meanwhile never comes; its own list still shows it. */
export async function unheard(
  world: World,
  vendor: Checked,
  act: () => unknown,
): Promise<void> {
  const { faults } = world.vendors[vendor].outbox;
  faults.dropped = 1;
  await act();
  faults.dropped = 0;
}

const nothing = defineStep({
  handles: ["stripe.invoice.upcoming"],
  queue: "internal",
  data: z.looseObject({}),
  run: () => Promise.resolve({ kind: "done" }),
});

/** `invoice.upcoming` becomes a message that costs nothing but itself: hundreds of it make many pages. */
export function makeUpcomingCheap(world: World): void {
  const others = STEPS.filter(({ handles }) => !handles.includes("stripe.invoice.upcoming"));
  world.deps.steps = makeStepTable([...others, nothing]);
}
