import { holderOf, type Key } from "../../registry/keys.ts";
import { readReference, type Reference, referencesIn } from "../../registry/references.ts";
import { defineStep, type StepContext } from "../../queue/step.ts";
import { stripeHint } from "../../vendors/hints.ts";
import { linkOrAsk, waitForNamed } from "../../registry/link.ts";

/**
 * Somebody paid in a session. What the company wrote on it (metadata, client reference) says whose its Stripe customer
 * is; Stripe copies none of it to that customer, so this is often the only place that does.
 */
export const stripeCheckoutCompleted = defineStep({
  handles: ["stripe.checkout.session.completed"],
  queue: "stripe",
  data: stripeHint,
  async run(ctx, { object_id: id }) {
    const session = await ctx.vendors.stripe.getCheckoutSession(id);
    // A session of a guest makes no customer, and a deleted one is nobody's any more.
    const customer = session.customerId && await ctx.vendors.stripe.getCustomer(session.customerId);
    if (!customer) return { kind: "done" };
    const { clientReferenceId } = session;
    const all = [
      ...(clientReferenceId ? [readReference(clientReferenceId)] : []),
      ...referencesIn(session.metadata),
      ...referencesIn(customer.metadata),
    ];
    const along = await newLogin(ctx, all);
    const email = customer.email ?? session.email;
    const seen = {
      system: "stripe" as const,
      key: customer.id,
      replaced: [],
      references: all.filter((reference) => !along || !isLogin(reference, along)),
      along,
      emails: email ? [email] : [],
      mayBeNew: true,
    };
    await waitForNamed(ctx, seen);
    return { kind: "done", commit: async (trx) => (await linkOrAsk(ctx, trx, seen)).followUps };
  },
});

/** A login that exists, but is in no row yet: it is linked along with the Stripe customer it paid as. */
async function newLogin(ctx: StepContext, references: readonly Reference[]): Promise<Key | undefined> {
  for (const reference of references) {
    if (typeof reference === "string" || !("system" in reference) || reference.system !== "login") continue;
    if (await holderOf(ctx.deps.db, reference)) continue;
    if (await ctx.vendors.login.getUser(reference.key)) return reference;
  }
  return undefined;
}

function isLogin(reference: Reference, login: Key): boolean {
  return typeof reference === "object" && "system" in reference && reference.system === login.system &&
    reference.key === login.key;
}
