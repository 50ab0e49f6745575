-- Purpose: every night each vendor is asked what happened.
-- Touches: clockwork.nightly_work.
-- Watch: before the other nightly work, so that it finds what the checks took up.

insert into clockwork.nightly_work (step, vendor, at, what) values
  ('completeness.stripe', 'stripe', '01:00', 'Lists what happened at Stripe and takes up what never reached us.'),
  ('completeness.health', 'health', '01:00', 'Lists what changed in the health record and takes up what never reached us.'),
  ('completeness.pharmacy', 'pharmacy', '01:00', 'Compares the pharmacy''s open orders with ours and takes up what never reached us.');
