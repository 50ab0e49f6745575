import { z } from "zod";

const stripeBody = z.object({
  id: z.string(),
  type: z.string(),
  snapshot_event: z.string().nullish(),
  related_object: z.object({ id: z.string() }).nullish(),
  data: z.object({ object: z.looseObject({ id: z.string().nullish() }) }).nullish(),
});

export type Mail = ReturnType<typeof makeMail>;

/**
 * The way from the vendors' outboxes to our endpoint. It counts messages, and can delay one as a broken network would:
 * the vendor tries again.
 */
export function makeMail() {
  const posts = new Map<string, number>();
  const answers = new Map<number, number>();
  const snapshotOf = new Map<string, string>();
  const delayedInvoices = new Set<string>();
  let delays = 0;
  const send: typeof fetch = async (input, init) => {
    const path = new URL(String(input)).pathname.split("/").at(-1) ?? "";
    if (path === "stripe" && typeof init?.body === "string") {
      const event = stripeBody.parse(JSON.parse(init.body));
      if (event.snapshot_event) snapshotOf.set(event.id, event.snapshot_event);
      const about = event.related_object?.id ?? event.data?.object.id ?? "";
      if (/^(v1\.)?invoice\.paid$/.test(event.type) && delayedInvoices.has(about)) {
        delays += 1;
        throw new TypeError("the network is slow for this one");
      }
    }
    const response = await fetch(input, init);
    posts.set(path, (posts.get(path) ?? 0) + 1);
    answers.set(response.status, (answers.get(response.status) ?? 0) + 1);
    return response;
  };
  return {
    fetch: send,
    /** POSTs that got an answer, by path of the endpoint. */
    posts,
    /** Answers by status. */
    answers,
    /** A thin Stripe event's id to the id of its snapshot event. */
    snapshotOf,
    /** Invoices with a delayed `invoice.paid`. */
    delayedInvoices,
    /** The number of delayed messages. */
    delays: () => delays,
  };
}
