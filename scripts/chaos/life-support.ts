import { setTimeout as sleep } from "node:timers/promises";
import { makeCron } from "../stack/cron.ts";
import { makeNet } from "../stack/net.ts";
import type { Stack } from "../stack/stack.ts";

/** In place of ten seconds: the run has no hour to spend. */
const TICK_SECONDS = 2;
const FLUSH_EVERY_MS = 100;

/** The stand-ins of pg_cron and pg_net and the vendors' webhooks, all of them unsteady on request. */
export async function startLifeSupport(stack: Stack, random: () => number) {
  await stack.pool.query("select cron.schedule('clockwork-tick', $1, 'select clockwork.tick()')", [
    `${TICK_SECONDS} seconds`,
  ]);
  /** Shares of ticks, 0 to 1. */
  const unsteady = { dropped: 0, doubled: 0 };
  const ticks = { sent: 0, dropped: 0, doubled: 0 };
  const send: typeof fetch = async (input, init) => {
    const fate = random();
    if (fate < unsteady.dropped) {
      ticks.dropped += 1;
      throw new TypeError("the tick got lost");
    }
    ticks.sent += 1;
    if (fate < unsteady.dropped + unsteady.doubled) {
      ticks.doubled += 1;
      await fetch(input, init).then((answer) => answer.text());
    }
    return await fetch(input, init);
  };
  // Each poll fails while the database is away, as it should.
  const onError = () => {};
  const net = makeNet({ pool: stack.pool, fetch: send, onError });
  const cron = makeCron({ pool: stack.pool, now: stack.clock.now, onError });
  let stopped = false;
  const mail = (async () => {
    while (!stopped) {
      await stack.vendors.flush();
      await sleep(FLUSH_EVERY_MS);
    }
  })();
  net.start();
  cron.start();
  return {
    unsteady,
    ticks,
    async stop(): Promise<void> {
      stopped = true;
      await Promise.all([mail, cron.stop()]);
      await net.stop();
    },
  };
}
