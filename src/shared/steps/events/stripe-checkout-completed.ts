import { holderOf, type Key } from "../../registry/keys.ts";
import { readReference, type Reference, referencesIn } from "../../registry/references.ts";
import { defineStep, type StepContext } from "../../queue/step.ts";
import { stripeHint } from "../../vendors/hints.ts";
import { linkOrAsk, waitForNamed } from "../../registry/link.ts";

/**
 * Somebody paid in a session. Its metadata and client reference, written by the company, lead its Stripe customer to a
 * row. Stripe copies neither to that customer, so the session is often the only source.
 */
export const stripeCheckoutCompleted = defineStep({
  handles: ["stripe.checkout.session.completed"],
  queue: "stripe",
  data: stripeHint,
  async run(ctx, { object_id: id }) {
    const session = await ctx.vendors.stripe.getCheckoutSession(id);
    // A session of a guest makes no customer, and the customer may be deleted since.
    const customer = session.customerId && await ctx.vendors.stripe.getCustomer(session.customerId);
    if (!customer) return { kind: "done" };
    const all = [
      ...(session.clientReferenceId ? [readReference(session.clientReferenceId)] : []),
      ...referencesIn(session.metadata),
      ...referencesIn(customer.metadata),
    ];
    const along = await newLogin(ctx, all);
    const email = customer.email ?? session.email;
    const sighting = {
      system: "stripe" as const,
      key: customer.id,
      replaced: [],
      references: all.filter((reference) => !along || !isLogin(reference, along)),
      along,
      emails: email ? [email] : [],
      mayBeNew: true,
    };
    await waitForNamed(ctx, sighting);
    return { kind: "done", commit: async (trx) => (await linkOrAsk(ctx, trx, sighting)).followUps };
  },
});

/** A login that exists, but is in no row yet: it is linked along with its Stripe customer. */
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
