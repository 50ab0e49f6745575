-- Purpose: the reasons of the drift check.
-- Touches: clockwork.reasons.
-- Watch: codes are known to TypeScript too (src/shared/queue/reasons.ts); a test compares the two.

insert into clockwork.reasons (code, sentence, repair, on_resend) values
  ('DRIFTS_AGAIN', '{attribute} of customer {customer} differed from {owner} in {mirror} {times} times within {days} days. Likely cause: {cause}.', 'Find what writes there, or why events do not come (ops.vendors, ops.drift); every night it is put right meanwhile. Then set status to PENDING.', 'Looks again: if all is right this is done, if not it is put right and this stays.'),
  ('STRIPE_CUSTOMER_UNKNOWN', 'Stripe has no customer {key}, by which the registry knows customer {customer}.', 'Correct stripe_customer_id in registry.customers, or empty it if the customer was deleted at Stripe on purpose; then set status to PENDING.', 'Looks again.'),
  ('CHANGE_UNDER_WAY', 'News of it may still be on its way, so it is looked at again later.', 'Nothing to do.', 'Looks now.');
