import { sql } from "kysely";
import type { Database } from "../../src/shared/db/database.ts";

/** The renewals of a run by their fate, from tracker.renewals. */
export interface Funnel {
  opened: number;
  asked: number;
  reminded: number;
  lapsed: number;
  renewedInTime: number;
  renewedLate: number;
  cancelled: number;
  open: number;
}

export async function readFunnel(db: Database): Promise<Funnel> {
  const { rows } = await sql<Funnel>`
    select
      count(*)::int as opened,
      count(contacted_at)::int as asked,
      count(*) filter (where reminders > 0)::int as reminded,
      count(lapsed_at)::int as lapsed,
      count(*) filter (where state = 'RENEWED' and lapsed_at is null)::int as "renewedInTime",
      count(*) filter (where state = 'RENEWED' and lapsed_at is not null)::int as "renewedLate",
      count(*) filter (where state = 'CANCELLED')::int as cancelled,
      count(*) filter (where closed_at is null)::int as open
    from tracker.renewals`.execute(db);
  const [funnel] = rows;
  if (!funnel) throw new Error("a count gives a row");
  return funnel;
}

/** The open renewals of one day, by state. */
export interface OpenOnDay {
  scheduled: number;
  contacted: number;
  lapsed: number;
}

export async function readOpen(db: Database): Promise<OpenOnDay> {
  const { rows } = await sql<OpenOnDay>`
    select
      count(*) filter (where state = 'SCHEDULED')::int as scheduled,
      count(*) filter (where state = 'CONTACTED')::int as contacted,
      count(*) filter (where state = 'LAPSED')::int as lapsed
    from tracker.renewals where closed_at is null`.execute(db);
  return rows[0] ?? { scheduled: 0, contacted: 0, lapsed: 0 };
}

/** The funnel's bars, top down; each belongs to one shade. */
export function stagesOf(funnel: Funnel) {
  return [
    { name: "came due", count: funnel.opened, shade: "scheduled" },
    { name: "the customer was asked", count: funnel.asked, shade: "contacted" },
    { name: "reminded", count: funnel.reminded, shade: "contacted" },
    { name: "renewed in time", count: funnel.renewedInTime, shade: "renewed" },
    { name: "lapsed: a person, billing paused", count: funnel.lapsed, shade: "lapsed" },
    { name: "renewed after the lapse", count: funnel.renewedLate, shade: "renewed" },
    { name: "ended by the customer or a person", count: funnel.cancelled, shade: "ended" },
    { name: "still open on the last day", count: funnel.open, shade: "scheduled" },
  ] as const;
}
