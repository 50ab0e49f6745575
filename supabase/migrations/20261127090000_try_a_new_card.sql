-- Purpose: a first subscription that waits for a card goes on by itself when the customer adds one.
-- Touches: clockwork.reasons.

update clockwork.reasons set
  repair = 'Ask the customer to add one: the subscription is then started by itself. Set status to PENDING to look now, or to CANCELLED if the customer does not want the product.'
where code = 'NO_PAYMENT_METHOD';

update clockwork.reasons set
  repair = 'Ask the customer for another card, with which it is tried by itself. After a call to the bank set status to PENDING; or to CANCELLED if the customer does not want the product.'
where code = 'CARD_DECLINED';
