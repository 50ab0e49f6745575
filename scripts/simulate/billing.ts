import type { Customer, Refill } from "./customer.ts";
import { DAY_MS } from "./dice.ts";
import { fill } from "./pharmacy.ts";
import { type PriceId, SWITCHES } from "./shop.ts";
import { count, later, note, type Stage, surprise } from "./stage.ts";

/** The days between an announcement and its charge. */
const ANNOUNCED_DAYS = 7;

/** The customer subscribes; the first charge is taken at once. */
export function subscribe(stage: Stage, customer: Customer, priceId: PriceId): Refill {
  const { stripe } = stage.world.vendors;
  const subscription = stripe.subscribe({
    customerId: customer.person.stripeCustomerId,
    priceIds: [{ price: priceId, quantity: 1 }],
  });
  const refill: Refill = {
    subscriptionId: subscription.id,
    itemId: subscription.items.data[0]?.id ?? "",
    priceId,
    wish: "refill",
    wishSince: stage.world.now(),
    owed: 0,
    asked: 0,
    askedForThis: 0,
  };
  customer.refills.push(refill);
  stage.refills.set(subscription.id, { customer, refill });
  surprise(stage, customer, "a subscription begins", priceId);
  fillFor(stage, customer, refill);
  scheduleCharge(stage, customer, refill);
  return refill;
}

function fillFor(stage: Stage, customer: Customer, refill: Refill): void {
  count(stage.tally, "charges");
  fill(stage, customer, refill);
}

function stateOf(stage: Stage, { subscriptionId }: Refill) {
  const subscription = stage.world.vendors.stripe.state.subscriptions.get(subscriptionId);
  const item = subscription?.items.data[0];
  if (!subscription || !item) throw new Error(`no subscription ${subscriptionId}`);
  return { subscription, item };
}

/** Puts the next charge and its announcement down. A period that begins anew meanwhile makes both void. */
function scheduleCharge(stage: Stage, customer: Customer, refill: Refill): void {
  const { world: { vendors: { stripe }, now }, agenda } = stage;
  const due = stateOf(stage, refill).item.current_period_end;
  const isStill = () => {
    const { subscription, item } = stateOf(stage, refill);
    return subscription.status !== "canceled" && subscription.status !== "paused" &&
      item.current_period_end === due;
  };
  const announcedAt = due * 1000 - ANNOUNCED_DAYS * DAY_MS;
  if (announcedAt > now().getTime()) {
    agenda.at(announcedAt, () => {
      const { subscription } = stateOf(stage, refill);
      if (isStill() && !subscription.cancel_at_period_end) stripe.announceRenewal(refill.subscriptionId);
    });
  }
  agenda.at(due * 1000, () => {
    if (!isStill()) return;
    if (stateOf(stage, refill).subscription.cancel_at_period_end) {
      stripe.cancel(refill.subscriptionId);
      refill.wish = "ended";
      note(stage, customer, "the subscription ends with its period");
      return;
    }
    charge(stage, customer, refill);
    scheduleCharge(stage, customer, refill);
  });
}

function charge(stage: Stage, customer: Customer, refill: Refill): void {
  const { world: { vendors: { stripe } }, busy } = stage;
  const { subscription } = stateOf(stage, refill);
  const isCharged = subscription.status === "active" && !subscription.pause_collection;
  if (isCharged && customer.dice.chance(0.01 * busy)) {
    const invoice = stripe.failPayment(refill.subscriptionId);
    note(stage, customer, "a card is declined");
    later(stage, 3, () => {
      if (stripe.state.invoices.get(invoice.id)?.status !== "open") return;
      if (stateOf(stage, refill).subscription.status === "canceled" || refill.wish !== "refill") return;
      stripe.payInvoice(invoice.id);
      fillFor(stage, customer, refill);
    });
    return;
  }
  const invoice = stripe.renew(refill.subscriptionId);
  if (invoice.status !== "paid") return;
  stage.breaks.check(
    customer,
    "nobody paused or cancelled is charged",
    refill.wish !== "refill" && `${refill.subscriptionId}, ${invoice.id}`,
  );
  fillFor(stage, customer, refill);
}

function wishes(stage: Stage, refill: Refill, wish: Refill["wish"]): void {
  refill.wish = wish;
  refill.wishSince = stage.world.now();
}

/** Either kind of pause. Without our mark the pause is the customer's. */
export function pause(stage: Stage, customer: Customer, refill: Refill): void {
  const { subscription } = stateOf(stage, refill);
  if (refill.wish !== "refill" || subscription.status === "canceled") return;
  const byStatus = subscription.status === "active" && customer.dice.chance(0.5);
  const { stripe } = stage.world.vendors;
  if (byStatus) stripe.pause(refill.subscriptionId);
  else {
    delete subscription.metadata["clockwork_paused_for_renewal"];
    stripe.pauseCollection(refill.subscriptionId);
  }
  wishes(stage, refill, "pause");
  surprise(stage, customer, byStatus ? "paused (status)" : "paused (collection)");
  const days = customer.dice.weighted([[2, 10], [3, 35], [2, 70], [1, 150]]) *
    customer.dice.between(0.6, 1.4);
  later(stage, days, () => resume(stage, customer, refill));
}

function resume(stage: Stage, customer: Customer, refill: Refill): void {
  const { subscription, item } = stateOf(stage, refill);
  if (refill.wish !== "pause" || subscription.status === "canceled") return;
  wishes(stage, refill, "refill");
  surprise(stage, customer, "resumed");
  const { stripe } = stage.world.vendors;
  const before = item.current_period_end;
  // A customer's pause replaced ours, so its end ends both. The engine judges the refill anew.
  if (subscription.pause_collection) stripe.resumeCollection(refill.subscriptionId);
  if (subscription.status !== "paused") return;
  stripe.resume(refill.subscriptionId);
  if (item.current_period_end !== before) fillFor(stage, customer, refill);
  scheduleCharge(stage, customer, refill);
}

export function cancel(stage: Stage, customer: Customer, refill: Refill, atPeriodEnd: boolean): void {
  const { subscription } = stateOf(stage, refill);
  if (refill.wish === "ended" || subscription.status === "canceled") return;
  const { stripe } = stage.world.vendors;
  if (atPeriodEnd && subscription.status === "active") {
    stripe.cancelAtPeriodEnd(refill.subscriptionId);
    wishes(stage, refill, "end");
  } else {
    stripe.cancel(refill.subscriptionId);
    wishes(stage, refill, "ended");
  }
  surprise(stage, customer, atPeriodEnd ? "cancelled for the period's end" : "cancelled");
}

/** On second thoughts the customer stays. */
export function stay(stage: Stage, customer: Customer, refill: Refill): void {
  const { subscription } = stateOf(stage, refill);
  if (refill.wish !== "end" || subscription.status === "canceled") return;
  stage.world.vendors.stripe.cancelAtPeriodEnd(refill.subscriptionId, false);
  wishes(stage, refill, "refill");
  surprise(stage, customer, "a cancellation taken back");
}

/** Somebody at Stripe's dashboard turns billing on again that was paused for a renewal. */
export function resumeByHand(stage: Stage, customer: Customer, refill: Refill): void {
  const { subscription } = stateOf(stage, refill);
  if (refill.wish !== "refill" || subscription.status === "canceled" || !subscription.pause_collection) {
    return;
  }
  stage.world.vendors.stripe.resumeCollection(refill.subscriptionId);
  surprise(stage, customer, "billing resumed by hand");
}

/** The next period begins, and is charged, before its time. */
export function refillEarly(stage: Stage, customer: Customer, refill: Refill): void {
  const { subscription } = stateOf(stage, refill);
  if (refill.wish !== "refill" || subscription.status !== "active" || subscription.pause_collection) return;
  surprise(stage, customer, "an early refill");
  stage.world.vendors.stripe.changePrice(refill.subscriptionId, {
    itemId: refill.itemId,
    priceId: refill.priceId,
    prorates: false,
    anchor: "now",
  });
  fillFor(stage, customer, refill);
  scheduleCharge(stage, customer, refill);
}

/** Another dose: another product, another price, the same subscription. */
export function switchDose(stage: Stage, customer: Customer, refill: Refill): boolean {
  const to = SWITCHES[refill.priceId];
  const { subscription } = stateOf(stage, refill);
  if (!to || refill.wish !== "refill" || subscription.status !== "active") return false;
  stage.world.vendors.stripe.changePrice(refill.subscriptionId, {
    itemId: refill.itemId,
    priceId: to,
    prorates: false,
  });
  refill.priceId = to;
  // Another prescription covers it: a cycle of its own.
  refill.askedForThis = 0;
  surprise(stage, customer, "a switched dose", to);
  return true;
}
