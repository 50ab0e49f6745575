import type Stripe from "stripe";
import type { BillingMode, Metadata } from "./objects.ts";

type Schedule = Stripe.SubscriptionSchedule;
type Times = "canceled_at" | "completed_at" | "created" | "released_at";

/** A subscription's planned changes, with the fields that the sandbox needs. */
export type SubscriptionSchedule =
  & Pick<
    Schedule,
    | "id"
    | "object"
    | Times
    | "current_phase"
    | "end_behavior"
    | "livemode"
    | "released_subscription"
    | "status"
  >
  & {
    billing_mode: { type: BillingMode; flexible: { proration_discounts: "included" } | null };
    customer: string;
    metadata: Metadata;
    phases: SchedulePhase[];
    subscription: string | null;
  };

type PhaseTimes = "start_date" | "end_date" | "trial_end";

export type SchedulePhase =
  & Pick<Stripe.SubscriptionSchedule.Phase, PhaseTimes | "billing_cycle_anchor" | "currency">
  & {
    items: { price: string; quantity: number }[];
    metadata: Metadata;
    proration_behavior: "create_prorations" | "always_invoice" | "none";
  };
