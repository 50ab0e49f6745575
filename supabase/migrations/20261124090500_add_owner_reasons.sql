-- Purpose: the reason of a mirror that cannot be written.
-- Touches: clockwork.reasons.

insert into clockwork.reasons (code, sentence, repair, on_resend) values
  ('CRM_PERSON_UNKNOWN', 'The CRM has no person {person} (customer {customer}).', 'Correct crm_person_id in registry.customers, or have the person made in the CRM; then set status to PENDING.', 'Reads the owner and writes again.');
