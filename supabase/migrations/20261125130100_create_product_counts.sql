-- Purpose: how often each key is really in use at Stripe and at the pharmacy, counted every night.
-- Touches: tracker.product_counts, clockwork.nightly_work.
-- Watch: a run's counts mean something only once the run is DONE (tracker.check_runs). Numbers only, no person.

create table tracker.product_counts (
  run_id bigint not null references tracker.check_runs (id),
  system registry.key_system not null,
  key text not null,
  in_use integer not null,
  paused integer not null,
  primary key (run_id, system, key),
  constraint only_prices_and_treatments_are_counted check (system in ('stripe_price', 'pharmacy_treatment')),
  constraint counts_are_not_negative check (least(in_use, paused) >= 0)
);
alter table tracker.product_counts enable row level security;
create index product_counts_key on tracker.product_counts (system, key);

comment on table tracker.product_counts is 'How often each key was in use on a night. ops.product_frequency shows the last whole count.';
comment on column tracker.product_counts.run_id is 'The night''s run (tracker.check_runs).';
comment on column tracker.product_counts.system is 'stripe_price or pharmacy_treatment.';
comment on column tracker.product_counts.key is 'The price or the treatment, registered or not.';
comment on column tracker.product_counts.in_use is 'Stripe: subscription items that are charged for. Pharmacy: active prescriptions.';
comment on column tracker.product_counts.paused is 'Stripe: subscription items that have not ended and are paused, in either way.';

insert into clockwork.nightly_work (step, vendor, at, what) values
  ('product.count_stripe', 'stripe', '03:30', 'Counts how many subscriptions use each Stripe price.'),
  ('product.count_pharmacy', 'pharmacy', '03:30', 'Counts how many active prescriptions use each treatment at the pharmacy.');
