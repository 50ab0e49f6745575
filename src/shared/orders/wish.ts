import { type Pause, standingOf, type SubscriptionState } from "../subscriptions/standing.ts";
import type { StripeSubscription } from "../vendors/stripe/client.ts";
import type { Case } from "./cases.ts";
import type { Slot } from "./credits.ts";

const BY_STATE: Record<SubscriptionState, Case> = {
  WANTED: "FINE",
  // A later charge failed; this fill is paid for.
  PAST_DUE: "FINE",
  UNPAID: "FINE",
  PAUSED_UNPAID: "FINE",
  PAUSED: "PAUSED",
  INCOMPLETE: "INCOMPLETE",
  ENDED: "ENDED",
  UNKNOWN: "UNKNOWN_STATUS",
};
const IN_PAUSE: Record<Pause, Case | undefined> = {
  NONE: undefined,
  // It waits for a prescription, which the renewal asks for.
  FOR_RENEWAL: undefined,
  BY_CUSTOMER: "PAUSED",
};

/** The case of a paid fill by its subscription as it is now. A pause is waited out in every status, also at the end. */
export function wishCaseOf(
  { line, productId, dueOn }: Slot,
  subscription: StripeSubscription,
  productOf: (priceId: string | null) => number | undefined,
): Case {
  const { state, pause, endsAt } = standingOf(subscription);
  const found = IN_PAUSE[pause] ?? BY_STATE[state];
  if (found !== "FINE") return found;
  if (endsAt !== null && endsAt <= dueOn) return "ENDS_BEFORE";
  const { items } = subscription;
  const own = items.find(({ id }) => id === line.subscriptionItemId);
  const isOwnProduct = own !== undefined && productOf(own.priceId) === productId;
  // An item that was taken out and put in again has another id.
  const item = isOwnProduct ? own : items.find(({ priceId }) => productOf(priceId) === productId);
  if (!item || (item.quantity ?? 0) < (line.quantity ?? 0)) return "PRODUCT_LEFT";
  return "FINE";
}
