-- Purpose: the reasons of renewals.
-- Touches: clockwork.reasons.
-- Watch: codes are known to TypeScript too (src/shared/queue/reasons.ts); a test compares the two.

insert into clockwork.reasons (code, sentence, repair, on_resend) values
  ('RENEWAL_LAPSED', 'The prescription behind subscription {subscription} was not renewed in time.', 'Talk to the customer and the prescriber. A new prescription closes this by itself; the end of the subscription does too.', 'Looks again whether it was renewed.'),
  ('BILLING_NOT_PAUSED', 'Subscription {subscription} has lapsed without a prescription, but bills other products too, so billing was not paused.', 'At Stripe take the product out of the subscription or give the money back; then set status to CANCELLED.', 'Looks again, and pauses billing if the subscription bills this product alone.'),
  ('REFILL_WITHOUT_PRESCRIPTION', 'Subscription {subscription} is active, but {why}.', 'Have a prescription written for the product, or end the subscription at Stripe. Both close this by themselves.', 'Looks at the prescriptions again.'),
  ('REFILL_DATES_UNKNOWN', 'Nobody can tell when the prescription behind subscription {subscription} must be renewed: {what} is missing or unclear.', 'Have prescription {prescription} completed in the health record. That closes this by itself.', 'Looks at the prescription again.'),
  ('SUBSCRIPTION_STATUS_UNKNOWN', 'Subscription {subscription} has the status {status} at Stripe, which nothing here understands.', 'Ask engineering what it means for refills.', 'Asks Stripe again.'),
  ('RENEWAL_NOT_NEEDED', 'The renewal is over, or the subscription no longer active, so the customer is not written to.', 'Nothing to do.', 'Looks again.'),
  ('CUSTOMER_ON_HOLD', 'The customer paused the subscription, so nothing is sent.', 'Nothing to do: it goes on when the customer resumes.', 'Asks Stripe now.');
