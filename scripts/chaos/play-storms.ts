import { setTimeout as sleep } from "node:timers/promises";
import { EFFECT_LEASE_SECONDS } from "../../src/shared/queue/effects.ts";
import { QUEUE_LEASE_SECONDS } from "../../src/shared/queue/lease.ts";
import { shuffle } from "../sandbox/random.ts";
import type { Stack } from "../stack/stack.ts";
import { startLifeSupport } from "./life-support.ts";
import {
  calmVendors,
  disturbMail,
  killFunction,
  machineryStorms,
  silentMail,
  type Storm,
  vendorStorms,
} from "./storms.ts";
import type { Stage } from "./stage.ts";
import { type Watch, watchTasks } from "./watch.ts";

/** A little more than a dead drain's leases; only backoffs wait longer. */
const JUMP_SECONDS = Math.max(QUEUE_LEASE_SECONDS, EFFECT_LEASE_SECONDS) + 1;
/** Backoffs and holds end with time only. */
const JUMP_EVERY_ROUNDS = 3;
/** The pharmacy commits late orders after the drain had time to look, and to send again. */
const LATE_AFTER_JUMPS = 2;
const LATE_EVERY_ROUNDS = 4;
/** The storms of a round come within it. */
const ROUND_MS = 4_000;
/** A round waits so long for work to go on by itself. */
const RECOVERY_WAIT_MS = 3_000;

/**
 * Rounds of storms while the crowd buys. When work does not go on by itself, and after every third round, the drain is
 * killed and the clock moved past its leases. The clock moves only behind a killed drain: a call that is under way must
 * never outlive its lease.
 * @returns the recoveries by kind, and counts
 */
export async function playStorms(stage: Stage, minutes: number) {
  const { stack, crowd, random, progress } = stage;
  const charges = crowd.people.length;
  const watch = watchTasks(stack);
  const support = await startLifeSupport(stack, random);
  const startedAt = performance.now();
  const deadline = startedAt + minutes * 60_000;
  Object.assign(support.unsteady, { dropped: 0.2, doubled: 0.3 });
  disturbMail(stack, true);
  const machinery = endless(machineryStorms(stack, watch), random);
  const vendors = endless([...vendorStorms(stack, watch, random), silentMail(stack, watch, random)], random);
  const perRound = Math.max(
    1,
    Math.ceil(charges / Math.max(1, (minutes * 60_000 * 0.8) / (ROUND_MS + RECOVERY_WAIT_MS))),
  );
  let rounds = 0;
  const late = () => stack.vendors.pharmacy.faults.met.get("late_commit") ?? 0;
  let committed = 0;
  let jumps = 0;
  try {
    while (performance.now() < deadline) {
      rounds += 1;
      const storms = [machinery(), vendors(), vendors()];
      // A late commit is the one way to a second parcel, and needs orders that are just being made: no dice here.
      if (rounds % LATE_EVERY_ROUNDS === 1) {
        stack.vendors.pharmacy.faults.add({ kind: "late_commit", operation: "create order", times: 2 });
      }
      const left = crowd.charge(perRound);
      crowd.workPharmacy(perRound * 4);
      if (rounds % 5 === 0) crowd.changeMinds();
      const before = watch.settled();
      await Promise.all(storms.map(async (storm) => {
        await sleep(500 + random() * (ROUND_MS - 2000));
        await storm.blow();
      }));
      await untilCalm(watch);
      const still = watch.open();
      if (jumps >= LATE_AFTER_JUMPS) {
        await stack.vendors.pharmacy.faults.commitLate();
        committed = late();
      }
      if (late() === committed) jumps = 0;
      if (still.length > 0 || rounds % JUMP_EVERY_ROUNDS === 0) {
        await killAndJump(stack, watch);
        jumps += 1;
      }
      progress(
        `round ${rounds}: ${storms.map(({ name }) => name).join("; ")}: ${
          watch.settled() - before
        } settled, ` +
          `${left} charges to come${still.length > 0 ? `; nothing since: ${still.join(", ")}` : ""}`,
      );
    }
    crowd.charge(charges);
  } finally {
    Object.assign(support.unsteady, { dropped: 0, doubled: 0 });
    await calmVendors(stack);
    await sleep(4_000);
    await killAndJump(stack, watch);
    await sleep(4_000);
    await support.stop();
    await watch.stop();
    while (stack.functionPid("drain") === undefined) await sleep(20);
  }
  return {
    recoveries: watch.table(),
    rounds,
    "stormy seconds": Math.round((performance.now() - startedAt) / 1000),
    "orders the pharmacy took after our look": late(),
    ticks:
      `${support.ticks.sent} sent, ${support.ticks.doubled} of them doubled, ${support.ticks.dropped} dropped`,
    webhooks: [...stage.mail.answers].sort(([a], [b]) => a - b).map(([status, n]) =>
      `${n} answered ${status}`
    ).join(", "),
  };
}

async function untilCalm(watch: Watch): Promise<void> {
  for (
    const end = performance.now() + RECOVERY_WAIT_MS;
    performance.now() < end && watch.open().length > 0;
  ) {
    await sleep(50);
  }
}

/** The drain dies, and then time passes. */
async function killAndJump(stack: Stack, watch: Watch): Promise<void> {
  while (stack.functionPid("drain") === undefined) await sleep(20);
  await killFunction(stack, watch, "drain");
  // Its last calls arrive.
  await sleep(100);
  for (let left = 50, span = { seconds: JUMP_SECONDS };; left--) {
    try {
      return await stack.clock.pass(span);
    } catch (error) {
      if (left === 0) throw error;
      span = { seconds: 0 }; // the clock has moved already, but not in the database
      await sleep(100);
    }
  }
}

/** Each in turn, in a new order every time round. */
function endless(storms: readonly Storm[], random: () => number): () => Storm {
  let left: Storm[] = [];
  return () => {
    if (left.length === 0) left = shuffle([...storms], random);
    const next = left.pop();
    if (!next) throw new Error("there is no storm");
    return next;
  };
}
