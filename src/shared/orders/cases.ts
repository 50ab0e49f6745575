import type { CancelCause } from "./orders.ts";

/**
 * The policy of paid fills, as data: for each case, the treatment of a fill by the state of its order. The table in
 * `docs/what-ships.md` is made of it.
 */

/** A fill is not sent: it ships, waits for something that passes, is held until a person answers, or is called off. */
type NotSent = "ships" | "waits" | "held" | "called off";
/** The pharmacy has the order, and the parcel has not left: the order stays, a person is asked, or it is cancelled there. */
type Sent = "stays" | "asked" | "cancelled";
/** The parcel is on its way: nothing, a person is asked about the case, or is told that it is too late for a cancel. */
type Left = "nothing" | "asked" | "too late";

/** A case, in words for support, and its treatment. */
export interface Treatment {
  when: string;
  notSent: NotSent;
  sent: Sent;
  left: Left;
  /** The cause of a cancel, where there is one. */
  cause?: CancelCause;
}

export const TREATMENTS = {
  FINE: { when: "paid, wanted, and not in question", notSent: "ships", sent: "stays", left: "nothing" },
  CALLED_OFF: {
    when: "a person answered a question about it with call_off",
    notSent: "called off",
    sent: "cancelled",
    left: "nothing",
    cause: "person",
  },

  // The money.
  NOT_PAID: {
    when: "the invoice is open, void or given up",
    notSent: "called off",
    sent: "cancelled",
    left: "too late",
    cause: "voided",
  },
  ALL_BACK: {
    when: "nothing is kept of what was paid",
    notSent: "called off",
    sent: "cancelled",
    left: "too late",
    cause: "refunded",
  },
  DISPUTE_LOST: {
    when: "a dispute was lost, and nothing is kept",
    notSent: "called off",
    sent: "cancelled",
    left: "too late",
    cause: "disputed",
  },
  SLOT_CREDITED: {
    when: "a change of the subscription took the slot's payment back",
    notSent: "called off",
    sent: "cancelled",
    left: "nothing",
    cause: "refunded",
  },
  LINE_CREDITED: {
    when: "credit notes give the whole line back",
    notSent: "called off",
    sent: "cancelled",
    left: "too late",
    cause: "refunded",
  },
  REST_CREDITED: {
    when: "credit notes give back the share of the fills that are not sent",
    notSent: "called off",
    sent: "stays",
    left: "nothing",
    cause: "refunded",
  },
  PART_BACK: {
    when: "part of the money went back, and nothing says for which fills",
    notSent: "held",
    sent: "asked",
    left: "nothing",
  },
  INQUIRED: {
    when: "the customer's bank asks about the charge",
    notSent: "waits",
    sent: "stays",
    left: "nothing",
  },
  DISPUTED: {
    when: "an open dispute takes everything",
    notSent: "held",
    sent: "cancelled",
    left: "asked",
    cause: "disputed",
  },
  PART_DISPUTED: { when: "an open dispute takes a part", notSent: "held", sent: "asked", left: "nothing" },

  // The wish.
  INCOMPLETE: {
    when: "the first payment is being confirmed",
    notSent: "waits",
    sent: "stays",
    left: "nothing",
  },
  PAUSED: { when: "the customer paused", notSent: "waits", sent: "stays", left: "nothing" },
  ENDS_BEFORE: {
    when: "the subscription ends on or before the fill's day",
    notSent: "held",
    sent: "stays",
    left: "nothing",
  },
  ENDED: {
    when: "the subscription has ended, and nothing went back",
    notSent: "held",
    sent: "stays",
    left: "nothing",
  },
  UNKNOWN_STATUS: {
    when: "Stripe has a status of the subscription that nobody knows",
    notSent: "held",
    sent: "stays",
    left: "nothing",
  },
  PRODUCT_LEFT: {
    when: "the subscription's item is for another product now, is gone, or has fewer units",
    notSent: "held",
    sent: "asked",
    left: "nothing",
  },
} as const satisfies Record<string, Treatment>;

export type Case = keyof typeof TREATMENTS;
