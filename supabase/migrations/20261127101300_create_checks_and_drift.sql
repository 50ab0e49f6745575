-- Purpose: a row per run of a nightly check, so that an unfinished run shows and never counts as a success. The use of
--   each key by night. Each mirror that differed from its owner, with its dates and its repair.
-- Touches: tracker.check_runs, tracker.check_marks, tracker.product_counts, tracker.drift, tracker.drift_looks,
--   tracker.system_name(), tracker.drift_cause().
-- Watch: pages are counted in the transaction that settles the page's task, so a page that is resent counts once. Values
--   are kept as keyed hashes only. Each database draws its own key (clockwork.settings.drift_secret). That key is as
--   secret as a vendor's, because its holder could try out addresses.

create table tracker.check_runs (
  id bigint generated always as identity primary key,
  work text not null,
  vendor text not null references clockwork.vendors (vendor),
  state text not null default 'RUNNING',
  window_from timestamptz,
  window_until timestamptz,
  pages integer not null default 0,
  seen integer not null default 0,
  missing integer not null default 0,
  repaired integer not null default 0,
  task_id bigint not null references clockwork.tasks (id),
  started_at timestamptz not null default clockwork.now(),
  ended_at timestamptz,
  unlinked integer not null default 0,
  constraint check_work_is_known check (work in ('completeness', 'drift', 'product_count', 'renewals')),
  constraint check_run_state_is_known check (state in ('RUNNING', 'DONE', 'UNFINISHED')),
  constraint only_an_ended_run_has_ended_at check ((state = 'RUNNING') = (ended_at is null)),
  constraint a_window_has_both_ends check ((window_from is null) = (window_until is null) and window_from <= window_until),
  constraint counts_are_not_negative check (least(pages, seen, missing, repaired) >= 0),
  constraint unlinked_is_not_negative check (unlinked >= 0)
);
alter table tracker.check_runs enable row level security;
create index check_runs_vendor on tracker.check_runs (vendor);
create index check_runs_task on tracker.check_runs (task_id);
create unique index one_check_runs_at_a_time on tracker.check_runs (work, vendor) where state = 'RUNNING';

comment on table tracker.check_runs is 'A row per run of a nightly check. Only DONE is a success. UNFINISHED means that the next run began before its end.';
comment on column tracker.check_runs.work is 'completeness, drift, product_count, or renewals (the look at all refills).';
comment on column tracker.check_runs.vendor is 'The vendor that the run went through (clockwork.vendors).';
comment on column tracker.check_runs.state is 'RUNNING, DONE or UNFINISHED.';
comment on column tracker.check_runs.window_from is 'The start of the time whose events the run listed. Empty for a run that compared states.';
comment on column tracker.check_runs.window_until is 'The end of the time whose events the run listed.';
comment on column tracker.check_runs.pages is 'The number of pages that the run went through.';
comment on column tracker.check_runs.seen is 'The number of events, orders or facts of customers that the run went through.';
comment on column tracker.check_runs.missing is 'The number of those that we had never received, or that differed from their owner.';
comment on column tracker.check_runs.repaired is 'The number of those that were repaired or recorded.';
comment on column tracker.check_runs.task_id is 'The task of the first page (clockwork.tasks).';
comment on column tracker.check_runs.unlinked is 'The number of records without a comparison: in no row of the registry, or without a key of the other side.';

create table tracker.check_marks (
  run_id bigint not null references tracker.check_runs (id),
  order_id bigint not null references tracker.orders (id),
  primary key (run_id, order_id)
);
alter table tracker.check_marks enable row level security;
create index check_marks_order on tracker.check_marks (order_id);

comment on table tracker.check_marks is 'Our orders that a run met among the pharmacy''s open ones. The run reads each other order by itself. The rows are deleted when the run ends.';
comment on column tracker.check_marks.run_id is 'The run (tracker.check_runs).';
comment on column tracker.check_marks.order_id is 'The order (tracker.orders).';

-- A run's counts are valid only once the run is DONE. They are numbers only, without any person.
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

comment on table tracker.product_counts is 'The use of each key by night. ops.product_frequency shows the last whole count.';
comment on column tracker.product_counts.run_id is 'The night''s run (tracker.check_runs).';
comment on column tracker.product_counts.system is 'stripe_price or pharmacy_treatment.';
comment on column tracker.product_counts.key is 'The price or the treatment, registered or not.';
comment on column tracker.product_counts.in_use is 'Stripe: subscription items that are charged for. Pharmacy: active prescriptions.';
comment on column tracker.product_counts.paused is 'Stripe: subscription items that have not ended and are paused, in either way.';

create table tracker.drift (
  id bigint generated always as identity primary key,
  customer_id bigint not null references registry.customers (id),
  fact text not null,
  owner text not null,
  system text not null,
  attribute text not null,
  owner_hash text not null,
  mirror_hash text not null,
  looks integer not null default 1,
  found_at timestamptz not null default clockwork.now(),
  changed_at timestamptz not null default clockwork.now(),
  repaired_at timestamptz,
  run_id bigint references tracker.check_runs (id),
  task_id bigint not null references clockwork.tasks (id),
  constraint drift_owner_is_known check (owner in ('stripe', 'health', 'crm')),
  constraint drift_system_is_known check (system in ('stripe', 'crm', 'registry', 'login')),
  constraint an_owner_is_not_its_mirror check (owner <> system),
  constraint what_drifted_differs check (owner_hash <> mirror_hash),
  constraint hashes_are_hashes check (owner_hash ~ '^[0-9a-f]{64}$' and mirror_hash ~ '^[0-9a-f]{64}$'),
  constraint looks_count_from_one check (looks > 0),
  constraint a_drift_is_found_first check (changed_at >= found_at and repaired_at >= found_at)
);
alter table tracker.drift enable row level security;
create unique index one_open_drift_per_mirror on tracker.drift (customer_id, system, attribute) where repaired_at is null;
create index drift_mirror on tracker.drift (customer_id, fact, system, attribute, id);
create index drift_found on tracker.drift (found_at);
create index drift_run on tracker.drift (run_id);
create index drift_task on tracker.drift (task_id);

comment on table tracker.drift is 'A row for each time that a mirror differed from the owner of a fact. Read ops.drift instead.';
comment on column tracker.drift.customer_id is 'The customer of the fact (registry.customers).';
comment on column tracker.drift.fact is 'The fact: plan or contact.';
comment on column tracker.drift.owner is 'The owner of the fact: stripe, health or crm.';
comment on column tracker.drift.system is 'The system with the mirror: stripe, crm, registry or login.';
comment on column tracker.drift.attribute is 'The name of the fact in that system.';
comment on column tracker.drift.owner_hash is 'A keyed hash of the owner''s value. Equal values of one customer and attribute have equal hashes.';
comment on column tracker.drift.mirror_hash is 'A keyed hash of the mirror''s value.';
comment on column tracker.drift.looks is 'The number of looks that found it before its repair.';
comment on column tracker.drift.found_at is 'When the drift was found.';
comment on column tracker.drift.changed_at is 'When these two values were first found together.';
comment on column tracker.drift.repaired_at is 'When the mirror was found to show the owner''s value again.';
comment on column tracker.drift.run_id is 'The last run that found the drift (tracker.check_runs). Empty after a look on demand.';
comment on column tracker.drift.task_id is 'The task that found the drift (clockwork.tasks).';

create trigger refuse_delete before delete on tracker.drift
  for each statement execute function clockwork.refuse_removal('They are the record of every drift.');
create trigger refuse_truncate before truncate on tracker.drift
  for each statement execute function clockwork.refuse_removal('They are the record of every drift.');

create table tracker.drift_looks (
  customer_id bigint not null references registry.customers (id),
  vendor text not null references clockwork.vendors (vendor),
  run_id bigint not null references tracker.check_runs (id),
  primary key (customer_id, vendor)
);
alter table tracker.drift_looks enable row level security;
create index drift_looks_vendor on tracker.drift_looks (vendor);
create index drift_looks_run on tracker.drift_looks (run_id);

comment on table tracker.drift_looks is 'The last run in which a customer was met at a vendor. A customer whom the newest run did not meet gets a look of their own.';
comment on column tracker.drift_looks.customer_id is 'The customer (registry.customers).';
comment on column tracker.drift_looks.vendor is 'The vendor (clockwork.vendors).';
comment on column tracker.drift_looks.run_id is 'The run (tracker.check_runs).';

create function tracker.system_name(system text) returns text
language sql immutable set search_path = ''
as $$
  select case system_name.system
    when 'stripe' then 'Stripe' when 'crm' then 'the CRM' when 'health' then 'the health record'
    when 'registry' then 'the registry' when 'login' then 'the login' else system_name.system end
$$;
comment on function tracker.system_name(text) is 'The name of a system as people call it.';

-- The cause by the record. Between two rows of a mirror it was repaired, or else there would be one row.
create function tracker.drift_cause(customer_id bigint, fact text, system text, attribute text) returns text
language sql stable cost 1000 set search_path = ''
as $$
  with times as (
    select drift.owner, drift.owner_hash, drift.mirror_hash, drift.found_at,
      lag(drift.owner_hash) over (order by drift.id) as owner_before,
      lag(drift.mirror_hash) over (order by drift.id) as mirror_before
    from tracker.drift
    cross join clockwork.settings
    where drift.customer_id = drift_cause.customer_id and drift.fact = drift_cause.fact
      and drift.system = drift_cause.system and drift.attribute = drift_cause.attribute
      and drift.found_at > clockwork.now() - make_interval(days => settings.drift_again_days)
  ), counts as (
    select count(*) as found, count(owner_before) as again,
      count(*) filter (where owner_hash <> owner_before) as owner_changed,
      count(*) filter (where owner_hash = owner_before and mirror_hash = mirror_before) as came_back,
      min(found_at) as since, max(found_at) as until, max(owner) as owner
    from times
  ), events_came as (
    -- The propagations that an event of the owner began.
    select count(*) as number
    from counts
    join clockwork.tasks on tasks.customer_id = drift_cause.customer_id
      and tasks.step = 'owner.propagate_' || drift_cause.fact
      and tasks.created_at between counts.since and counts.until
    join clockwork.tasks as causes on causes.id = tasks.caused_by
      and split_part(causes.step, '.', 1) = counts.owner
  ), named as (
    select tracker.system_name(counts.owner) as owner, tracker.system_name(drift_cause.system) as mirror from counts
  )
  select case
    when counts.found = 0 then 'It did not drift again lately.'
    when counts.again = 0 then format(
      'It drifted once lately: an event of %s did not come, or somebody edited %s.', named.owner, named.mirror)
    when counts.owner_changed = 0 and counts.came_back = counts.again then format(
      'Something else writes to %s. The value of %s was put there %s times, and the same other value came back each time.',
      named.mirror, named.owner, counts.again)
    when counts.owner_changed = 0 then format(
      'Somebody or something edits %s. The value of %s stayed the same, and other values turned up in the mirror %s times.',
      named.mirror, named.owner, counts.found)
    when counts.owner_changed = counts.again and events_came.number = 0 then format(
      'Events of %s do not reach us. Its value changed %s times, and no event came.', named.owner, counts.again)
    else format(
      'Some events of %s do not reach us, or something else writes to %s. Both values changed.', named.owner, named.mirror)
  end
  from counts, events_came, named
$$;
comment on function tracker.drift_cause(bigint, text, text, text) is 'The likely cause of a mirror''s drift, by the record, in plain words.';
