import { setTimeout as sleep } from "node:timers/promises";
import { connect } from "../src/shared/db/database.ts";
import { databaseUrl } from "../src/shared/env.ts";
import { beginRetirement, checkRetirement, RetirementRefused } from "../src/shared/products/retirement.ts";
import { pharmacyZone } from "../src/shared/queue/settings.ts";
import { makeStripeClient } from "../src/shared/vendors/stripe/client.ts";
import { run } from "./command.ts";
import { follow } from "./products/follow.ts";
import { RETIRE, type RetireOptions } from "./products/options.ts";
import { makePreview, previewText, readMeanings } from "./products/preview.ts";
import { makeReport, reportText } from "./products/report.ts";
import { readSettings } from "./products/settings.ts";

// The moves are tasks: Ctrl-C stops none of them, and the same command goes on.

const out = (text: string) => console.log(text);
const note = (text: string) => console.error(text);

const STRIPE_REQUEST_EVERY_MS = 100;

async function retire(options: RetireOptions): Promise<number> {
  const { env, of } = readSettings(process.env);
  if (!env.STRIPE_API_KEY) {
    throw new Error("STRIPE_API_KEY is not set: the command asks Stripe for the price's subscribers.");
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
    const preview = await makePreview(stripe, options, timeZone);
    if (!preview.to.active) {
      throw new RetirementRefused(`Stripe no longer sells at ${options.to}: activate it there first.`);
    }
    if (!options.apply) {
      if (options.json) out(JSON.stringify(preview, null, 2));
      else {
        out(previewText(preview, { ...registered, limit: options.limit }, await readMeanings(db)));
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
    note("Ctrl-C ends this command, not the moves. Run it again to watch them.");
    const stopped = await follow(db, retirementId, note);
    const left = await makePreview(stripe, options, timeZone);
    const report = await makeReport(db, retirementId, {
      from: options.from,
      to: options.to,
      stopped,
      stillOnTheOldPrice: left.subscriptions.length,
    });
    out(options.json ? JSON.stringify(report, null, 2) : `\n${reportText(report)}`);
    return report.stopped !== null || report.waitingForAPerson.length > 0 ? 3 : 0;
  } finally {
    await close();
  }
}

await run(RETIRE, retire);
