import { z } from "zod";

/** The systems that have a key of a customer. */
export const KEY_SYSTEMS = ["stripe", "health", "pharmacy", "crm", "login"] as const;

/** The facts that have mirrors. */
export const MIRRORED_FACTS = ["plan", "contact"] as const;

/** A number of ours: an order, a customer, a renewal … */
const id = z.number().int();

const ofCustomer = z.strictObject({ customer_id: id });
const ofRenewal = z.strictObject({ renewal_id: id });
const ofSubscriptionOrCustomer = z.strictObject({
  subscription_id: z.string().optional(),
  customer_id: id.optional(),
});

/** A page of a nightly run. */
const page = z.strictObject({
  /** Absent on demand. */
  night: z.string().optional(),
  /** `tracker.check_runs`; absent on the task that begins the run. */
  run_id: id.optional(),
  page: id.optional(),
  cursor: z.string().optional(),
});

const checkPage = page.extend({
  run_id: id.positive().optional(),
  page: id.nonnegative().optional(),
  /** One of the vendor's lists, where there are several. */
  list: z.string().optional(),
});

const driftPage = page.extend({
  /** Set after the end of the vendor's list: customers that it lacks are compared from this `registry.customers` id on. */
  after: id.optional(),
});

const countPage = page.extend({ page: id.min(0).optional() });

/** The data of each step of ours, by its name: ids, states and times. An event's is in `vendors/hints.ts`. */
export const STEP_DATA = {
  "order.make": z.strictObject({ invoice_id: z.string() }),
  "order.review": z.strictObject({ invoice_id: z.string() }),
  "order.decide": z.strictObject({
    invoice_id: z.string(),
    /** Absent where the question is about all lines of the invoice, or about a price. */
    line_id: z.string().optional(),
    price_id: z.string().optional(),
    /** One of `orders/cases.ts` or `orders/lines.ts`. */
    case: z.string(),
  }),
  "order.place": z.strictObject({ order_id: id }),
  "order.cancel": z.strictObject({
    order_id: id,
    /** `readdressed`: the order is placed anew, to another address. */
    cause: z.enum(["refunded", "disputed", "voided", "person", "readdressed"]).default("person"),
  }),
  "order.cancel_duplicate": z.strictObject({ order_id: id, pharmacy_order_id: z.string() }),
  "order.replace": z.strictObject({
    order_id: id,
    /** Set by a person: a shipped parcel will not arrive. */
    lost: z.boolean().optional(),
  }),
  "order.readdress": z.strictObject({
    order_id: id,
    /** The hash of the address in the question; absent where a person added the task. */
    mark: z.string().optional(),
  }),
  "order.tell_crm": z.strictObject({
    order_id: id,
    fact: z.enum(["order_placed", "order_shipped", "order_delivered", "order_cancelled"]),
  }),

  "renewal.find": page.extend({
    /** The begin of the run: refills without a look since then are missing. */
    began_at: z.iso.datetime().optional(),
  }),
  "renewal.check": ofSubscriptionOrCustomer.extend({
    /** Stripe is about to charge: a prescription that the next charge lacks opens a renewal now. */
    before_next_charge: z.boolean().optional(),
    /** Ask the pharmacy too: its count of fills changed, or Stripe is about to charge. */
    ask_pharmacy: z.boolean().optional(),
  }),
  "renewal.advance": ofRenewal,
  "renewal.tell_crm": z.strictObject({
    renewal_id: id,
    fact: z.enum(
      ["renewal_due", "renewal_reminder", "renewal_lapsed", "renewal_renewed", "renewal_cancelled"],
    ),
    /** The number of the reminder, from 1. */
    reminder: id.optional(),
  }),
  "renewal.pause_billing": ofRenewal,
  "renewal.resume_billing": ofRenewal,

  "subscription.look": z.strictObject({
    customer_id: id,
    /** Set on a question about this prescription: the task stays stopped while it is for no product. */
    prescription_id: z.string().optional(),
  }),
  "subscription.start": z.strictObject({
    customer_id: id,
    product_id: id,
    /** The prescription that led here. The start itself follows the health record as it is now. */
    prescription_id: z.string(),
    /** Set by a person: the subscription is wanted although this is not the first prescription. */
    despite_earlier: z.boolean().optional(),
  }),
  "subscription.compare": z.strictObject({ subscription_id: z.string() }),

  "customer.link": z.strictObject({
    system: z.enum(KEY_SYSTEMS),
    key: z.string().min(1),
    /** Null: a new customer. */
    customer_id: id.nullable(),
    /** The key replaces the one that the customer has. */
    replace: z.boolean().optional(),
  }),
  "customer.linked": ofCustomer,
  "customer.merge": z.strictObject({
    from: id,
    into: id,
    /** A person gives up the key of `from`: these systems send no event when a key ends. */
    give_up: z.array(z.enum(["pharmacy", "crm", "login"])).optional(),
  }),

  "owner.propagate_plan": ofSubscriptionOrCustomer,
  "owner.propagate_contact": ofCustomer,
  "owner.propagate_login": ofCustomer,
  "owner.tell_payment_failed": z.strictObject({ invoice_id: z.string(), attempt: id }),
  "owner.check_address": ofCustomer,

  "drift.customers": driftPage,
  "drift.logins": driftPage,
  "drift.look": z.strictObject({
    customer_id: id,
    fact: z.enum(MIRRORED_FACTS),
    /** `tracker.check_runs`; absent on demand. */
    run_id: id.optional(),
    /** Set on the question about a fact that drifts again and again. */
    again: z.literal(true).optional(),
  }),

  "completeness.stripe": checkPage,
  "completeness.health": checkPage,
  "completeness.pharmacy": checkPage,
  "completeness.endpoint": z.strictObject({
    vendor: z.enum(["stripe", "health", "pharmacy"]),
    kind: z.string(),
  }),
  "completeness.invoices": z.strictObject({
    from: z.iso.datetime(),
    until: z.iso.datetime(),
    cursor: z.string().optional(),
  }),

  "product.count_stripe": countPage,
  "product.count_pharmacy": countPage,
  "product.check_key": z.strictObject({
    /** The systems with counted keys. The health record's codes are not counted: see docs/decisions.md. */
    system: z.enum(["stripe_price", "pharmacy_treatment"]),
    key: z.string(),
  }),
  "product.retire": z.strictObject({
    retirement_id: id,
    pass: id,
    page: id.min(0),
    cursor: z.string().optional(),
  }),
  "product.move_subscription": z.strictObject({ move_id: id }),

  "webhook.unreadable": z.strictObject({ source: z.string(), sha256: z.string(), bytes: id }),
} as const satisfies Record<string, z.ZodObject>;

export type StepName = keyof typeof STEP_DATA;

/** The data of a task of the step, before its defaults. */
export type DataOf<Name extends StepName> = z.input<(typeof STEP_DATA)[Name]>;

/** A step of ours and its data, which go together. */
export type StepCall<Name extends StepName = StepName> = {
  [One in Name]: { step: One; data: DataOf<One> };
}[Name];
