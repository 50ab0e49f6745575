import type Stripe from "stripe";
import { VendorError } from "../contract.ts";
import { callStripe } from "./errors.ts";
import { PAGE_SIZE, readPage, startingAfter } from "./pages.ts";
import { readSnapshot, snapshotSchema } from "./snapshot.ts";
import type { StripeClient } from "./types.ts";

/** What happened, as Stripe keeps it for 30 days. */
export function makeEvents(stripe: Stripe): Pick<StripeClient, "listEvents"> {
  return {
    listEvents: ({ types, since, until, cursor }) =>
      callStripe("list events", async () => {
        // Without any type Stripe would list them all.
        if (types.length === 0) return { entries: [], next: null };
        const newest = toSeconds(until);
        const { entries, next } = await readPage(cursor, (start) =>
          stripe.events.list({
            limit: PAGE_SIZE,
            types: [...types],
            created: { gte: toSeconds(since), lte: Math.min(newest, start.createdUpTo ?? newest) },
            ...startingAfter(start),
          }));
        return { entries: entries.map(toVendorEvent), next };
      }),
  };
}

/** Rounded down, as Stripe rounds the time of an event: a window never misses what lies in its first second. */
function toSeconds(time: Date): number {
  return Math.floor(time.getTime() / 1000);
}

function toVendorEvent(event: Stripe.Event) {
  const parsed = snapshotSchema.safeParse(event);
  if (!parsed.success) throw new VendorError("stripe", "unanswered", "list events", { code: "shape" });
  return readSnapshot(parsed.data);
}
