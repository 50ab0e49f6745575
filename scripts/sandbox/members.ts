import { planOf } from "../../src/shared/owners/plan.ts";
import { PRICES } from "./clinic.ts";
import type { LocalVendors } from "./vendors.ts";

/** The keys of an older customer, with equal facts at Stripe, in the CRM and in the login. */
export interface MemberKeys {
  stripeCustomerId: string;
  subscriptionId: string;
  crmPersonId: string;
  loginUserId: string;
  email: string;
  phone: string;
}

const PRICE = "price_morning_month";
/** The first value of the setting `pharmacy_time_zone`. */
const TIME_ZONE = "America/New_York";

/** Adds an older customer without an event or an API call. Cheap enough for many thousands. */
export function importMember({ stripe, crm, login }: LocalVendors, n: number, now: Date): MemberKeys {
  const price = PRICES.find(({ id }) => id === PRICE);
  if (price && !stripe.state.prices.has(PRICE)) stripe.addPrice(price);
  const [email, phone] = [`member.${n}@example.com`, `+1270${String(n).padStart(7, "0")}`];
  const { customer, subscription } = stripe.importCustomer({ email, phone, priceId: PRICE });
  if (!subscription) throw new Error("a price makes a subscription");
  const ends = subscription.items.data.map((item) => item.current_period_end * 1000);
  const plan = planOf([{
    id: subscription.id,
    customerId: customer.id,
    status: subscription.status,
    collectionPaused: false,
    pausedBecause: null,
    endsAt: null,
    createdAt: now,
    endedAt: null,
    metadata: {},
    nextRefillAt: new Date(Math.min(...ends)),
    billingAnchor: now,
    isScheduled: false,
    hasPendingUpdate: false,
    items: [],
  }], TIME_ZONE);
  const crmPersonId = `member-${n}`;
  const { planState: plan_state, nextRefillOn: next_refill_on } = plan;
  crm.importPerson(crmPersonId, { email, phone, plan_state, next_refill_on });
  return {
    stripeCustomerId: customer.id,
    subscriptionId: subscription.id,
    crmPersonId,
    loginUserId: login.importUser(email),
    email,
    phone,
  };
}
