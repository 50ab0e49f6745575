import type Stripe from "stripe";
import { VendorError } from "../contract.ts";
import { callStripe } from "./errors.ts";
import { PAGE_SIZE, readPage } from "./pages.ts";
import { readSnapshot, snapshotSchema } from "./snapshot.ts";
import type { StripeEvents } from "./types.ts";

/** Stripe lists invoices by their creation, and tries to charge one for two months at most. */
const LONGEST_UNPAID_SECONDS = 62 * 86_400;

export function makeEvents(stripe: Stripe): StripeEvents {
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
            ...start,
            created: { gte: toSeconds(since), lte: Math.min(newest, start.created?.lte ?? newest) },
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
            ...start,
            created: { gte: from - LONGEST_UNPAID_SECONDS, lte: Math.min(to, start.created?.lte ?? to) },
          }));
        const paid = entries.filter((invoice) => {
          const paidAt = invoice.status_transitions.paid_at ?? invoice.created;
          return paidAt >= from && paidAt <= to;
        });
        return { entries: paid.map(({ id }) => id), next };
      }),
  };
}

/** Rounded down, as Stripe rounds the time of an event: a window never misses an event of its first second. */
function toSeconds(time: Date): number {
  return Math.floor(time.getTime() / 1000);
}

function toVendorEvent(event: object) {
  const parsed = snapshotSchema.safeParse(event);
  if (!parsed.success) throw new VendorError("stripe", "unanswered", "list events", { code: "shape" });
  return readSnapshot(parsed.data);
}
