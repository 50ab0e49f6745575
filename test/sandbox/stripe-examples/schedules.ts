import type { Example } from "./example.ts";
import { day, seconds, subscriber } from "./subscriber.ts";

const SCHEDULES = {
  title: "Subscription schedules",
  url: "https://docs.stripe.com/billing/subscriptions/subscription-schedules",
};
const PENDING = {
  title: "Pending updates",
  url: "https://docs.stripe.com/billing/subscriptions/pending-updates",
};
const ENUMS = {
  title: "Adds helpers to cancel subscriptions for billing periods with mixed intervals",
  url: "https://docs.stripe.com/changelog/basil/2025-07-30/cancel-at-enums",
};

const month = (count: number) => ({ interval: "month" as const, count });

export const SCHEDULE_EXAMPLES: readonly Example[] = [
  {
    ...SCHEDULES,
    says: "an installment plan: 1,000 a month for 6 months, 6,000 in all, then it is over",
    expected: {
      cancel_at: "2027-07-01",
      totals: [100_000, 100_000, 100_000, 100_000, 100_000, 100_000],
      paid: 600_000,
      status: "canceled",
      schedule: "completed",
    },
    play({ clock, sandbox, customerId, prices }) {
      const [price = ""] = prices(100_000);
      const schedule = sandbox.createSchedule({
        customerId,
        phases: [{ items: [{ price, quantity: 1 }], lasts: month(6) }],
        endBehavior: "cancel",
      });
      const id = schedule.subscription ?? "";
      const cancel_at = day(sandbox.state.subscriptions.get(id)?.cancel_at);
      for (let n = 1; n < 6; n++) sandbox.renew(id);
      clock.now = new Date("2027-07-01T00:00:00Z");
      sandbox.advanceSchedule(schedule.id);
      const totals = [...sandbox.state.invoices.values()].map(({ total }) => total);
      return {
        cancel_at,
        totals,
        paid: totals.reduce((sum, total) => sum + total, 0),
        status: sandbox.state.subscriptions.get(id)?.status,
        schedule: schedule.status,
      };
    },
  },
  {
    ...SCHEDULES,
    says: "print alone for a month, then print and digital for eleven, then released (prices of our own)",
    expected: {
      first: [1000],
      second: [1000, 500],
      phases: ["2027-01-01 to 2027-02-01", "2027-02-01 to 2028-01-01"],
      status: "released",
      schedule: null,
    },
    play({ clock, sandbox, customerId, prices }) {
      const [print = "", digital = ""] = prices(1000, 500);
      const paper = { price: print, quantity: 1 };
      const schedule = sandbox.createSchedule({
        customerId,
        phases: [
          { items: [paper], lasts: month(1) },
          { items: [paper, { price: digital, quantity: 1 }], lasts: month(11) },
        ],
      });
      const phases = schedule.phases.map((one) => `${day(one.start_date)} to ${day(one.end_date)}`);
      const id = schedule.subscription ?? "";
      clock.now = new Date("2027-02-01T00:00:00Z");
      sandbox.advanceSchedule(schedule.id);
      const [first, second] = [...sandbox.state.invoices.values()]
        .map(({ lines }) => lines.data.map(({ amount }) => amount));
      clock.now = new Date("2028-01-01T00:00:00Z");
      sandbox.advanceSchedule(schedule.id);
      return {
        first,
        second,
        phases,
        status: schedule.status,
        schedule: sandbox.state.subscriptions.get(id)?.schedule,
      };
    },
  },
  {
    ...SCHEDULES,
    says: "one unit for a month, then two (a price of our own)",
    expected: { first: [1000], second: [2000] },
    play({ clock, sandbox, customerId, prices }) {
      const [price = ""] = prices(1000);
      const schedule = sandbox.createSchedule({
        customerId,
        phases: [1, 2].map((quantity) => ({ items: [{ price, quantity }], lasts: month(1) })),
      });
      clock.now = new Date("2027-02-01T00:00:00Z");
      sandbox.advanceSchedule(schedule.id);
      const [first, second] = [...sandbox.state.invoices.values()]
        .map(({ lines }) => lines.data.map(({ amount }) => amount));
      return { first, second };
    },
  },
  {
    ...SCHEDULES,
    says: "the time of the end is on the subscription only in the last phase",
    expected: { before: null, after: "2027-03-01" },
    play({ clock, sandbox, customerId, prices }) {
      const [a = "", b = ""] = prices(1000, 2000);
      const schedule = sandbox.createSchedule({
        customerId,
        phases: [a, b].map((price) => ({ items: [{ price, quantity: 1 }], lasts: month(1) })),
        endBehavior: "cancel",
      });
      const end = () => day(sandbox.state.subscriptions.get(schedule.subscription ?? "")?.cancel_at);
      const before = end();
      clock.now = new Date("2027-02-01T00:00:00Z");
      sandbox.advanceSchedule(schedule.id);
      return { before, after: end() };
    },
  },
  {
    ...PENDING,
    says: "a change whose payment fails waits 23 hours, then its invoice is void and nothing has changed",
    expected: { waits: 23 * 3600, price: "price_0_1000", invoice: "void", pending: null },
    play(stripe) {
      const one = subscriber(stripe, "2027-01-01T00:00:00Z", [1000, 2000], {
        items: [{ price: "price_0_1000", quantity: 1 }],
      });
      one.goTo("2027-01-10T00:00:00Z");
      stripe.sandbox.failChange(one.id, one.item(), { price: "price_1_2000" });
      const { pending_update } = one.subscription;
      const waits = (pending_update?.expires_at ?? 0) - seconds("2027-01-10T00:00:00Z");
      stripe.sandbox.expirePendingUpdate(one.id);
      return {
        waits,
        price: one.subscription.items.data[0]?.price.id,
        invoice: one.latest()?.status,
        pending: one.subscription.pending_update,
      };
    },
  },
  {
    ...PENDING,
    says: "the payment of its invoice makes the change",
    expected: { before: "price_0_1000", after: "price_1_2000", status: "active", invoice: "paid" },
    play(stripe) {
      const one = subscriber(stripe, "2027-01-01T00:00:00Z", [1000, 2000], {
        items: [{ price: "price_0_1000", quantity: 1 }],
      });
      stripe.sandbox.failChange(one.id, one.item(), { price: "price_1_2000" });
      const price = () => one.subscription.items.data[0]?.price.id;
      const before = price();
      const { status: invoice } = stripe.sandbox.payInvoice(one.latest()?.id ?? "");
      return { before, after: price(), status: one.subscription.status, invoice };
    },
  },
  {
    ...ENUMS,
    says: "cancel_at_period_end is the earliest end of an item's period",
    expected: { cancel_at: "2027-02-01", mark: true },
    play(stripe) {
      stripe.sandbox.addPrice({ id: "month", interval: "month", intervalCount: 1, amount: 1000 });
      stripe.sandbox.addPrice({ id: "quarter", interval: "month", intervalCount: 3, amount: 2000 });
      const one = subscriber(stripe, "2027-01-01T00:00:00Z", [], {
        items: [{ price: "quarter", quantity: 1 }, { price: "month", quantity: 1 }],
      });
      const { cancel_at, cancel_at_period_end: mark } = stripe.sandbox.cancelAtPeriodEnd(one.id);
      return { cancel_at: day(cancel_at), mark };
    },
  },
  {
    title: "Cancel a subscription",
    url: "https://docs.stripe.com/api/subscriptions/cancel",
    says: "ended at once, its pending prorations go unless they are billed; what was added by hand stays",
    expected: { dropped: [500], kept: [-500, 1000, -1000, 500] },
    play(stripe) {
      const change = (how: { prorate?: boolean }) => {
        const one = subscriber(stripe, "2027-04-01T00:00:00Z", [1000, 2000], {
          items: [{ price: "price_0_1000", quantity: 1 }],
        });
        one.goTo("2027-04-16T00:00:00Z");
        stripe.sandbox.changePrice(one.id, { itemId: one.item(), priceId: "price_1_2000" });
        stripe.sandbox.addInvoiceItem(one.id, 500);
        stripe.sandbox.cancel(one.id, how);
        const own = [...stripe.sandbox.state.invoiceItems.values()]
          .filter(({ parent }) => parent?.subscription_details.subscription === one.id);
        return own.map(({ amount }) => amount);
      };
      const [back, more, fee, rest] = change({ prorate: true });
      return { dropped: change({}), kept: [back, more, rest, fee] };
    },
  },
  {
    title: "Pause subscriptions",
    url: "https://docs.stripe.com/billing/subscriptions/pause",
    says:
      "the reason of a pause is in status_details, and the period ends with it where unused time is given back",
    expected: {
      details: {
        paused: {
          subscription: { type: "pause_requested" },
          transitioned_at: seconds("2027-04-16T00:00:00Z"),
          type: "subscription",
        },
      },
      end: "2027-04-16",
      pending: [-500],
    },
    play(stripe) {
      const one = subscriber(stripe, "2027-04-01T00:00:00Z", [1000]);
      one.goTo("2027-04-16T00:00:00Z");
      stripe.sandbox.pause(one.id, { credits: true });
      return {
        details: one.subscription.status_details,
        end: day(one.subscription.items.data[0]?.current_period_end),
        pending: one.pending(),
      };
    },
  },
];
