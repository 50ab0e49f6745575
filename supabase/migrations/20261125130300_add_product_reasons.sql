-- Purpose: the reasons of products that are in use and should not be, and of price moves.
-- Touches: clockwork.reasons.
-- Watch: codes are known to TypeScript too (src/shared/queue/reasons.ts); a test compares the two.

insert into clockwork.reasons (code, sentence, repair, on_resend) values
  ('KEY_UNREGISTERED', 'No product has the {system} {key}, though it was in use {used} times when last counted.', 'Add it to registry.product_keys, then set status to PENDING. If it is nothing that the company ships, set status to CANCELLED: it is not asked about again.', 'Looks at the registry and at the last count again.'),
  ('KEY_RETIRED_IN_USE', 'The {system} {key} is retired, but was still in use {used} times when last counted.', 'For a Stripe price run npm run product:retire with it and the price that replaces it; for a treatment have new prescriptions written under the new one. Then set status to PENDING. To leave it as it is, set status to CANCELLED: what is paid for still ships.', 'Looks at the registry and at the last count again.'),
  ('PRICE_NOT_SOLD', 'Stripe no longer sells at the price {price}, so nobody can be moved to it.', 'Activate the price at Stripe, then set status to PENDING.', 'Asks Stripe again and goes on.'),
  ('MOVE_CHANGED_BILLING', 'Subscription {subscription} was moved to the price {price}, but afterwards {what} was not as before.', 'Look at the subscription''s events at Stripe. If the customer or a colleague changed it meanwhile, set status to CANCELLED. Otherwise set it right at Stripe and tell engineering.', 'Looks at the subscription again; it is not moved a second time.');
