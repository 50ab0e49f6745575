import type { Span } from "../sandbox/clock.ts";
import { untilStill } from "../sandbox/world.ts";
import type { Stack } from "./stack.ts";

/** The passing of time in the demo: due work is done at once, and the time between is jumped. */
export interface Life {
  /** Sends webhooks and ticks the drain until neither has anything left to do now. */
  work(): Promise<void>;
  /** Moves the clock and works. */
  pass(span: Span): Promise<void>;
  /** Jumps from retry to retry until none is due within `span`. The clock then stands at most `span` later. */
  rest(span: { minutes: number }): Promise<void>;
  /** Ticks so far. */
  ticks(): number;
}

/** Retries that are due close to each other are worked off together. */
const TOGETHER_SECONDS = 60;
/** Far more than any moment of the demo needs. */
const MOST_ROUNDS = 200;

export function makeLife({ stack, progress }: { stack: Stack; progress: (line: string) => void }): Life {
  const { vendors, pool, clock } = stack;
  let ticks = 0;

  async function work(): Promise<void> {
    await untilStill(async () => {
      ticks += 1;
      const [deliveries, drained] = await Promise.all([vendors.flush(), stack.drain()]);
      const answered = deliveries.some(({ status }) => status !== null);
      return answered || (drained !== null && drained.settled + drained.lost > 0);
    }, MOST_ROUNDS);
  }

  /** Seconds until the next task can run; null when none is due within `limit` seconds. */
  async function nextIn(limit: number): Promise<number | null> {
    const { rows } = await pool.query<{ seconds: number | null }>(`
      select extract(epoch from min(greatest(tasks.run_after, vendors.paused_until)) - clockwork.now())::float as seconds
      from clockwork.tasks join clockwork.vendors using (vendor)
      where tasks.status in ('PENDING', 'QUEUED')`);
    const seconds = rows[0]?.seconds ?? null;
    return seconds === null || seconds > limit ? null : Math.max(seconds, 0);
  }

  return {
    work,
    async pass(span) {
      await clock.pass(span);
      await work();
    },
    async rest({ minutes }) {
      let left = minutes * 60;
      for (let next = await nextIn(left); next !== null; next = await nextIn(left)) {
        const seconds = Math.ceil(next) + TOGETHER_SECONDS;
        left -= seconds;
        await clock.pass({ seconds });
        await work();
        if (left <= 0) {
          progress("some work is still being retried");
          return;
        }
      }
    },
    ticks: () => ticks,
  };
}
