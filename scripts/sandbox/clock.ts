import { sql } from "kysely";
import type { Database } from "../../src/shared/db/database.ts";

/**
 * Puts every process's pg-boss on Clockwork's clock. pg-boss's own TestClock serves one process. A function made anew
 * would have every connection plan its statements again, so this one is made once a database.
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
  /** Moves the clock forward. */
  pass(span: Span): Promise<void>;
  /** Sets the clock. It runs on from there. */
  moveTo(at: Date): Promise<void>;
}

/** @param offset the first lead over real time, in milliseconds. `begin` needs the migrations. */
export function makeClock(db: Database, offset = 0): Clock & { begin(): Promise<void> } {
  const write = async () => {
    const interval = sql`make_interval(secs => ${offset / 1000})`;
    await sql`update clockwork.settings set clock_offset = ${interval}`.execute(db);
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
