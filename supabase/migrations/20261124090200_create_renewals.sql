-- Purpose: what the finder last saw of each active refill, and where each renewal stands.
-- Touches: tracker.refill_findings, tracker.refills, tracker.renewal_states, tracker.renewal_moves, tracker.renewals.
--   clockwork.start_due_renewals(), registry.products, clockwork.settings.
-- Watch: keys and our own dates only. What a prescription says is the health record's and read anew each time.

alter table registry.products
  add column renewal_lead_days integer not null default 30,
  add constraint renewal_lead_is_sane check (renewal_lead_days between 1 and 180);
comment on column registry.products.renewal_lead_days is 'How many days before a prescription is used up or expires the customer is asked to renew it.';

create table tracker.refill_findings (
  finding text primary key,
  is_issue boolean not null,
  meaning text not null
);
alter table tracker.refill_findings enable row level security;
comment on table tracker.refill_findings is 'What the finder can say of a refill.';

insert into tracker.refill_findings (finding, is_issue, meaning) values
  ('COVERED', false, 'A valid prescription covers it.'),
  ('EXPIRES', false, 'Its prescription expires soon.'),
  ('RUNS_OUT', false, 'Its prescription''s fills will be used up soon.'),
  ('NO_FILLS_LEFT', true, 'Its prescription has zero fills left.'),
  ('EXPIRED', true, 'Its prescription has expired.'),
  ('NO_PRESCRIPTION', true, 'There is no active prescription on file.'),
  ('WRONG_PRODUCT', true, 'There are prescriptions on file, but none for this product.'),
  ('DATES_UNKNOWN', true, 'A prescription is on file, but its expiry, its fills or its days'' supply are missing or unclear.'),
  ('PAUSED', false, 'The customer paused it.'),
  ('PAUSED_FOR_RENEWAL', true, 'The prescription lapsed, so billing is paused until it is renewed.'),
  ('ENDING', false, 'The customer cancelled it; it ends with the period that is paid for.'),
  ('INACTIVE', false, 'It is not active at Stripe.'),
  ('UNKNOWN_STATUS', true, 'Stripe gives it a status that nothing here understands.'),
  ('UNKNOWN_PRODUCT', true, 'Its price is in no product.'),
  ('UNKNOWN_CUSTOMER', true, 'Its customer is not in the registry, or has no patient in the health record.');

create table tracker.refills (
  subscription_item_id text primary key,
  subscription_id text not null,
  customer_id bigint references registry.customers (id),
  product_id bigint references registry.products (id),
  prescription_id text,
  finding text not null references tracker.refill_findings (finding),
  what text,
  other_prescriptions integer not null default 0,
  due_on timestamptz,
  start_on timestamptz,
  looked_at timestamptz not null default clockwork.now(),
  constraint a_campaign_starts_before_it_is_due check (start_on <= due_on),
  constraint a_covered_refill_knows_until_when check (finding not in ('COVERED', 'EXPIRES', 'RUNS_OUT') or due_on is not null)
);
alter table tracker.refills enable row level security;
create index refills_subscription on tracker.refills (subscription_id);
create index refills_customer on tracker.refills (customer_id);
create index refills_product on tracker.refills (product_id);
create index refills_finding on tracker.refills (finding);

comment on table tracker.refills is 'A row per active refill, as it was when somebody last looked: what was found, and our own dates. Read ops.renewals instead.';
comment on column tracker.refills.subscription_item_id is 'Stripe: si_…';
comment on column tracker.refills.subscription_id is 'Stripe: sub_…';
comment on column tracker.refills.customer_id is 'Whose refill it is (registry.customers).';
comment on column tracker.refills.product_id is 'What is refilled (registry.products).';
comment on column tracker.refills.prescription_id is 'The prescription that covers it longest, or the last that did (health record).';
comment on column tracker.refills.finding is 'See tracker.refill_findings.';
comment on column tracker.refills.what is 'What is missing, where something is.';
comment on column tracker.refills.other_prescriptions is 'Further active prescriptions for the same product.';
comment on column tracker.refills.due_on is 'The first day without a fill: the prescription must be renewed before.';
comment on column tracker.refills.start_on is 'When the customer is asked to renew: due_on less the product''s lead time.';
comment on column tracker.refills.looked_at is 'When the owners were asked.';

create table tracker.renewal_states (
  state text primary key,
  is_open boolean not null,
  meaning text not null
);
alter table tracker.renewal_states enable row level security;
comment on table tracker.renewal_states is 'The states of a renewal.';
insert into tracker.renewal_states (state, is_open, meaning) values
  ('SCHEDULED', true, 'the customer will be asked to renew on start_on'),
  ('CONTACTED', true, 'the customer was asked; reminders follow'),
  ('LAPSED', true, 'not renewed in time: a person sees to it, and billing is paused'),
  ('RENEWED', false, 'a new prescription covers the refill'),
  ('CANCELLED', false, 'the customer ended the subscription, or it is no longer due');

create table tracker.renewal_moves (
  from_state text not null references tracker.renewal_states (state),
  to_state text not null references tracker.renewal_states (state),
  primary key (from_state, to_state)
);
alter table tracker.renewal_moves enable row level security;
create index renewal_moves_to on tracker.renewal_moves (to_state);
comment on table tracker.renewal_moves is 'The only moves a renewal may make.';
insert into tracker.renewal_moves (from_state, to_state) values
  ('SCHEDULED', 'CONTACTED'), ('SCHEDULED', 'LAPSED'), ('SCHEDULED', 'RENEWED'), ('SCHEDULED', 'CANCELLED'),
  ('CONTACTED', 'LAPSED'), ('CONTACTED', 'RENEWED'), ('CONTACTED', 'CANCELLED'),
  ('LAPSED', 'RENEWED'), ('LAPSED', 'CANCELLED');

create table tracker.renewals (
  id bigint generated always as identity primary key,
  state text not null default 'SCHEDULED' references tracker.renewal_states (state),
  customer_id bigint not null references registry.customers (id),
  product_id bigint not null references registry.products (id),
  subscription_id text not null,
  subscription_item_id text not null,
  prescription_id text not null,
  cycle integer not null default 1,
  cause text not null,
  opened_by text not null,
  due_on timestamptz not null,
  start_on timestamptz not null,
  next_on timestamptz,
  reminders integer not null default 0,
  contacted_at timestamptz,
  lapsed_at timestamptz,
  billing_paused_at timestamptz,
  billing_resumed_at timestamptz,
  closed_at timestamptz,
  closed_because text,
  created_at timestamptz not null default clockwork.now(),
  constraint one_renewal_per_prescription_and_cycle unique (customer_id, product_id, prescription_id, cycle),
  constraint cycle_counts_from_one check (cycle > 0),
  constraint renewal_cause_is_known check (cause in ('EXPIRES', 'RUNS_OUT', 'NO_FILLS_LEFT', 'EXPIRED')),
  constraint a_campaign_starts_before_it_is_due check (start_on <= due_on),
  constraint reminders_are_not_negative check (reminders >= 0),
  constraint only_a_contacted_customer_is_reminded check (reminders = 0 or contacted_at is not null),
  constraint a_contacted_renewal_says_when check (state <> 'CONTACTED' or contacted_at is not null),
  constraint a_lapsed_renewal_says_when check (state <> 'LAPSED' or lapsed_at is not null),
  constraint only_a_lapse_pauses_billing check (billing_paused_at is null or lapsed_at is not null),
  constraint only_paused_billing_is_resumed check (billing_resumed_at is null or billing_paused_at is not null),
  constraint a_closed_renewal_says_when_and_why
    check ((state in ('RENEWED', 'CANCELLED')) = (closed_at is not null) and (closed_at is null) = (closed_because is null)),
  constraint only_an_open_renewal_is_looked_at_again check ((closed_at is null) = (next_on is not null))
);
alter table tracker.renewals enable row level security;
create unique index one_open_renewal_per_customer_and_product on tracker.renewals (customer_id, product_id)
  where closed_at is null;
create index renewals_due on tracker.renewals (next_on) where closed_at is null;
create index renewals_product on tracker.renewals (product_id);
create index renewals_subscription on tracker.renewals (subscription_id);

comment on table tracker.renewals is 'A row per prescription and cycle that must be renewed: since when, until when, and what was done. To stop one, set state to CANCELLED.';
comment on column tracker.renewals.state is 'See tracker.renewal_states.';
comment on column tracker.renewals.customer_id is 'Who is to renew (registry.customers).';
comment on column tracker.renewals.product_id is 'For which product (registry.products).';
comment on column tracker.renewals.subscription_id is 'The Stripe subscription that wants the refills.';
comment on column tracker.renewals.subscription_item_id is 'Its item.';
comment on column tracker.renewals.prescription_id is 'The prescription that ends (health record).';
comment on column tracker.renewals.cycle is '1; higher when the same prescription comes due again.';
comment on column tracker.renewals.cause is 'EXPIRES, RUNS_OUT (its fills will be used up), NO_FILLS_LEFT, or EXPIRED.';
comment on column tracker.renewals.opened_by is 'The step that opened it.';
comment on column tracker.renewals.due_on is 'The first day without a fill.';
comment on column tracker.renewals.start_on is 'When the customer is asked.';
comment on column tracker.renewals.next_on is 'When it is looked at next.';
comment on column tracker.renewals.reminders is 'Reminders sent.';
comment on column tracker.renewals.contacted_at is 'When the customer was asked to renew.';
comment on column tracker.renewals.lapsed_at is 'When it was due and not renewed.';
comment on column tracker.renewals.billing_paused_at is 'When billing was paused because nothing can ship.';
comment on column tracker.renewals.billing_resumed_at is 'When billing went on.';
comment on column tracker.renewals.closed_at is 'When it was renewed or cancelled.';
comment on column tracker.renewals.closed_because is 'Why it is closed, in plain words.';

create function tracker.guard_renewal() returns trigger
language plpgsql set search_path = ''
as $$
begin
  if new.state <> old.state and not exists (
    select from tracker.renewal_moves
    where renewal_moves.from_state = old.state and renewal_moves.to_state = new.state
  ) then
    raise exception 'Renewal % is %, so it cannot become %.', old.id, old.state, new.state
      using errcode = 'check_violation';
  end if;
  if (new.customer_id, new.product_id, new.prescription_id, new.cycle)
    is distinct from (old.customer_id, old.product_id, old.prescription_id, old.cycle)
  then
    raise exception 'Renewal % is about one prescription of one customer; that never changes.', old.id
      using errcode = 'check_violation';
  end if;
  if old.contacted_at is not null and new.contacted_at is distinct from old.contacted_at then
    raise exception 'The customer of renewal % was asked already; that stays.', old.id
      using errcode = 'check_violation';
  end if;
  if new.state in ('RENEWED', 'CANCELLED') then
    new.closed_at := coalesce(new.closed_at, clockwork.now());
    new.closed_because := coalesce(new.closed_because, 'closed by a person');
    new.next_on := null;
  end if;
  return new;
end
$$;
create trigger guard_renewal before update on tracker.renewals
  for each row execute function tracker.guard_renewal();
create trigger refuse_delete before delete on tracker.renewals
  for each statement execute function clockwork.refuse_removal('To stop one set its state to CANCELLED.');
create trigger refuse_truncate before truncate on tracker.renewals
  for each statement execute function clockwork.refuse_removal('To stop one set its state to CANCELLED.');
create trigger refuse_delete before delete on tracker.renewal_states
  for each statement execute function clockwork.refuse_removal('Renewals stand in them.');
create trigger refuse_truncate before truncate on tracker.renewal_states
  for each statement execute function clockwork.refuse_removal('Renewals stand in them.');
create trigger refuse_delete before delete on tracker.renewal_moves
  for each statement execute function clockwork.refuse_removal('Without them no renewal can move.');
create trigger refuse_truncate before truncate on tracker.renewal_moves
  for each statement execute function clockwork.refuse_removal('Without them no renewal can move.');
create trigger refuse_delete before delete on tracker.refill_findings
  for each statement execute function clockwork.refuse_removal('Refills name them.');
create trigger refuse_truncate before truncate on tracker.refill_findings
  for each statement execute function clockwork.refuse_removal('Refills name them.');

alter table clockwork.settings
  add column remind_days_before integer[] not null default '{14,5}',
  add constraint reminders_come_before_the_due_day check (0 < all (remind_days_before));
comment on column clockwork.settings.remind_days_before is 'Days before a prescription''s due day on which a customer who was asked to renew is reminded.';

create index tasks_open_renewal on clockwork.tasks (step, (data ->> 'renewal_id'))
  where status in ('PENDING', 'QUEUED', 'MANUAL_INTERVENTION');
create index tasks_open_refill on clockwork.tasks (step, (data ->> 'subscription_id'))
  where status in ('PENDING', 'QUEUED', 'MANUAL_INTERVENTION');

-- The starter: renewals whose day has come become tasks, one a renewal and moment.
create function clockwork.start_due_renewals() returns bigint
language plpgsql set search_path = ''
as $$
declare
  started bigint;
begin
  perform pg_catalog.set_config('clockwork.actor', 'clockwork:renewals', true);
  insert into clockwork.tasks (step, key, vendor, data, customer_id)
  select 'renewal.advance', renewals.id || ':' || pg_catalog.date_part('epoch', renewals.next_on)::bigint, 'health',
    pg_catalog.jsonb_build_object('renewal_id', renewals.id), renewals.customer_id
  from tracker.renewals
  where renewals.closed_at is null and renewals.next_on <= clockwork.now()
    and not exists (
      select from clockwork.tasks
      where tasks.step = 'renewal.advance' and tasks.status in ('PENDING', 'QUEUED')
        and tasks.data ->> 'renewal_id' = renewals.id::text)
  order by renewals.next_on
  on conflict on constraint tasks_step_key_is_unique do nothing;
  get diagnostics started = row_count;
  return started;
end
$$;
comment on function clockwork.start_due_renewals() is 'Makes a task of every renewal whose next_on has come. Run by pg_cron every few minutes.';
