import type { Pause, Standing, SubscriptionState } from "./standing.ts";

/** What becomes of a fill that is paid for and not sent: it ships, waits for the customer, or goes to a person. */
export type PaidFill = "SHIPS" | "WAITS" | "ASKS";

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
  // It waits for a prescription, which is asked about by itself.
  FOR_RENEWAL: undefined,
  BY_CUSTOMER: "WAITS",
};

/** A customer's own pause is waited out whatever the status says, also when the subscription has ended. */
export function paidFillOf({ state, pause }: Standing): PaidFill {
  return IN_PAUSE[pause] ?? BY_STATE[state];
}
