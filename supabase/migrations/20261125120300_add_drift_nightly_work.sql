-- Purpose: every night all mirrors are compared with their owners.
-- Touches: clockwork.nightly_work.
-- Watch: after the completeness checks, so that news which was missed is taken up first.

insert into clockwork.nightly_work (step, vendor, at, what) values
  ('drift.customers', 'stripe', '04:00', 'Compares what Stripe, the CRM and the registry show of each customer with the owner of each fact.'),
  ('drift.logins', 'login', '04:15', 'Compares the email of each login with the CRM.');
