import { setTimeout as sleep } from "node:timers/promises";
import { connect } from "../src/shared/db/database.ts";
import { databaseUrl } from "../src/shared/env.ts";
import { beginRetirement, checkRetirement, RetirementRefused } from "../src/shared/products/retirement.ts";
import { pharmacyZone } from "../src/shared/queue/settings.ts";
import { makeStripeClient } from "../src/shared/vendors/stripe/client.ts";
import { run } from "./command.ts";
import { follow, progressBar } from "./products/follow.ts";
import { makePlan, planText, readMeanings } from "./products/plan.ts";
import { makeReport, reportText } from "./products/report.ts";
import { RETIRE, type RetireOptions } from "./products/options.ts";
import { readSettings } from "./products/settings.ts";

// The moves are tasks: whoever interrupts this command stops nothing, and running it again goes on.

const out = (text: string) => console.log(text);
const note = (text: string) => console.error(text);

async function retire(options: RetireOptions): Promise<number> {
  const { env, of } = readSettings(process.env);
  if (!env.STRIPE_API_KEY) {
    throw new Error("STRIPE_API_KEY is not set: the command asks Stripe who has the price.");
  }
  const { db, close } = connect(databaseUrl(env), 2);
  try {
    const registered = await checkRetirement(db, options);
    const timeZone = await pharmacyZone(db);
    note(`Of ${of}, at Stripe's ${env.STRIPE_API_KEY.includes("_live_") ? "LIVE" : "test"} account`);
    const stripe = makeStripeClient({
      apiKey: env.STRIPE_API_KEY,
      // One request at a time, and the drain keeps to its own rate: far below Stripe's limits together.
      fetch: async (...request) => {
        await sleep(STRIPE_REQUEST_EVERY_MS);
        return await fetch(...request);
      },
      ...(env.STRIPE_API_URL ? { baseUrl: env.STRIPE_API_URL } : {}),
    });
    const plan = await makePlan(stripe, options, timeZone);
    if (!plan.to.active) {
      throw new RetirementRefused(`Stripe no longer sells at ${options.to}: activate it there first.`);
    }
    if (!options.apply) {
      if (options.json) out(JSON.stringify(plan, null, 2));
      else {
        out(planText(plan, { ...registered, limit: options.limit }, await readMeanings(db)));
        out("\nNothing was changed. Add --apply to do it.");
      }
      return 0;
    }
    const { retirementId, pass, resumed } = await beginRetirement(db, {
      from: options.from,
      to: options.to,
      atMost: options.limit,
      movesPerSecond: options.pace,
    });
    note(
      resumed
        ? `Pass ${pass} is under way and goes on.`
        : `${options.from} is marked as retired. Pass ${pass} over its subscribers has begun.`,
    );
    note("Ctrl-C ends this command, not the moves. Run it again to look on.");
    const end = await follow(db, retirementId, {
      show: showProgress(),
      say: note,
      wait: (s) => sleep(s * 1000),
    });
    const left = await makePlan(stripe, options, timeZone);
    const report = await makeReport(db, retirementId, {
      from: options.from,
      to: options.to,
      stopped: end.stoppedPage,
      stillOnTheOldPrice: left.subscriptions.length,
    });
    out(options.json ? JSON.stringify(report, null, 2) : `\n${reportText(report)}`);
    return report.stopped !== null || report.waitingForAPerson.length > 0 ? 3 : 0;
  } finally {
    await close();
  }
}

const STRIPE_REQUEST_EVERY_MS = 100;

/** One line that is drawn anew on a terminal; elsewhere a line whenever something changed. */
function showProgress() {
  let last = "";
  return (
    { waiting, settled, withPerson, isListed }: Parameters<Parameters<typeof follow>[2]["show"]>[0],
  ) => {
    const done = settled + withPerson;
    const line = `${progressBar(done, done + waiting)}${isListed ? "" : " so far"}${
      withPerson > 0 ? `, ${withPerson} with a person` : ""
    }`;
    if (line === last) return;
    last = line;
    if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${line}`);
    else note(line);
  };
}

await run(RETIRE, retire);
