import { update } from "./changes.ts";
import { cancel, scheduleEnd } from "./endings.ts";
import { invalidRequest } from "./errors.ts";
import type { Account } from "./account.ts";
import type { ItemChange } from "./items.ts";
import type { Interval, Metadata, Subscription } from "./objects.ts";
import { periodEnd } from "./periods.ts";
import type { ProrationBehavior } from "./prorations.ts";
import type { SchedulePhase, SubscriptionSchedule } from "./schedule-objects.ts";
import { renew, subscribe } from "./subscriptions.ts";

export interface PhaseFields {
  items: { price: string; quantity: number }[];
  /** The length of the phase, from the end of the one before it. */
  lasts?: { interval: Interval; count: number };
  /** In place of `lasts`, in epoch seconds. */
  endDate?: number;
  /** The billing of the change into this phase. Default: `create_prorations`. */
  proration?: ProrationBehavior;
  /** The phase begins a period of its own. */
  resetsAnchor?: boolean;
  metadata?: Metadata;
}

interface ScheduleFields {
  phases: PhaseFields[];
  /** Default: `release`, which leaves the subscription as its last phase made it. */
  endBehavior?: "release" | "cancel";
}

/** A schedule over an existing subscription. Its first phase is the running period, until others are set. */
export function scheduleSubscription(account: Account, subscription: Subscription): SubscriptionSchedule {
  if (subscription.schedule !== null || subscription.status === "paused") {
    throw invalidRequest("This subscription cannot be given a schedule.");
  }
  const { items, customer, billing_mode, currency } = subscription;
  const [first] = items.data;
  const phase: SchedulePhase = {
    billing_cycle_anchor: null,
    currency,
    end_date: Math.min(...items.data.map((item) => item.current_period_end)),
    items: items.data.map(({ price, quantity = 1 }) => ({ price: price.id, quantity })),
    metadata: {},
    proration_behavior: "create_prorations",
    start_date: first?.current_period_start ?? subscription.created,
    trial_end: subscription.trial_end,
  };
  const schedule = add(account, customer, billing_mode.type, [phase], "release");
  begin(schedule, subscription);
  account.events.emit("subscription_schedule.created", schedule);
  update(account, subscription, { schedule: schedule.id });
  return schedule;
}

/** A schedule that makes its own subscription: now, or on a later day by `advanceSchedule`. */
export function createSchedule(
  account: Account,
  { customerId, startDate, phases, endBehavior = "release" }: ScheduleFields & {
    customerId: string;
    /** In epoch seconds. Default: now. */
    startDate?: number;
  },
): SubscriptionSchedule {
  const now = account.state.nowSeconds();
  const planned = plan(account, startDate ?? now, phases);
  const schedule = add(account, customerId, "flexible", planned, endBehavior);
  account.events.emit("subscription_schedule.created", schedule);
  return startDate === undefined || startDate <= now ? start(account, schedule) : schedule;
}

/** Replaces the phases behind the running one. */
export function planSchedule(
  account: Account,
  schedule: SubscriptionSchedule,
  { phases, endBehavior = "release" }: ScheduleFields,
): SubscriptionSchedule {
  needOpen(schedule);
  const running = schedule.phases.filter(({ start_date }) => start_date <= account.state.nowSeconds());
  const previous = { phases: schedule.phases, end_behavior: schedule.end_behavior };
  const from = running.at(-1)?.end_date ?? account.state.nowSeconds();
  schedule.phases = [...running, ...plan(account, from, phases)];
  schedule.end_behavior = endBehavior;
  account.events.emit("subscription_schedule.updated", schedule, previous);
  endOf(account, schedule);
  return schedule;
}

/**
 * The running phase is over: the next one begins, or the schedule ends. A change that falls together with the end of a
 * period is billed by the renewal alone.
 */
export function advanceSchedule(account: Account, schedule: SubscriptionSchedule): SubscriptionSchedule {
  needOpen(schedule);
  const { state, events } = account;
  if (schedule.status === "not_started") return start(account, schedule);
  const subscription = needSubscription(account, schedule);
  const index = schedule.phases.findIndex(({ start_date }) =>
    start_date === schedule.current_phase?.start_date
  );
  const next = schedule.phases[index + 1];
  if (!next) {
    if (schedule.end_behavior !== "cancel") return releaseSchedule(account, schedule);
    Object.assign(schedule, { status: "completed", completed_at: state.nowSeconds(), current_phase: null });
    events.emit("subscription_schedule.completed", schedule);
    cancel(account, subscription);
    return schedule;
  }
  const isRenewal = subscription.items.data.every((item) => item.current_period_end === next.start_date);
  const { current_phase } = schedule;
  schedule.current_phase = { start_date: next.start_date, end_date: next.end_date };
  update(account, subscription, { metadata: { ...subscription.metadata, ...next.metadata } }, {
    items: transition(subscription, next),
    proration: isRenewal ? "none" : next.proration_behavior,
    anchor: next.billing_cycle_anchor === "phase_start" && !isRenewal ? "now" : undefined,
  });
  events.emit("subscription_schedule.updated", schedule, { current_phase });
  endOf(account, schedule);
  if (isRenewal) renew(account, subscription);
  return schedule;
}

/** Takes the schedule away and leaves the subscription as it is. */
export function releaseSchedule(account: Account, schedule: SubscriptionSchedule): SubscriptionSchedule {
  needOpen(schedule);
  const subscription = account.state.subscriptions.get(schedule.subscription ?? "");
  Object.assign(schedule, {
    status: "released",
    released_at: account.state.nowSeconds(),
    released_subscription: schedule.subscription,
    subscription: null,
    current_phase: null,
  });
  account.events.emit("subscription_schedule.released", schedule);
  if (subscription) update(account, subscription, { schedule: null });
  return schedule;
}

/** Ends the schedule and its subscription, and gives the rest of the period back at once: Stripe's defaults here. */
export function cancelSchedule(account: Account, schedule: SubscriptionSchedule): SubscriptionSchedule {
  needOpen(schedule);
  const subscription = account.state.subscriptions.get(schedule.subscription ?? "");
  if (subscription) {
    cancel(account, subscription, { prorate: true, invoiceNow: true });
    return schedule;
  }
  Object.assign(schedule, { status: "canceled", canceled_at: account.state.nowSeconds() });
  account.events.emit("subscription_schedule.canceled", schedule);
  return schedule;
}

function add(
  { state }: Account,
  customer: string,
  mode: "classic" | "flexible",
  phases: SchedulePhase[],
  end_behavior: "release" | "cancel",
): SubscriptionSchedule {
  return state.schedules.add({
    ...state.fresh("subscription_schedule", "sub_sched_1", 23),
    billing_mode: { type: mode, flexible: mode === "flexible" ? { proration_discounts: "included" } : null },
    canceled_at: null,
    completed_at: null,
    current_phase: null,
    customer,
    end_behavior,
    phases,
    released_at: null,
    released_subscription: null,
    status: "not_started",
    subscription: null,
  });
}

/** Each phase begins where the one before it ends. */
function plan({ state }: Account, from: number, phases: PhaseFields[]): SchedulePhase[] {
  let start = from;
  return phases.map(
    ({ items, lasts, endDate, proration = "create_prorations", resetsAnchor, metadata = {} }) => {
      const [first] = items;
      const recurring = state.prices.get(first?.price ?? "")?.recurring;
      const { interval, count } = lasts ??
        { interval: recurring?.interval ?? "month", count: recurring?.interval_count ?? 1 };
      const phase: SchedulePhase = {
        billing_cycle_anchor: resetsAnchor ? "phase_start" : null,
        currency: "usd",
        end_date: endDate ?? periodEnd(start, start, interval, count),
        items,
        metadata,
        proration_behavior: proration,
        start_date: start,
        trial_end: null,
      };
      start = phase.end_date;
      return phase;
    },
  );
}

function start(account: Account, schedule: SubscriptionSchedule): SubscriptionSchedule {
  const [phase] = schedule.phases;
  if (!phase) throw invalidRequest("A schedule needs a phase.");
  const subscription = subscribe(account, { customerId: schedule.customer, items: phase.items });
  begin(schedule, subscription);
  update(account, subscription, { schedule: schedule.id });
  account.events.emit("subscription_schedule.updated", schedule, { status: "not_started" });
  endOf(account, schedule);
  return schedule;
}

function begin(schedule: SubscriptionSchedule, subscription: Subscription): void {
  const [phase] = schedule.phases;
  schedule.status = "active";
  schedule.subscription = subscription.id;
  schedule.current_phase = phase ? { start_date: phase.start_date, end_date: phase.end_date } : null;
}

/** The subscription learns of its end only in the last phase. Source: "Subscription schedules", "Complete a schedule". */
function endOf(account: Account, schedule: SubscriptionSchedule): void {
  const last = schedule.phases.at(-1);
  const subscription = account.state.subscriptions.get(schedule.subscription ?? "");
  if (!subscription || !last) return;
  const ends = schedule.end_behavior === "cancel" && schedule.current_phase?.start_date === last.start_date;
  const at = ends ? last.end_date : null;
  if (subscription.cancel_at !== at) scheduleEnd(account, subscription, at, "none");
}

/** An item with the same price keeps its id; so does a single item that gets another price. */
function transition({ items: { data } }: Subscription, next: SchedulePhase): ItemChange[] {
  const [only, another] = data;
  const [target, more] = next.items;
  if (only && target && !another && !more) return [{ id: only.id, ...target }];
  const kept = next.items.map((item): ItemChange => {
    const same = data.find(({ price }) => price.id === item.price);
    return same ? { id: same.id, quantity: item.quantity } : item;
  });
  const gone = data.filter(({ price }) => !next.items.some((item) => item.price === price.id));
  return [...kept, ...gone.map(({ id }): ItemChange => ({ id, deleted: true }))];
}

function needOpen({ id, status }: SubscriptionSchedule): void {
  if (status !== "active" && status !== "not_started") {
    throw invalidRequest(`You cannot change the schedule ${id}: it is ${status}.`);
  }
}

function needSubscription({ state }: Account, { id, subscription }: SubscriptionSchedule): Subscription {
  const found = state.subscriptions.get(subscription ?? "");
  if (!found) throw invalidRequest(`The schedule ${id} has no subscription.`);
  return found;
}
