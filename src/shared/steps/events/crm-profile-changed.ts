import { propagateContact } from "../../owners/propagate.ts";
import { defineStep } from "../../queue/step.ts";
import { forCustomer } from "../../registry/customers.ts";
import { crmHint } from "../../vendors/hints.ts";

/** The CRM owns email and phone; one of them changed, and the mirrors follow. */
export const profileChanged = defineStep({
  handles: ["crm.profile.changed"],
  queue: "internal",
  data: crmHint,
  run: (ctx, { person_id }) => forCustomer(ctx, "crm_person_id", person_id, propagateContact),
});
