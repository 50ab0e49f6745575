import { z } from "zod";

/**
 * The way from the vendors' outboxes to our endpoint: counts what goes through it, and can hold a message back,
 * as a broken network would, until it is let go. The vendor just tries again.
 */
export interface Mail {
  fetch: typeof fetch;
  /** POSTs that got an answer, by path of the endpoint. */
  posts: Map<string, number>;
  /** Answers by status. */
  answers: Map<number, number>;
  /** A thin Stripe event's id to the id of its snapshot event. */
  snapshotOf: Map<string, string>;
  /** Holds back `invoice.paid` of these invoices. */
  heldInvoices: Set<string>;
  /** How often a message was held back. */
  held(): number;
}

const stripeBody = z.object({
  id: z.string(),
  type: z.string(),
  snapshot_event: z.string().nullish(),
  related_object: z.object({ id: z.string() }).nullish(),
  data: z.object({ object: z.looseObject({ id: z.string().nullish() }) }).nullish(),
});

export function makeMail(): Mail {
  const posts = new Map<string, number>();
  const answers = new Map<number, number>();
  const snapshotOf = new Map<string, string>();
  const heldInvoices = new Set<string>();
  let held = 0;
  return {
    posts,
    answers,
    snapshotOf,
    heldInvoices,
    held: () => held,
    async fetch(input, init) {
      const path = new URL(String(input)).pathname.split("/").at(-1) ?? "";
      if (path === "stripe" && typeof init?.body === "string") {
        const event = stripeBody.parse(JSON.parse(init.body));
        if (event.snapshot_event) snapshotOf.set(event.id, event.snapshot_event);
        const about = event.related_object?.id ?? event.data?.object.id ?? "";
        if (/^(v1\.)?invoice\.paid$/.test(event.type) && heldInvoices.has(about)) {
          held += 1;
          throw new TypeError("the network is slow for this one");
        }
      }
      const response = await fetch(input, init);
      posts.set(path, (posts.get(path) ?? 0) + 1);
      answers.set(response.status, (answers.get(response.status) ?? 0) + 1);
      return response;
    },
  };
}
