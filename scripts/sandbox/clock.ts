import type { Pool } from "pg";

/**
 * The machinery's clock is Clockwork's: what pg-boss's own TestClock does for one process, this does for every
 * process of the local stack.
 */
export const FOLLOW_CLOCKWORKS_CLOCK =
  `create or replace function pgboss.job_now() returns timestamptz language sql stable as 'select clockwork.now()'`;

export interface Span {
  seconds?: number;
  minutes?: number;
  hours?: number;
  days?: number;
}

export function milliseconds({ seconds = 0, minutes = 0, hours = 0, days = 0 }: Span): number {
  return (((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1000;
}

/** A clock for the whole local stack: real time, moved forward on request. */
export interface StackClock {
  now(): Date;
  /** Moves it forward, in SQL and (within {@link FUNCTIONS_FOLLOW_MS}) in the functions alike. */
  pass(span: Span): Promise<void>;
}

/** The functions read the moved clock anew after 100 ms (src/shared/wiring.ts); a little more to be sure. */
export const FUNCTIONS_FOLLOW_MS = 120;

export function makeClock(pool: Pool, startAt: number): StackClock & { begin(): Promise<void> } {
  let offset = startAt;
  const write = async () => {
    await pool.query("update clockwork.settings set clock_offset = make_interval(secs => $1)", [
      offset / 1000,
    ]);
  };
  return {
    now: () => new Date(Date.now() + offset),
    async begin() {
      await pool.query(FOLLOW_CLOCKWORKS_CLOCK);
      if (offset !== 0) await write();
    },
    async pass(span) {
      offset += milliseconds(span);
      await write();
      await new Promise((resolve) => setTimeout(resolve, FUNCTIONS_FOLLOW_MS));
    },
  };
}
