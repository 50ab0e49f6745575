import type { EventLog } from "./events.ts";
import type { StripeState } from "./state.ts";

/** An account at Stripe: its objects and its log of events. */
export interface Account {
  state: StripeState;
  events: EventLog;
}
