import type { Example } from "./example.ts";
import { day, seconds, subscriber } from "./subscriber.ts";

const CYCLE = {
  title: "Set the subscription billing renewal date",
  url: "https://docs.stripe.com/billing/subscriptions/billing-cycle",
};
const BACKDATING = {
  title: "Backdate subscriptions",
  url: "https://docs.stripe.com/billing/subscriptions/backdating",
};
const MIXED = {
  title: "Mixed interval subscriptions",
  url: "https://docs.stripe.com/billing/subscriptions/mixed-interval",
};
const COMPARE = {
  title: "Compare classic and flexible billing mode",
  url: "https://docs.stripe.com/billing/subscriptions/billing-mode/compare",
};

/** A backdated subscription in classic mode: the one line of its first invoice, for a price of 10. */
const backdated = (today: string, first: string, anchor: string): Example["play"] => (stripe) => {
  const one = subscriber(stripe, today, [1000], {
    mode: "classic",
    backdate: seconds(first),
    anchor: seconds(anchor),
  });
  return { amounts: one.amounts(), spans: one.spans() };
};

/** Free in January, paid in February, free again in March: the start of the trial. */
const secondTrial = (mode: "classic" | "flexible"): Example["play"] => (stripe) => {
  const one = subscriber(stripe, "2027-01-01T00:00:00Z", [1000], {
    mode,
    trialEnd: seconds("2027-02-01T00:00:00Z"),
  });
  one.goTo("2027-02-01T00:00:00Z");
  stripe.sandbox.renew(one.id);
  one.goTo("2027-03-01T00:00:00Z");
  stripe.sandbox.renew(one.id);
  stripe.sandbox.setTrialEnd(one.id, seconds("2027-04-01T00:00:00Z"), "none");
  return { trial_start: day(one.subscription.trial_start), trial_end: day(one.subscription.trial_end) };
};

export const PERIOD_EXAMPLES: readonly Example[] = [
  {
    ...CYCLE,
    says: "an anchor on 31 January bills on the last day of February, then on 31 March and 30 April",
    expected: { dates: ["2027-02-28", "2027-03-31", "2027-04-30"] },
    play(stripe) {
      const one = subscriber(stripe, "2027-01-31T12:00:00Z", [1000]);
      const dates = [1, 2, 3].map(() => {
        const end = one.subscription.items.data[0]?.current_period_end;
        stripe.sandbox.renew(one.id);
        return day(end);
      });
      return { dates };
    },
  },
  {
    ...CYCLE,
    says: "without prorations the time up to the anchor is free: no invoice until the first whole period",
    expected: { invoices: 0, status: "active", first: [1000], span: ["2027-02-01 to 2027-03-01"] },
    play(stripe) {
      const one = subscriber(stripe, "2027-01-20T00:00:00Z", [1000], {
        anchor: seconds("2027-02-01T00:00:00Z"),
        prorates: false,
      });
      const before = { invoices: one.invoices().length, status: one.subscription.status };
      one.goTo("2027-02-01T00:00:00Z");
      stripe.sandbox.renew(one.id);
      return { ...before, first: one.amounts(), span: one.spans() };
    },
  },
  {
    ...CYCLE,
    says: "with the default the time up to the anchor is a prorated invoice (a price of our own: 31)",
    expected: { lines: [1200], prorations: [true], next: [3100] },
    play(stripe) {
      const one = subscriber(stripe, "2027-01-20T00:00:00Z", [3100], {
        anchor: seconds("2027-02-01T00:00:00Z"),
      });
      const lines = one.amounts();
      const prorations = one.latest()?.lines.data
        .map(({ parent }) => parent?.subscription_item_details?.proration);
      one.goTo("2027-02-01T00:00:00Z");
      return { lines, prorations, next: one.amounts(stripe.sandbox.renew(one.id)) };
    },
  },
  {
    ...CYCLE,
    says:
      "a trial from 15 July to 1 August in a month paid until 23 July: 0 now, nothing on the 23rd, then a whole one",
    expected: {
      july15: 0,
      invoices: 2,
      august1: 1000,
      anchor: "2027-08-01",
      period: "2027-08-01 to 2027-09-01",
    },
    play(stripe) {
      const one = subscriber(stripe, "2027-06-23T00:00:00Z", [1000]);
      one.goTo("2027-07-15T00:00:00Z");
      stripe.sandbox.setTrialEnd(one.id, seconds("2027-08-01T00:00:00Z"), "none");
      const july15 = one.latest()?.total;
      const invoices = one.invoices().length;
      one.goTo("2027-08-01T00:00:00Z");
      const august1 = stripe.sandbox.endTrial(one.id)?.total;
      const { billing_cycle_anchor } = one.subscription;
      return { july15, invoices, august1, anchor: day(billing_cycle_anchor), period: one.periods()[0] };
    },
  },
  {
    title: "Use free trial periods on subscriptions",
    url: "https://docs.stripe.com/billing/subscriptions/trials/free-trials",
    says:
      "7 free days from 15 July, a prorated invoice on the 22nd, whole ones from 1 August (a price of our own: 31)",
    expected: {
      july15: [0],
      july22: [1000],
      july22span: ["2027-07-22 to 2027-08-01"],
      august1: [3100],
      september1: [3100],
    },
    play(stripe) {
      const one = subscriber(stripe, "2027-07-15T00:00:00Z", [3100], {
        trialEnd: seconds("2027-07-22T00:00:00Z"),
        anchor: seconds("2027-08-01T00:00:00Z"),
      });
      const july15 = one.amounts();
      stripe.sandbox.endTrial(one.id);
      const july22 = one.amounts();
      const july22span = one.spans();
      const august1 = one.amounts(stripe.sandbox.renew(one.id));
      return { july15, july22, july22span, august1, september1: one.amounts(stripe.sandbox.renew(one.id)) };
    },
  },
  {
    ...COMPARE,
    says: "classic keeps the start of the first trial",
    expected: { trial_start: "2027-01-01", trial_end: "2027-04-01" },
    play: secondTrial("classic"),
  },
  {
    ...COMPARE,
    says: "flexible has the start of the latest trial",
    expected: { trial_start: "2027-03-01", trial_end: "2027-04-01" },
    play: secondTrial("flexible"),
  },
  {
    ...BACKDATING,
    says: "from 15 February to 1 March is exactly half of a month (a price of our own: 10)",
    expected: { amounts: [500], spans: ["2027-02-15 to 2027-03-01"] },
    play: backdated("2027-02-20T00:00:00Z", "2027-02-15T00:00:00Z", "2027-03-01T00:00:00Z"),
  },
  {
    ...BACKDATING,
    says: "from 15 January to 1 February is 17 of 31 days, 0.548 of a month (a price of our own: 10)",
    expected: { amounts: [548], spans: ["2027-01-15 to 2027-02-01"] },
    play: backdated("2027-01-20T00:00:00Z", "2027-01-15T00:00:00Z", "2027-02-01T00:00:00Z"),
  },
  {
    ...BACKDATING,
    says:
      "on 15 October, from 1 September with the anchor on 1 November: one invoice for all of it, the next then",
    expected: {
      start: "2027-09-01",
      spans: ["2027-09-01 to 2027-11-01"],
      next: ["2027-11-01 to 2027-12-01"],
    },
    play(stripe) {
      const one = subscriber(stripe, "2027-10-15T00:00:00Z", [1000], {
        mode: "classic",
        backdate: seconds("2027-09-01T00:00:00Z"),
        anchor: seconds("2027-11-01T00:00:00Z"),
      });
      const spans = one.spans();
      one.goTo("2027-11-01T00:00:00Z");
      return {
        start: day(one.subscription.start_date),
        spans,
        next: one.spans(stripe.sandbox.renew(one.id)),
      };
    },
  },
  {
    ...MIXED,
    says: "15 a month and 100 a quarter from 1 January: both, the month alone twice, both again on 1 April",
    expected: {
      january: [[1500, 10_000], ["2024-01-01 to 2024-02-01", "2024-01-01 to 2024-04-01"]],
      february: [1500],
      march: [1500],
      april: [1500, 10_000],
    },
    play(stripe) {
      const { sandbox } = stripe;
      sandbox.addPrice({ id: "month", interval: "month", intervalCount: 1, amount: 1500 });
      sandbox.addPrice({ id: "quarter", interval: "month", intervalCount: 3, amount: 10_000 });
      const one = subscriber(stripe, "2024-01-01T00:00:00Z", [], {
        items: [{ price: "month", quantity: 1 }, { price: "quarter", quantity: 1 }],
      });
      const january = [one.amounts(), one.spans()];
      const [february, march, april] = [1, 2, 3].map(() => one.amounts(sandbox.renew(one.id)));
      return { january, february, march, april };
    },
  },
  {
    ...MIXED,
    says:
      "items of one, two and three months have periods of their own, after the first and the second renewal",
    expected: {
      once: ["2027-02-01 to 2027-03-01", "2027-01-01 to 2027-03-01", "2027-01-01 to 2027-04-01"],
      twice: ["2027-03-01 to 2027-04-01", "2027-03-01 to 2027-05-01", "2027-01-01 to 2027-04-01"],
    },
    play(stripe) {
      const items = [1, 2, 3].map((intervalCount) => {
        const price = `every_${intervalCount}`;
        stripe.sandbox.addPrice({ id: price, interval: "month", intervalCount, amount: 1000 });
        return { price, quantity: 1 };
      });
      const one = subscriber(stripe, "2027-01-01T00:00:00Z", [], { items });
      stripe.sandbox.renew(one.id);
      const once = one.periods();
      stripe.sandbox.renew(one.id);
      return { once, twice: one.periods() };
    },
  },
  {
    title: "Bill customers in advance",
    url: "https://docs.stripe.com/billing/subscriptions/prebilling",
    says:
      "10 a month for a year, ended on 10 September: October to December are billed, and nothing comes back",
    expected: {
      lines: [1000, 1000, 1000],
      spans: ["2027-10-01 to 2027-11-01", "2027-11-01 to 2027-12-01", "2027-12-01 to 2028-01-01"],
      billed_until: "2028-01-01",
      status: "canceled",
      pending: [],
    },
    play(stripe) {
      const one = subscriber(stripe, "2027-01-01T00:00:00Z", [1000]);
      for (let month = 2; month <= 9; month++) stripe.sandbox.renew(one.id);
      one.goTo("2027-09-10T00:00:00Z");
      stripe.sandbox.prebill(one.id, { until: seconds("2028-01-01T00:00:00Z") });
      const billed_until = day(one.subscription.items.data[0]?.billed_until);
      stripe.sandbox.cancel(one.id);
      const { status } = one.subscription;
      return { lines: one.amounts(), spans: one.spans(), billed_until, status, pending: one.pending() };
    },
  },
];
