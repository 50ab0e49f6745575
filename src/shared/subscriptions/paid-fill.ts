import type { Pause, Standing, SubscriptionState } from "./standing.ts";

/** A fill that is paid for and not placed ships, waits for the customer, or goes to a person. */
type PaidFill = "SHIPS" | "WAITS" | "ASKS";

const BY_STATE: Record<SubscriptionState, PaidFill> = {
  WANTED: "SHIPS",
  // A later charge failed; this fill is paid for.
  PAST_DUE: "SHIPS",
  UNPAID: "ASKS",
  PAUSED: "WAITS",
  INCOMPLETE: "ASKS",
  ENDED: "ASKS",
  UNKNOWN: "ASKS",
};
const IN_PAUSE: Record<Pause, PaidFill | undefined> = {
  NONE: undefined,
  // It waits for a prescription, which the renewal asks for.
  FOR_RENEWAL: undefined,
  BY_CUSTOMER: "WAITS",
};

/** A customer's own pause is waited out in every status, also when the subscription has ended. */
export function paidFillOf({ state, pause }: Standing): PaidFill {
  return IN_PAUSE[pause] ?? BY_STATE[state];
}
