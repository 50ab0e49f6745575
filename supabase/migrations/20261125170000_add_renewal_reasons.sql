-- Purpose: the reasons of refills that nobody can tell about, and of a customer whom the CRM cannot reach.
-- Touches: clockwork.reasons.
-- Watch: codes are known to TypeScript too (src/shared/queue/reasons.ts); a test compares the two.

insert into clockwork.reasons (code, sentence, repair, on_resend) values
  ('REFILL_UNCLEAR', 'Subscription {subscription} is active, but {what}, so nobody can tell what it refills, or when.', 'Correct the subscription at Stripe (or its price), or end it. Both close this by themselves.', 'Looks at the subscription again.'),
  ('REFILL_TWICE', 'Customer {customer} pays twice for the same product: by subscription {other} and by subscription {subscription}.', 'Ask the customer, and end one of them at Stripe: that closes this by itself. If both are wanted, make them one with a quantity of 2.', 'Looks at the subscriptions again.'),
  ('HEALTH_PATIENT_UNKNOWN', 'The health record has no patient {patient} (customer {customer}).', 'Correct health_patient_id in registry.customers, then set status to PENDING.', 'Asks the health record again.'),
  ('HEALTH_PATIENT_UNANSWERED', 'The health record answers about other patients, but not about patient {patient} (customer {customer}).', 'Open the patient in the health record; if that fails too, ask its vendor. It closes by itself when an answer comes.', 'Asks the health record again.'),
  ('CRM_PERSON_UNREACHABLE', 'The CRM has neither an email nor a phone of person {person} (customer {customer}), so nobody is reached.', 'Have an email or a phone put into the CRM, then set status to PENDING. Or call the customer another way, and set it to CANCELLED.', 'Reads the person in the CRM again, and writes.'),
  ('NIGHT_UNFINISHED', 'The nightly work {step} of {day} has not come to its end.', 'Look in ops.waiting for what it waits for, and in ops.vendors for a vendor that is paused or fails. It goes on by itself, and each night begins anew; once one came to its end, set this to CANCELLED.', 'Does the work anew, now.');
