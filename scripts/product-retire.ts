import { setTimeout as sleep } from "node:timers/promises";
import { connect } from "../src/shared/db/database.ts";
import { databaseUrl } from "../src/shared/env.ts";
import { beginRetirement, checkRetirement, RetirementRefused } from "../src/shared/products/retirement.ts";
import { VendorError } from "../src/shared/vendors/contract.ts";
import { makeStripeClient } from "../src/shared/vendors/stripe/client.ts";
import { follow, progressBar } from "./products/follow.ts";
import { makePlan, planText, readMeanings } from "./products/plan.ts";
import { makeReport, reportText } from "./products/report.ts";
import { parseOptions, type RetireOptions, USAGE } from "./products/retire-options.ts";
import { readSettings } from "./products/settings.ts";

// `npm run product:retire -- <from> <to>`: who would be moved from a retired Stripe price to the supported one; with
// --apply it marks the price as retired and has them moved. The moves are tasks: whoever interrupts this command stops
// nothing, and running it again goes on.

const out = (text: string) => console.log(text);
const note = (text: string) => console.error(text);

async function run(options: RetireOptions): Promise<number> {
  const { env, of } = readSettings(process.env);
  if (!env.STRIPE_API_KEY) {
    throw new Error("STRIPE_API_KEY is not set: the command asks Stripe who has the price.");
  }
  const { db, close } = connect(databaseUrl(env), 2);
  try {
    const registered = await checkRetirement(db, options);
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
    const plan = await makePlan(stripe, options, () => {});
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
    const left = await makePlan(stripe, options, () => {});
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

function sentenceOf(error: unknown): string {
  if (error instanceof VendorError) {
    return error.details.code === "resource_missing"
      ? "Stripe does not have one of these prices. Is it the right account?"
      : `${error.message}. Nothing was lost: run the command again.`;
  }
  return error instanceof Error ? error.message : String(error);
}

let options: RetireOptions;
try {
  options = parseOptions(process.argv.slice(2));
} catch (error) {
  note(`${error instanceof Error ? error.message : error}\nUsage: ${USAGE}`);
  process.exit(2);
}
try {
  process.exitCode = await run(options);
} catch (error) {
  note(sentenceOf(error));
  process.exitCode = 1;
}
