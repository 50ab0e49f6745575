-- Purpose: how often a vendor refused an effect: a vendor that answers by idempotency key would give the same refusal again.
-- Touches: clockwork.effects.

alter table clockwork.effects
  add column refusals integer not null default 0,
  add constraint refusals_are_not_negative check (refusals >= 0);
comment on column clockwork.effects.refusals is 'How often the vendor said no. Part of the idempotency key where the vendor has such keys, so that a resend is asked anew.';
