import type { Database, Trx } from "../db/database.ts";
import { countEvents } from "../queue/history.ts";
import { openTasks } from "../queue/open.ts";
import { type FollowUp, type Reason, reason } from "../queue/reasons.ts";
import type { DataOf } from "../queue/step-data.ts";
import { wakeTasks } from "../queue/wake.ts";

export type CheckedVendor = DataOf<"completeness.endpoint">["vendor"];

const ALL_KINDS = "messages of all kinds";

/** The events that a vendor's last complete check found missing, and those heard in the same time. */
interface Tally {
  /** {@link ALL_KINDS}, or one kind: an endpoint may lack a subscription to it. */
  kind: string;
  missing: number;
  heard: number;
}

interface Limits {
  share: number;
  atLeast: number;
}

/**
 * At the end of a check: an endpoint that misses most messages is off, or lacks a subscription. A person is asked, one
 * question a vendor at a time; the question runs again, and ends, once most messages come.
 */
export async function askAboutEndpoint(trx: Trx, vendor: CheckedVendor): Promise<FollowUp[]> {
  const tallies = await tally(trx, vendor);
  const limits = await readLimits(trx);
  const step = "completeness.endpoint";
  const open = await openTasks(trx, { step, about: { vendor } });
  if (open.length === 0) {
    const silent = tallies.find((one) => isSilent(one, limits));
    return silent ? [{ step, data: { vendor, kind: silent.kind }, person: silence(vendor, silent) }] : [];
  }
  const answered = open.filter(({ data }) =>
    isWell(tallies.find(({ kind }) => kind === data["kind"]), limits)
  );
  await wakeTasks(trx, { ids: answered.map(({ id }) => id) });
  return [];
}

/** The reason to go on asking about this kind of messages; null when most of them came. */
export async function questionAbout(
  db: Database,
  vendor: CheckedVendor,
  kind: string,
): Promise<Reason | null> {
  const tallies = await tally(db, vendor);
  const found = tallies.find((one) => one.kind === kind);
  if (isWell(found, await readLimits(db))) return null;
  return silence(vendor, found ?? { kind, missing: 0, heard: 0 });
}

/** The tallies of the vendor's last complete run: over all kinds first, then each kind. */
async function tally(db: Database | Trx, vendor: CheckedVendor): Promise<Tally[]> {
  const run = await db.selectFrom("tracker.check_runs").select(["id", "window_from"])
    .where("work", "=", "completeness").where("vendor", "=", vendor).where("state", "=", "DONE")
    .orderBy("id", "desc").limit(1).executeTakeFirst();
  if (!run?.window_from) return [];
  const all: Tally = { kind: ALL_KINDS, missing: 0, heard: 0 };
  const kinds = new Map<string, Tally>();
  const add = (events: ReadonlyMap<string, number>, as: "missing" | "heard") => {
    for (const [event, times] of events) {
      const kind = kindOf(vendor, event);
      const known = kinds.get(kind) ?? { kind, missing: 0, heard: 0 };
      kinds.set(kind, known);
      known[as] += times;
      all[as] += times;
    }
  };
  const step = `completeness.${vendor}` as const;
  add(await countEvents(db, vendor, { foundBy: { step, about: { run_id: run.id } } }), "missing");
  add(await countEvents(db, vendor, { since: run.window_from }), "heard");
  return [all, ...[...kinds.values()].sort((a, b) => b.missing - a.missing || (a.kind < b.kind ? -1 : 1))];
}

/** The type of a Stripe event; for other vendors the kind of object. */
function kindOf(vendor: string, event: string): string {
  const [, about = "", ...rest] = event.split(".");
  return vendor === "stripe" ? [about, ...rest].join(".") : about;
}

async function readLimits(db: Database | Trx): Promise<Limits> {
  const row = await db.selectFrom("clockwork.settings")
    .select(["endpoint_silent_share", "endpoint_silent_at_least"]).executeTakeFirstOrThrow();
  return { share: Number(row.endpoint_silent_share), atLeast: row.endpoint_silent_at_least };
}

function isSilent({ missing, heard }: Tally, { share, atLeast }: Limits): boolean {
  return missing >= atLeast && missing / (missing + heard) >= share;
}

/** Only a heard event proves that an endpoint is on: no event at all may be a quiet night. */
function isWell(tally: Tally | undefined, { share }: Limits): boolean {
  return tally !== undefined && tally.heard > 0 && tally.missing / (tally.missing + tally.heard) < share;
}

function silence(vendor: string, { kind, missing, heard }: Tally): Reason {
  return reason("ENDPOINT_SILENT", { vendor, kind, missing, total: missing + heard });
}
