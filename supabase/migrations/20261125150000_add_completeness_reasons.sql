-- Purpose: the reasons of the nightly completeness check.
-- Touches: clockwork.reasons.

insert into clockwork.reasons (code, sentence, repair, on_resend) values
  ('ENDPOINT_SILENT', '{missing} of {total} messages of {vendor} ({kind}) never reached us; the nightly check found and took them up.', 'Look at the webhook endpoint in the vendor''s dashboard: is it switched on and subscribed to {kind}, is its address right, is its signing secret the one of our environment? This closes by itself after a night in which most messages came.', 'Looks whether most messages came since.'),
  ('EVENTS_OUT_OF_REACH', 'Clockwork did not hear what happened at Stripe between {from} and {until}, and Stripe lists only its last {days} days.', 'Look in Stripe''s dashboard for refunds and disputes of that time, and act on them there and with the customers. Then set status to PENDING for the invoices that were paid, or to CANCELLED if all of them are settled.', 'Goes through the invoices paid in that time. Each that Clockwork has never seen becomes an order, unless its money was given back; what needs no order any more must be refunded before.'),
  ('CHECK_OVERTAKEN', 'A later check went on from where the last complete one ended, so this page of an earlier one is not needed.', 'Nothing to do.', 'Looks whether its check is still under way.');
