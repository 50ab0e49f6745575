import { sql } from "kysely";
import type { Database } from "../../src/shared/db/database.ts";

/**
 * The machinery's clock is Clockwork's: what pg-boss's own TestClock does for one process, this does for every
 * process on the database.
 */
const FOLLOW_CLOCKWORKS_CLOCK = `do $$ begin
  if (select prosrc from pg_proc where oid = 'pgboss.job_now'::regproc) is distinct from 'select clockwork.now()' then
    create or replace function pgboss.job_now() returns timestamptz language sql stable as 'select clockwork.now()';
  end if;
end $$`;

export interface Span {
  seconds?: number;
  minutes?: number;
  hours?: number;
  days?: number;
}

/** Real time, moved on request: in SQL and in TypeScript alike. */
export interface Clock {
  now(): Date;
  /** Moves it forward. */
  pass(span: Span): Promise<void>;
  /** Sets it. It runs on from there. */
  moveTo(at: Date): Promise<void>;
}

/** @param offset how far it stands ahead of real time at first, in milliseconds. `begin` needs the migrations. */
export function makeClock(db: Database, offset = 0): Clock & { begin(): Promise<void> } {
  const write = async () => {
    await sql`update clockwork.settings set clock_offset = make_interval(secs => ${offset / 1000})`.execute(
      db,
    );
  };
  return {
    now: () => new Date(Date.now() + offset),
    async begin() {
      await sql.raw(FOLLOW_CLOCKWORKS_CLOCK).execute(db);
      if (offset !== 0) await write();
    },
    async pass({ seconds = 0, minutes = 0, hours = 0, days = 0 }) {
      offset += (((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1000;
      await write();
    },
    async moveTo(at) {
      offset = at.getTime() - Date.now();
      await write();
    },
  };
}
