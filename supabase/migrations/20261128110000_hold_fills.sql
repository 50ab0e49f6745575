-- Purpose: fills that are held while a person decides, and the reasons of the one judgement of paid fills.
-- Touches: tracker.order_states, clockwork.reasons, clockwork.reason_choices.
-- Watch: the cases and their treatment are in src/shared/orders/cases.ts.

insert into tracker.order_states (state, rank, meaning) values
  ('HELD', 10, 'paid for, but in question; it waits until the question is answered or is over');

insert into clockwork.reasons (code, sentence, repair, on_resend) values
  ('FILL_IN_QUESTION', 'A person was asked about this fill.', 'Nothing to do here. Answer the question about its invoice.', 'Reads the invoice and the subscription at Stripe now.'),
  ('CHARGE_INQUIRED', 'The customer''s bank asks about the charge. The order waits.', 'Nothing to do. The order ships when the inquiry is closed.', 'Reads the inquiry at Stripe now.'),
  ('SUBSCRIPTION_INCOMPLETE', 'The first payment of the subscription is being confirmed. The order waits.', 'Nothing to do. The order ships when the subscription is active.', 'Reads the subscription at Stripe now.'),
  ('SUBSCRIPTION_ENDS', 'The subscription {subscription} ends on {until}, before this paid fill is due.', 'To ship the fill all the same, set answer to ship. To call it off, give the money back at Stripe and set answer to call_off.', 'Reads the subscription at Stripe again. Asks again if nothing changed.'),
  ('PRODUCT_LEFT', 'A fill that is paid for ({bought}) is not what the subscription {subscription} asks for now ({now}). Nothing went back for it.', 'To ship the fill all the same, set answer to ship. To call it off, give the money back at Stripe and set answer to call_off.', 'Reads the subscription at Stripe again. Asks again if nothing changed.'),
  ('PAID_AFTER_ALL', 'Order {order} was cancelled because its money went back. The money is here again.', 'To ship it after all, set answer to ship. Otherwise give the money back at Stripe, and set answer to give_back.', 'Places the fill again, under a new reference.');

update clockwork.reasons set
  sentence = '{back} of {total} went back, and nothing says for which fills.',
  repair = 'To ship the fills that are not sent, set answer to ship. To call them off, set answer to call_off.',
  on_resend = 'Reads the money at Stripe again. Asks again if nothing changed.'
where code = 'PARTIAL_REFUND';
update clockwork.reasons set
  sentence = '{disputed} of {total} is disputed. Nothing is sent while the dispute is open.',
  repair = 'Reply to the dispute at Stripe. This closes by itself when the dispute does. To ship all the same, set answer to ship. To call the fills off, set answer to call_off.',
  on_resend = 'Reads the dispute at Stripe again. Asks again if nothing changed.'
where code = 'CHARGE_DISPUTED';
update clockwork.reasons set
  sentence = 'The subscription {subscription} is {status} at Stripe, though a fill is paid for.',
  repair = 'To ship the fill all the same, set answer to ship. To call it off, give the money back at Stripe and set answer to call_off.',
  on_resend = 'Reads the subscription at Stripe again. Asks again if nothing changed.'
where code = 'SUBSCRIPTION_NOT_ACTIVE';

insert into clockwork.reason_choices (code, position, answer, label, status) values
  ('PARTIAL_REFUND', 1, 'ship', 'ship the fills that are not sent', 'PENDING'),
  ('PARTIAL_REFUND', 2, 'call_off', 'the fills that are not sent are not sent any more', 'PENDING'),
  ('CHARGE_DISPUTED', 1, 'ship', 'ship although the charge is disputed', 'PENDING'),
  ('CHARGE_DISPUTED', 2, 'call_off', 'the fills that are not sent are not sent any more', 'PENDING'),
  ('SUBSCRIPTION_NOT_ACTIVE', 1, 'ship', 'ship the fill that is paid for', 'PENDING'),
  ('SUBSCRIPTION_NOT_ACTIVE', 2, 'call_off', 'it was refunded at Stripe, and nothing is sent', 'PENDING'),
  ('SUBSCRIPTION_ENDS', 1, 'ship', 'ship the fill that is paid for', 'PENDING'),
  ('SUBSCRIPTION_ENDS', 2, 'call_off', 'it was refunded at Stripe, and nothing is sent', 'PENDING'),
  ('PRODUCT_LEFT', 1, 'ship', 'ship the fill that is paid for, or let it go', 'PENDING'),
  ('PRODUCT_LEFT', 2, 'call_off', 'it was refunded at Stripe: nothing is sent, and an order at the pharmacy is cancelled', 'PENDING'),
  ('PAID_AFTER_ALL', 1, 'ship', 'place the fill again', 'PENDING'),
  ('PAID_AFTER_ALL', 2, 'give_back', 'it was refunded at Stripe, and nothing is sent', 'CANCELLED');
