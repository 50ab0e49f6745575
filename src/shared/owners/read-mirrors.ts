import { type Reason, reason } from "../queue/reasons.ts";
import { pharmacyZone } from "../queue/settings.ts";
import type { StepContext } from "../queue/step.ts";
import { subscriptionsOf } from "../subscriptions/read.ts";
import type { RegistryRow } from "./drift-page.ts";
import type { MirrorReading } from "./mirrors.ts";
import type { MirroredFact } from "./owners.ts";
import { planOf } from "./plan.ts";

/** A customer's reading for one fact. */
interface CustomerReading {
  /** Null: there is nothing to compare. */
  reading: MirrorReading | null;
  /** A key of ours that its system does not know. A person is asked by the propagation `askedBy`, or else by the look. */
  unknown: { why: Reason; askedBy: "owner.propagate_contact" | "owner.propagate_login" | null } | null;
  /** The keys by which news may name the customer. */
  keys: string[];
}

/** Reads the owner of a fact and all its mirrors anew: the calls that this one fact needs. */
export async function readMirrors(
  ctx: StepContext,
  row: RegistryRow,
  fact: MirroredFact,
): Promise<CustomerReading> {
  const { crm_person_id: personId, stripe_customer_id: stripeId, login_user_id: loginId } = row;
  const keys = [personId, stripeId, loginId].filter((key) => key !== null);
  if (personId === null) return { reading: null, unknown: null, keys };
  const crm = (await ctx.vendors.crm.readProfiles([personId])).get(personId);
  if (crm === undefined) {
    const why = reason("CRM_PERSON_UNKNOWN", { person: personId, customer: row.id });
    return { reading: null, unknown: { why, askedBy: "owner.propagate_contact" }, keys };
  }
  const base = { crm, plan: null, stripe: null, login: null, registryEmail: row.email, now: ctx.now() };
  if (fact === "plan") {
    if (stripeId === null) return { reading: null, unknown: null, keys };
    const timeZone = await pharmacyZone(ctx.deps.db);
    const subscriptions = await subscriptionsOf(ctx, stripeId);
    const reading = { ...base, plan: planOf(subscriptions, timeZone) };
    return { reading, unknown: null, keys: [...keys, ...subscriptions.map(({ id }) => id)] };
  }
  const stripe = stripeId === null ? null : await ctx.vendors.stripe.getCustomer(stripeId);
  const login = loginId === null ? null : await ctx.vendors.login.getUser(loginId);
  let unknown: CustomerReading["unknown"] = null;
  if (loginId !== null && login === null) {
    const why = reason("LOGIN_UNKNOWN", { login: loginId, customer: row.id });
    unknown = { why, askedBy: "owner.propagate_login" };
  }
  if (stripeId !== null && stripe === null) {
    unknown = { why: reason("STRIPE_CUSTOMER_UNKNOWN", { key: stripeId, customer: row.id }), askedBy: null };
  }
  return { reading: { ...base, stripe, login }, unknown, keys };
}
