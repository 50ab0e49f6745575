import { checkCompleteness, type Feed, type Look } from "../../checks/completeness.ts";
import type { Trx } from "../../db/database.ts";
import { findEvents } from "../../queue/find.ts";
import { defineOwnStep, type StepContext, type StepTable } from "../../queue/step.ts";
import type { Attributes, VendorEvent } from "../../vendors/webhook.ts";

const DELETED_PATIENTS = "patient.delete";

/** Registry keys that are looked up in one question. */
const PATIENTS_AT_ONCE = 100;

/**
 * The health record: by the time of their last change, the types that have a step; and, where a step wants to know of
 * patients who were deleted, the registry's keys, for a search does not show what is gone.
 */
const feed: Feed = {
  step: "completeness.health",
  vendor: "health",
  async look(ctx, { from, until }, { list, cursor }) {
    const lists = listsOf(ctx.steps);
    const current = list ?? lists[0];
    if (current === undefined) return { seen: 0, missing: () => Promise.resolve([]), next: null };
    const nextList = lists.find((one) => one > current);
    const { next, ...look } = current === DELETED_PATIENTS
      ? await lookForDeleted(ctx, cursor)
      : await lookAtChanges(ctx, { type: current, since: from, until, cursor: cursor ?? null });
    const following = nextList === undefined ? null : { list: nextList };
    return { ...look, next: next === null ? following : { list: current, cursor: next } };
  },
};

export const completenessHealth = defineOwnStep("completeness.health", {
  queue: "health",
  run: (ctx, data) => checkCompleteness(ctx, data, feed),
});

/** In order of name, so that the next one is known by the current one alone. */
function listsOf(steps: StepTable): string[] {
  const lists = new Set<string>();
  for (const name of steps.names) {
    const [source, type, interaction] = name.split(".");
    if (source !== "health" || type === undefined) continue;
    if (interaction === "create" || interaction === "update") lists.add(type);
    if (name === `health.${DELETED_PATIENTS}`) lists.add(DELETED_PATIENTS);
  }
  return [...lists].sort();
}

type Found = Omit<Look, "next"> & { next: string | null };

async function lookAtChanges(
  ctx: StepContext,
  query: Parameters<StepContext["vendors"]["health"]["listChanges"]>[0],
): Promise<Found> {
  const { entries, next } = await ctx.vendors.health.listChanges(query);
  return { seen: entries.length, missing: (trx) => notReceived(trx, entries), next };
}

async function lookForDeleted(ctx: StepContext, cursor: string | undefined): Promise<Found> {
  const customers = await ctx.deps.db.selectFrom("registry.customers").select(["id", "health_patient_id"])
    .where("health_patient_id", "is not", null)
    .where("id", ">", Number(cursor ?? 0))
    .orderBy("id").limit(PATIENTS_AT_ONCE)
    .execute();
  const ids = customers.flatMap(({ health_patient_id: id }) => id === null ? [] : [id]);
  const deleted = await ctx.vendors.health.listDeletedPatients(ids);
  return {
    seen: ids.length,
    missing: (trx) => notReceived(trx, deleted),
    next: customers.length < PATIENTS_AT_ONCE ? null : String(customers.at(-1)?.id),
  };
}

/**
 * Webhooks name their subscription, lists cannot: whether one was received is told by the resource and its version. Only
 * the current version is asked for, as a step reads nothing else.
 */
async function notReceived(trx: Trx, events: readonly VendorEvent[]): Promise<VendorEvent[]> {
  const versionOf = (type: string, attributes: Attributes) =>
    [
      type.split(".")[0],
      attributes["resource_id"],
      type.endsWith(".delete") ? "gone" : attributes["version_id"],
    ].join("/");
  const heard = await findEvents(trx, "health.", {
    resource_id: events.map(({ attributes }) => String(attributes["resource_id"])),
  });
  const received = new Set(heard.map(({ step, data }) => versionOf(step.slice("health.".length), data)));
  return events.filter(({ type, attributes }) => !received.has(versionOf(type, attributes)));
}
