import { z } from "zod";
import { type Customer, findCustomer } from "../../registry/customers.ts";
import { propagateContact } from "../../owners/propagate.ts";
import { defineStep, type Outcome, type StepContext } from "../../queue/step.ts";
import { stripeHint } from "../../ingest/hints.ts";

/** Somebody's email or phone changed in the CRM, which owns them. A person who is nobody's customer has no mirrors. */
export const profileChanged = defineStep({
  handles: ["crm.profile.changed"],
  queue: "internal",
  data: z.strictObject({ person_id: z.string().nullish(), cio_id: z.string().nullish() }),
  run: async (ctx, { person_id: personId }) =>
    follow(ctx, personId ? await findCustomer(ctx.deps.db, "crm_person_id", personId) : undefined),
});

/** Somebody edited a customer at Stripe, or it is the echo of our own write: the owner's values are put back. */
export const stripeCustomerUpdated = defineStep({
  handles: ["stripe.customer.updated"],
  queue: "internal",
  data: stripeHint,
  run: async (ctx, { object_id: stripeCustomerId }) =>
    follow(ctx, await findCustomer(ctx.deps.db, "stripe_customer_id", stripeCustomerId)),
});

function follow(ctx: StepContext, customer: Customer | undefined): Outcome {
  if (!customer) return { kind: "done" };
  ctx.about({ customerId: customer.id });
  return { kind: "done", commit: (trx) => propagateContact(trx, customer.id) };
}
