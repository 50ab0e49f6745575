import { type ContactDifference, contactDifferences } from "../../owners/contact.ts";
import { closeDrift } from "../../owners/drift.ts";
import { propagateContact } from "../../owners/propagate.ts";
import { type Customer, customerById } from "../../registry/customers.ts";
import { readProfile } from "../../queue/crm.ts";
import { Permanent, Retryable } from "../../queue/reasons.ts";
import { defineOwnStep, type StepContext } from "../../queue/step.ts";

/** How often an owner that changes while we write is read again, before the task is tried again later. */
const ROUNDS = 3;

/**
 * The CRM owns email and phone; Stripe and the registry mirror them, and the login's email follows by a step of its own.
 * Reads the owner, writes each mirror that differs, and reads both again until none differs. It is safe to repeat, and the
 * last writer has read the owner after its write. Equal mirrors are not written, so an echo of our own write ends here.
 */
export const ownerPropagateContact = defineOwnStep("owner.propagate_contact", {
  queue: "crm",
  async run(ctx, { customer_id: customerId }) {
    const customer = await customerById(ctx.deps.db, customerId);
    ctx.about({ customerId });
    if (!customer.crm_person_id) return { kind: "done" };
    for (let round = 0;; round++) {
      const differences = await readDifferences(ctx, customer, customer.crm_person_id);
      const writable = differences.filter(isWritable);
      if (writable.length > 0 && round === ROUNDS) throw new Retryable("NOT_YET_VISIBLE", { vendor: "crm" });
      if (writable.length === 0) {
        // An empty email is more likely a slip than a wish, and there is no way back from a wiped login.
        if (differences.length > 0) throw new Permanent("CRM_EMAIL_MISSING", { customer: customerId });
        break;
      }
      await writeMirrors(ctx, customer, writable);
    }
    return {
      kind: "done",
      commit: async (trx) => {
        await closeDrift(trx, customerId, "contact", [{ system: "login", attribute: "email" }]);
        return customer.login_user_id ? await propagateContact(trx, customerId, "owner.propagate_login") : [];
      },
    };
  },
});

function isWritable({ owner, attribute }: ContactDifference): boolean {
  return owner !== null || attribute !== "email";
}

/** Compares Stripe and the registry with the CRM. A customer that was deleted at Stripe mirrors nothing. */
async function readDifferences(
  ctx: StepContext,
  customer: Customer,
  personId: string,
): Promise<ContactDifference[]> {
  const crm = await readProfile(ctx, personId, customer.id);
  const stripeCustomerId = customer.stripe_customer_id;
  const stripe = stripeCustomerId ? await ctx.vendors.stripe.getCustomer(stripeCustomerId) : null;
  const { email: registryEmail } = await ctx.deps.db.selectFrom("registry.customers").select("email")
    .where("id", "=", customer.id).executeTakeFirstOrThrow();
  return contactDifferences({ crm, stripe, registryEmail, login: null });
}

async function writeMirrors(
  ctx: StepContext,
  customer: Customer,
  differences: readonly ContactDifference[],
): Promise<void> {
  const atStripe = differences.filter(({ system }) => system === "stripe");
  if (atStripe.length > 0 && customer.stripe_customer_id) {
    const facts = Object.fromEntries(atStripe.map(({ attribute, owner }) => [attribute, owner]));
    await ctx.vendors.stripe.updateCustomer(customer.stripe_customer_id, facts);
    await ctx.deps.faultPoint?.("mirror written");
  }
  const inRegistry = differences.find(({ system }) => system === "registry");
  if (inRegistry) {
    await ctx.deps.db.updateTable("registry.customers").set({ email: inRegistry.owner })
      .where("id", "=", customer.id).execute();
    await ctx.deps.faultPoint?.("mirror written");
  }
}
