import type Stripe from "stripe";
import { VendorError } from "../contract.ts";
import { callStripe } from "./errors.ts";
import { PAGE_SIZE, readPage, startingAfter } from "./pages.ts";
import { readSnapshot, snapshotSchema } from "./snapshot.ts";
import type { StripeClient } from "./types.ts";

/** Invoices are listed by the time they were made; the longest that one is tried to be charged is two months. */
const LONGEST_UNPAID_SECONDS = 62 * 86_400;

/** What happened, as Stripe keeps it for 30 days; and what was paid, which it keeps for good. */
export function makeEvents(stripe: Stripe): Pick<StripeClient, "listEvents" | "listPaidInvoices"> {
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

    listPaidInvoices: ({ since, until, cursor }) =>
      callStripe("list paid invoices", async () => {
        const [from, to] = [toSeconds(since), toSeconds(until)];
        const { entries, next } = await readPage(cursor, (start) =>
          stripe.invoices.list({
            limit: PAGE_SIZE,
            status: "paid",
            created: { gte: from - LONGEST_UNPAID_SECONDS, lte: Math.min(to, start.createdUpTo ?? to) },
            ...startingAfter(start),
          }));
        const paid = entries.filter((invoice) => {
          const paidAt = invoice.status_transitions.paid_at ?? invoice.created;
          return paidAt >= from && paidAt <= to;
        });
        return { entries: paid.map(({ id }) => id), next };
      }),
  };
}

/** Rounded down, as Stripe rounds the time of an event: a window never misses what lies in its first second. */
function toSeconds(time: Date): number {
  return Math.floor(time.getTime() / 1000);
}

function toVendorEvent(event: object) {
  const parsed = snapshotSchema.safeParse(event);
  if (!parsed.success) throw new VendorError("stripe", "unanswered", "list events", { code: "shape" });
  return readSnapshot(parsed.data);
}
