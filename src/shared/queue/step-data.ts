import { z } from "zod";

/** The systems that know customers by a key of theirs. */
export const KEY_SYSTEMS = ["stripe", "health", "pharmacy", "crm", "login"] as const;

/** The facts that are mirrored somewhere, and so are propagated and compared. */
export const MIRRORED_FACTS = ["plan", "contact"] as const;

/** A number of ours: an order, a customer, a renewal … */
const id = z.number().int();

/** The night it belongs to; absent on demand. */
const night = z.string().optional();

const ofCustomer = z.strictObject({ customer_id: id });
const ofRenewal = z.strictObject({ renewal_id: id });

/** A page of a completeness check. Without `run_id` it begins a run. */
const checkPage = z.strictObject({
  night,
  run_id: id.positive().optional(),
  page: id.nonnegative().optional(),
  /** Which of the vendor's lists, where there are several. */
  list: z.string().optional(),
  cursor: z.string().optional(),
});

/** A page of a drift check. Without `run_id` it begins a run. */
const driftPage = z.strictObject({
  night,
  run_id: id.optional(),
  page: id.optional(),
  cursor: z.string().optional(),
  /** The vendor's list is through: the registry's row behind which to go on with those whom it did not have. */
  after: id.optional(),
});

/** A page of the nightly count of products. */
const countPage = z.strictObject({
  night,
  /** The run that its first page began (`tracker.check_runs`). */
  run_id: id.optional(),
  page: id.min(0).optional(),
  cursor: z.string().optional(),
});

/** The data of each step of ours, by its name: ids, states and times. An event's is in `vendors/hints.ts`. */
export const STEP_DATA = {
  "order.make": z.strictObject({ invoice_id: z.string() }),
  "order.place": z.strictObject({
    order_id: id,
    /** A person's word that the fill ships although the subscription has ended. */
    ship_despite_subscription: z.boolean().optional(),
  }),
  "order.cancel": z.strictObject({
    order_id: id,
    /** Why it must not ship. `readdressed`: it is placed anew, to another address. */
    cause: z.enum(["refunded", "disputed", "voided", "person", "readdressed"]).default("person"),
  }),
  "order.cancel_duplicate": z.strictObject({ order_id: id, pharmacy_order_id: z.string() }),
  "order.replace": z.strictObject({
    order_id: id,
    /** A person's word that a shipped parcel will not arrive. */
    lost: z.boolean().optional(),
  }),
  "order.readdress": z.strictObject({
    order_id: id,
    /** Stands for the address that was asked about; absent where a person added the task. */
    mark: z.string().optional(),
  }),
  "order.tell_crm": z.strictObject({
    order_id: id,
    fact: z.enum(["order_placed", "order_shipped", "order_delivered", "order_cancelled"]),
  }),

  "renewal.find": z.strictObject({
    night,
    cursor: z.string().optional(),
    /** When the run began: what was not looked at since then did not turn up. */
    began_at: z.iso.datetime().optional(),
    /** `tracker.check_runs`; absent on its first page. */
    run_id: id.optional(),
    page: id.optional(),
  }),
  "renewal.check": z.strictObject({
    subscription_id: z.string().optional(),
    customer_id: id.optional(),
    /** Stripe is about to charge: what the next charge lacks opens a renewal now. */
    before_next_charge: z.boolean().optional(),
    /** Ask the pharmacy too: it told of its count of fills, or a charge is about to be made for one. */
    ask_pharmacy: z.boolean().optional(),
  }),
  "renewal.advance": ofRenewal,
  "renewal.tell_crm": z.strictObject({
    renewal_id: id,
    fact: z.enum([
      "renewal_due",
      "renewal_reminder",
      "renewal_lapsed",
      "renewal_renewed",
      "renewal_cancelled",
    ]),
    /** Which reminder, counted from 1. */
    reminder: id.optional(),
  }),
  "renewal.pause_billing": ofRenewal,
  "renewal.resume_billing": ofRenewal,

  "subscription.look": z.strictObject({
    customer_id: id,
    /** Set where a person is asked about this prescription: the task stays with them while it is for no product. */
    prescription_id: z.string().optional(),
  }),
  "subscription.start": z.strictObject({
    customer_id: id,
    product_id: id,
    /** The one that was heard of. What counts is what the health record says now. */
    prescription_id: z.string(),
    /** A person's word that the subscription is wanted although this is not the first prescription. */
    despite_earlier: z.boolean().optional(),
  }),
  "subscription.compare": z.strictObject({ subscription_id: z.string() }),

  "customer.link": z.strictObject({
    system: z.enum(KEY_SYSTEMS),
    key: z.string().min(1),
    /** Null: a new customer. */
    customer_id: id.nullable(),
    /** The key takes the place of the one the customer has. */
    replace: z.boolean().optional(),
  }),
  "customer.linked": ofCustomer,
  "customer.merge": z.strictObject({
    from: id,
    into: id,
    /** Of these nobody tells us that a key is no more, so a person does. */
    give_up: z.array(z.enum(["pharmacy", "crm", "login"])).optional(),
  }),

  "owner.propagate_plan": z.strictObject({
    /** Whose it is, by one of their subscriptions or by our own number. */
    subscription_id: z.string().optional(),
    customer_id: id.optional(),
  }),
  "owner.propagate_contact": ofCustomer,
  "owner.propagate_login": ofCustomer,
  "owner.tell_payment_failed": z.strictObject({ invoice_id: z.string(), attempt: id }),
  "owner.check_address": ofCustomer,

  "drift.customers": driftPage,
  "drift.logins": driftPage,
  "drift.look": z.strictObject({
    customer_id: id,
    fact: z.enum(MIRRORED_FACTS),
    /** The run that asked for it; absent on demand. */
    run_id: id.optional(),
    /** It is the question about what drifts again and again. */
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
    /** The systems whose keys are counted. The health record's codes are not: see docs/decisions.md. */
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

/** The name of a step of ours. */
export type StepName = keyof typeof STEP_DATA;

/** What a task of the step is made with. */
export type DataOf<Name extends StepName> = z.input<(typeof STEP_DATA)[Name]>;

/** A step of ours and its data, which go together. */
export type StepCall<Name extends StepName = StepName> = {
  [One in Name]: { step: One; data: DataOf<One> };
}[Name];
