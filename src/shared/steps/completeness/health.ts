import { checkCompleteness, type Feed, type Page } from "../../checks/completeness.ts";
import type { Trx } from "../../db/database.ts";
import { findEvents } from "../../queue/find.ts";
import { defineOwnStep, type StepContext, type StepTable } from "../../queue/step.ts";
import type { Attributes, VendorEvent } from "../../vendors/webhook.ts";

const DELETED_PATIENTS = "patient.delete";

const PATIENTS_AT_ONCE = 100;

/**
 * Lists the health record's changes by time, for each type that has a step. A search shows no deleted patient, so the
 * registry's keys are checked too, where a step takes deletions.
 */
const feed: Feed = {
  step: "completeness.health",
  vendor: "health",
  async read(ctx, { from, until }, { list, cursor }) {
    const lists = listsOf(ctx.steps);
    const current = list ?? lists[0];
    if (current === undefined) return { seen: 0, missing: () => [], next: null };
    const nextList = lists.find((one) => one > current);
    const page = current === DELETED_PATIENTS
      ? await readDeleted(ctx, cursor)
      : await readChanges(ctx, { type: current, since: from, until, cursor: cursor ?? null });
    if (page.next !== null) return { ...page, next: { list: current, cursor: page.next } };
    return { ...page, next: nextList === undefined ? null : { list: nextList } };
  },
};

export const completenessHealth = defineOwnStep("completeness.health", {
  queue: "health",
  run: (ctx, data) => checkCompleteness(ctx, data, feed),
});

/** In order of name, so that the current list alone determines the next one. */
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

type ListPage = Omit<Page, "next"> & { next: string | null };

async function readChanges(
  ctx: StepContext,
  query: Parameters<StepContext["vendors"]["health"]["listChanges"]>[0],
): Promise<ListPage> {
  const { entries, next } = await ctx.vendors.health.listChanges(query);
  return { seen: entries.length, missing: (trx) => notReceived(trx, entries), next };
}

async function readDeleted(ctx: StepContext, cursor: string | undefined): Promise<ListPage> {
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
 * The events that were not recorded, matched by resource and version: a list has no webhook's id. Only the current version
 * counts, because a step reads no other.
 */
async function notReceived(trx: Trx, events: readonly VendorEvent[]): Promise<VendorEvent[]> {
  const versionOf = (type: string, { resource_id, version_id }: Attributes) =>
    [type.split(".")[0], resource_id, type.endsWith(".delete") ? "gone" : version_id].join("/");
  const heard = await findEvents(trx, "health.", {
    resource_id: events.map(({ attributes }) => String(attributes["resource_id"])),
  });
  const received = new Set(heard.map(({ step, data }) => versionOf(step.slice("health.".length), data)));
  return events.filter(({ type, attributes }) => !received.has(versionOf(type, attributes)));
}
