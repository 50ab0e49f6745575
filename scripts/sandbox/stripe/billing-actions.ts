import { mustHave } from "../shelf.ts";
import * as billing from "./billing.ts";
import { payByCheckout, type PaymentRequest, settleCheckout } from "./checkout.ts";
import { endDue, scheduleEnd } from "./endings.ts";
import type { Account } from "./account.ts";
import type { Interval } from "./objects.ts";
import type { ProrationBehavior } from "./prorations.ts";
import * as schedules from "./schedules.ts";
import { endTrial, setTrialEnd } from "./trials.ts";

/** The acts about time and bills. Times in epoch seconds, amounts in cents. */
export function makeBillingActions(account: Account) {
  const { state } = account;
  const subscription = (id: string) => mustHave(state.subscriptions, id);
  const schedule = (id: string) => mustHave(state.schedules, id);
  return {
    /** The subscription ends at a time (`cancel_at`); null: it does not end. */
    cancelAt: (id: string, at: number | null, proration: ProrationBehavior = "create_prorations") =>
      scheduleEnd(account, subscription(id), at, proration),
    /** The time of `cancel_at` has come. */
    endDue: (id: string) => endDue(account, subscription(id)),
    /** Begins a trial in a paid period, puts one off, or ends one with `now`. */
    setTrialEnd: (id: string, end: number | "now", proration: ProrationBehavior = "create_prorations") =>
      setTrialEnd(account, subscription(id), end, proration),
    /** The end of the trial has come. */
    endTrial: (id: string) => endTrial(account, subscription(id)),
    /** `customer.subscription.trial_will_end`, three days before. */
    announceTrialEnd: (id: string) =>
      account.events.emit("customer.subscription.trial_will_end", subscription(id)),
    /** Gives the subscription a schedule with these phases after its running period. */
    scheduleChanges: (
      id: string,
      phases: schedules.PhaseFields[],
      endBehavior: "release" | "cancel" = "release",
    ) =>
      schedules.planSchedule(account, schedules.scheduleSubscription(account, subscription(id)), {
        phases,
        endBehavior,
      }),
    createSchedule: (fields: Parameters<typeof schedules.createSchedule>[1]) =>
      schedules.createSchedule(account, fields),
    /** The running phase is over, or a schedule that was planned for today begins. */
    advanceSchedule: (id: string) => schedules.advanceSchedule(account, schedule(id)),
    releaseSchedule: (id: string) => schedules.releaseSchedule(account, schedule(id)),
    cancelSchedule: (id: string) => schedules.cancelSchedule(account, schedule(id)),
    /** An invoice by hand. */
    invoiceCustomer: (customerId: string, positions: billing.OneOff[], succeeds = true) =>
      billing.invoiceCustomer(account, mustHave(state.customers, customerId), positions, succeeds),
    /** Bills later periods now. */
    prebill: (id: string, later: { until: number; priceIds?: string[] }) =>
      billing.prebill(account, subscription(id), later),
    /** How often pending items are billed; null: with the next period. */
    setPendingInterval: (id: string, every: { interval: Interval; count: number } | null) =>
      billing.setPendingInterval(account, subscription(id), every),
    billPending: (id: string) => billing.billPending(account, subscription(id)),
    /** A payment for things, without a subscription. */
    payByCheckout: (request: PaymentRequest) => payByCheckout(account, request),
    settleCheckout: (sessionId: string) =>
      settleCheckout(account, mustHave(state.checkoutSessions, sessionId)),
  };
}
