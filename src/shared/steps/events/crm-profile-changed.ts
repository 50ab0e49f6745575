import { z } from "zod";
import { propagateContact } from "../../owners/propagate.ts";
import { defineStep } from "../../queue/step.ts";
import { forCustomer } from "../../registry/customers.ts";

/** The CRM owns email and phone, and one of them changed: the mirrors follow. */
export const profileChanged = defineStep({
  handles: ["crm.profile.changed"],
  queue: "internal",
  data: z.strictObject({ person_id: z.string().nullish(), cio_id: z.string().nullish() }),
  run: (ctx, { person_id }) => forCustomer(ctx, "crm_person_id", person_id, propagateContact),
});
