import { sql } from "kysely";
import type { Database, Trx } from "../db/database.ts";
import { type FollowUp, type Reason, reason } from "../queue/reasons.ts";

/** Over everything that a vendor sends. */
const ALL_KINDS = "messages of all kinds";

/** What the last complete check of a vendor found missing, beside what its webhooks brought in the same time. */
interface Tally {
  /** {@link ALL_KINDS}, or one kind: an endpoint may be subscribed to the others. */
  kind: string;
  missing: number;
  heard: number;
}

interface Limits {
  share: number;
  atLeast: number;
}

/**
 * At the end of a check: a vendor whose messages mostly did not reach us has an endpoint that is off, or is not
 * subscribed. A person is asked, one question a vendor at a time; the question runs again, and ends, once most messages
 * come.
 */
export async function askAboutEndpoint(
  trx: Trx,
  { vendor, step }: { vendor: string; step: string },
): Promise<FollowUp[]> {
  const tallies = await tally(trx, vendor, step);
  const limits = await readLimits(trx);
  const open = await trx.selectFrom("clockwork.tasks")
    .select(["id", "status", sql<string>`data ->> 'kind'`.as("kind")])
    .where("step", "=", "completeness.endpoint")
    .where("status", "in", ["PENDING", "QUEUED", "MANUAL_INTERVENTION"])
    .where(sql<boolean>`data ->> 'vendor' = ${vendor}`)
    .execute();
  if (open.length === 0) {
    const silent = tallies.find((one) => isSilent(one, limits));
    return silent
      ? [{
        step: "completeness.endpoint",
        data: { vendor, kind: silent.kind },
        person: silence(vendor, silent),
      }]
      : [];
  }
  const settled = open.filter(({ status, kind }) =>
    status === "MANUAL_INTERVENTION" && isWell(tallies.find((one) => one.kind === kind), limits)
  );
  if (settled.length > 0) {
    await trx.updateTable("clockwork.tasks")
      .set({ status: "PENDING", run_after: sql`clockwork.now()`, attempts: 0 })
      .where("id", "in", settled.map(({ id }) => id))
      .execute();
  }
  return [];
}

/** What is still to be asked about this kind of messages; null when most of them came. */
export async function questionAbout(db: Database, vendor: string, kind: string): Promise<Reason | null> {
  const tallies = await tally(db, vendor, `completeness.${vendor}`);
  const found = tallies.find((one) => one.kind === kind);
  if (isWell(found, await readLimits(db))) return null;
  return silence(vendor, found ?? { kind, missing: 0, heard: 0 });
}

/** Of the vendor's last complete run: over all kinds first, then each. */
async function tally(db: Database | Trx, vendor: string, step: string): Promise<Tally[]> {
  const { rows } = await sql<Tally>`
    with run as (
      select id, window_from from tracker.check_runs
      where work = 'completeness' and vendor = ${vendor} and state = 'DONE'
      order by id desc limit 1
    ), told as (
      -- Of Stripe's events each has its type; the others are told by what they are about.
      select case when ${vendor} = 'stripe' then substr(step, length('stripe.') + 1)
        else split_part(step, '.', 2) end as kind, is_missing
      from (
        select found.step, true as is_missing
        from run
        join clockwork.tasks as pages on pages.step = ${step} and pages.data ->> 'run_id' = run.id::text
        join clockwork.tasks as found on found.caused_by = pages.id and split_part(found.step, '.', 1) = ${vendor}
        union all
        select heard.step, false
        from run
        join clockwork.tasks as heard on split_part(heard.step, '.', 1) = ${vendor}
          and heard.caused_by is null and heard.created_at >= run.window_from
      ) as messages
    )
    select coalesce(kind, ${ALL_KINDS}) as kind, count(*) filter (where is_missing)::int as missing,
      count(*) filter (where not is_missing)::int as heard
    from told group by rollup (kind)
    order by grouping(kind) desc, missing desc, kind
  `.execute(db);
  return rows;
}

async function readLimits(db: Database | Trx): Promise<Limits> {
  const row = await db.selectFrom("clockwork.settings")
    .select(["endpoint_silent_share", "endpoint_silent_at_least"]).executeTakeFirstOrThrow();
  return { share: Number(row.endpoint_silent_share), atLeast: row.endpoint_silent_at_least };
}

function isSilent({ missing, heard }: Tally, { share, atLeast }: Limits): boolean {
  return missing >= atLeast && missing / (missing + heard) >= share;
}

/** Only what was heard proves that an endpoint is on: nothing at all may be a quiet night. */
function isWell(tally: Tally | undefined, { share }: Limits): boolean {
  return tally !== undefined && tally.heard > 0 && tally.missing / (tally.missing + tally.heard) < share;
}

function silence(vendor: string, { kind, missing, heard }: Tally): Reason {
  return reason("ENDPOINT_SILENT", { vendor, kind, missing, total: missing + heard });
}
