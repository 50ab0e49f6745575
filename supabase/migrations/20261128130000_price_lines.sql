-- Purpose: the treatment of lines that pay for no plain period: free ones, switches, one-off ones.
-- Touches: registry.product_keys, clockwork.reasons, clockwork.reason_choices, tracker.orders (subscription_id).
-- Watch: the rules are in src/shared/orders/lines.ts.

create type registry.on_switch as enum ('ship_now', 'with_next', 'ask');
create type registry.one_off as enum ('ship', 'ask');

alter table registry.product_keys
  add column ships_free boolean,
  add column on_switch registry.on_switch not null default 'ask',
  add column one_off registry.one_off not null default 'ask';
comment on column registry.product_keys.ships_free is 'Stripe prices of 0 only: whether they ship. Empty: a person is asked once.';
comment on column registry.product_keys.on_switch is 'Stripe prices only, for a switch in mid-period that pays for no whole fill: ship_now, with_next (nothing until the next charge), or ask.';
comment on column registry.product_keys.one_off is 'Stripe prices only, for a line that no subscription asks for: ship, or ask.';

alter table tracker.orders alter column subscription_id drop not null;
comment on column tracker.orders.subscription_id is 'The Stripe subscription that wants it. Empty: it was paid for without one.';

insert into clockwork.reasons (code, sentence, repair, on_resend) values
  ('SWITCHED_LINE', '{amount} was paid for the rest of a period of {price}, in which no fill is due.', 'To ship one fill now, set answer to ship. If it goes with the next charge, set answer to call_off. To have it done so each time, set on_switch of the price in registry.product_keys.', 'Reads the invoice at Stripe again. Asks again if nothing changed.'),
  ('ONE_OFF_LINE', '{amount} was paid for {price}, and no subscription asks for it.', 'To ship it, set answer to ship. If nothing is to be sent, set answer to call_off. To have it shipped each time, set one_off of the price in registry.product_keys.', 'Reads the invoice at Stripe again. Asks again if nothing changed.'),
  ('STUB_LINE', '{amount} was paid for the time up to the first billing date of {price}, which is less than half a period.', 'To ship its fills, set answer to ship. If nothing is to be sent, set answer to call_off.', 'Reads the invoice at Stripe again. Asks again if nothing changed.'),
  ('METERED_LINE', 'The price {price} is billed by use or by tiers, so its lines do not say how many parcels they pay for.', 'To ship its usual fills for each line, set answer to ship. If nothing is to be sent, set answer to call_off. Or set fills_per_charge of the price to 0.', 'Reads the invoice at Stripe again. Asks again if nothing changed.'),
  ('FREE_LINE', 'The price {price} is free, and nobody has said whether it ships.', 'Set ships_free of the price in registry.product_keys, then set answer to ship or call_off.', 'Reads the price''s key again. Asks again if nothing changed.');

insert into clockwork.reason_choices (code, position, answer, label, status) values
  ('SWITCHED_LINE', 1, 'ship', 'ship one fill now', 'PENDING'),
  ('SWITCHED_LINE', 2, 'call_off', 'nothing is sent for it', 'PENDING'),
  ('ONE_OFF_LINE', 1, 'ship', 'ship it', 'PENDING'),
  ('ONE_OFF_LINE', 2, 'call_off', 'nothing is sent for it', 'PENDING'),
  ('STUB_LINE', 1, 'ship', 'ship its fills', 'PENDING'),
  ('STUB_LINE', 2, 'call_off', 'nothing is sent for it', 'PENDING'),
  ('METERED_LINE', 1, 'ship', 'ship the usual fills for each of its lines', 'PENDING'),
  ('METERED_LINE', 2, 'call_off', 'nothing is sent for its lines', 'PENDING'),
  ('FREE_LINE', 1, 'ship', 'ship the fills of each of its lines', 'PENDING'),
  ('FREE_LINE', 2, 'call_off', 'nothing is sent for its lines', 'PENDING');
