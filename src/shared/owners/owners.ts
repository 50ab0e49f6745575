/** The systems that own or mirror facts. `registry` is our own `registry.customers`; `login` is Supabase Auth. */
export type System = "stripe" | "health" | "crm" | "registry" | "login";

/** One attribute of a system that must show the owner's value. */
interface Mirror {
  system: Exclude<System, "health">;
  /** Its name in `tracker.drift.attribute`. */
  attribute: string;
  /** Why it may lag behind without being wrong. */
  lags?: string;
  /** The step that sets it, where that is not the fact's own. */
  setBy?: PropagationStep;
}

/** Steps that read an owner and set mirrors to its value. Their data is `{customer_id}`. */
export type PropagationStep = "owner.propagate_plan" | "owner.propagate_contact" | "owner.propagate_login";

export interface OwnedFact {
  fact: string;
  /** Its extent, in words. */
  covers: string;
  owner: Exclude<System, "registry" | "login">;
  mirrors: readonly Mirror[];
  /** The step that reads the owner and sets every mirror to its value. Null: nothing mirrors it. */
  propagatedBy: PropagationStep | null;
  /** The events that start it: changes at the owner, and edits of a mirror. */
  news: readonly string[];
  /** No column of ours has one of these words in its name: it would be a copy of the fact. */
  columnWords: readonly string[];
}

/**
 * The owner of each fact. Propagation, the drift check, the table in docs/how-it-works.md and the test of our own columns
 * come from this table. A fact that is not here has no owner and must not be pushed anywhere.
 */
export const OWNERS = {
  payment: {
    fact: "payment method, billing address",
    covers: "what is charged",
    owner: "stripe",
    mirrors: [],
    propagatedBy: null,
    news: [],
    columnWords: ["payment", "card", "iban", "billing"],
  },
  plan: {
    fact: "active refills",
    covers: "what is paid for, how often, next date, paused",
    owner: "stripe",
    mirrors: [
      { system: "crm", attribute: "plan_state" },
      { system: "crm", attribute: "next_refill_on" },
    ],
    propagatedBy: "owner.propagate_plan",
    news: [
      "stripe.customer.subscription.created",
      "stripe.customer.subscription.updated",
      "stripe.customer.subscription.paused",
      "stripe.customer.subscription.resumed",
      "stripe.customer.subscription.deleted",
      "stripe.invoice.payment_failed",
    ],
    columnWords: ["plan", "refill", "interval", "cadence"],
  },
  chart: {
    fact: "shipping address, medical background, prescriptions on file",
    covers: "read at the moment of use",
    owner: "health",
    mirrors: [],
    propagatedBy: null,
    news: [],
    columnWords: [
      "name",
      "birth",
      "birthdate",
      "sex",
      "gender",
      "address",
      "street",
      "city",
      "zip",
      "postal",
      "country",
      "drug",
      "medication",
      "dose",
      "diagnosis",
      "condition",
      "allergy",
      "expires",
      "expiry",
      "supply",
      "prescriber",
    ],
  },
  contact: {
    fact: "email, phone",
    covers: "how a customer is reached",
    owner: "crm",
    mirrors: [
      { system: "stripe", attribute: "email" },
      { system: "stripe", attribute: "phone" },
      { system: "registry", attribute: "email" },
      {
        system: "login",
        attribute: "email",
        lags: "until the customer confirms it to Supabase Auth",
        setBy: "owner.propagate_login",
      },
    ],
    propagatedBy: "owner.propagate_contact",
    news: ["crm.profile.changed", "stripe.customer.updated"],
    columnWords: ["email", "phone", "mobile"],
  },
} as const satisfies Record<string, OwnedFact>;
/** The step that sets a mirror. */
export function setterOf(fact: MirroredFact, system: Mirror["system"], attribute: string): PropagationStep {
  const mirrors: readonly Mirror[] = OWNERS[fact].mirrors;
  const mirror = mirrors.find((one) => one.system === system && one.attribute === attribute);
  return mirror?.setBy ?? OWNERS[fact].propagatedBy;
}

/** The facts that are mirrored somewhere, and so are propagated and compared. */
export type MirroredFact = {
  [Fact in keyof typeof OWNERS]: (typeof OWNERS)[Fact]["propagatedBy"] extends null ? never : Fact;
}[keyof typeof OWNERS];

/** A mirror that differs from its owner. The values are never kept or logged: see `hashDifferences`. */
export interface Difference {
  fact: MirroredFact;
  system: (typeof OWNERS)[MirroredFact]["mirrors"][number]["system"];
  attribute: string;
  owner: string | null;
  mirror: string | null;
  /** It lags until the customer answers Supabase Auth, who asked not long ago: there is nothing to repair. */
  awaitsConfirmation: boolean;
}
