-- Purpose: the three dates of each refill (last fill, expiry, drug runs out), twins, and what cannot be told of it.
-- Touches: tracker.refill_findings, tracker.refills.
-- Watch: forecasts of our own as of looked_at. What a prescription itself says is the health record's.

insert into tracker.refill_findings (finding, is_issue, meaning) values
  ('UNCLEAR', true, 'It cannot be told what it refills, or when.');

alter table tracker.refills
  add column last_fill_on timestamptz,
  add column fillable_until timestamptz,
  add column runs_out_on timestamptz,
  add column other_refills integer not null default 0;

comment on column tracker.refills.last_fill_on is 'The day on which the last fill that is left will be used, or was.';
comment on column tracker.refills.fillable_until is 'The last moment at which one may be filled, as worked out from what the health record said at looked_at.';
comment on column tracker.refills.runs_out_on is 'When the drug of the last fill is used up.';
comment on column tracker.refills.other_refills is 'Further active refills of the customer for the same product. They use the same fills.';
