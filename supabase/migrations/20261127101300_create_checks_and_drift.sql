-- Purpose: a row per run of a nightly check, so that a run that did not finish is seen and never counts as a success;
--   how often each key is in use; and which mirror did not show what its owner says, when, and what became of it.
-- Touches: tracker.check_runs, tracker.check_marks, tracker.product_counts, tracker.drift, tracker.drift_looks,
--   tracker.system_name(), tracker.drift_cause().
-- Watch: pages are counted in the transaction that settles the page's task; a page that is resent counts once. Values are
--   kept as keyed hashes only: the key (clockwork.settings.drift_secret) is drawn for each database, and is no less a
--   secret than a vendor's, for whoever has it could try out addresses.

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

comment on table tracker.check_runs is 'A row per run of a nightly check. Only DONE is a success; UNFINISHED means that the next run began before it came to its end.';
comment on column tracker.check_runs.work is 'completeness, drift, product_count, or renewals (the look at all refills).';
comment on column tracker.check_runs.vendor is 'Whose side was gone through (clockwork.vendors).';
comment on column tracker.check_runs.state is 'RUNNING, DONE or UNFINISHED.';
comment on column tracker.check_runs.window_from is 'From when on it asked what happened. Empty where the state was compared.';
comment on column tracker.check_runs.window_until is 'Up to when it asked what happened.';
comment on column tracker.check_runs.pages is 'Pages that were gone through.';
comment on column tracker.check_runs.seen is 'What it looked at: events, orders, or facts of customers.';
comment on column tracker.check_runs.missing is 'Of those, what we had never received, or what differed from its owner.';
comment on column tracker.check_runs.repaired is 'Of those, what was put right or taken up.';
comment on column tracker.check_runs.task_id is 'The task of its first page (clockwork.tasks).';
comment on column tracker.check_runs.unlinked is 'Whom it met and could compare with nothing: in nobody''s row of the registry, or without a key of the other side.';

create table tracker.check_marks (
  run_id bigint not null references tracker.check_runs (id),
  order_id bigint not null references tracker.orders (id),
  primary key (run_id, order_id)
);
alter table tracker.check_marks enable row level security;
create index check_marks_order on tracker.check_marks (order_id);

comment on table tracker.check_marks is 'Our orders that a run met among the pharmacy''s open ones; the others are asked about one by one. Emptied when a run ends.';
comment on column tracker.check_marks.run_id is 'The run (tracker.check_runs).';
comment on column tracker.check_marks.order_id is 'The order (tracker.orders).';

-- A run's counts mean something only once the run is DONE. Numbers only, no person.
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

comment on table tracker.drift is 'A row each time a mirror did not show what the owner of the fact says. Read ops.drift instead.';
comment on column tracker.drift.customer_id is 'Whose fact it is (registry.customers).';
comment on column tracker.drift.fact is 'Which fact: plan or contact.';
comment on column tracker.drift.owner is 'Who owns it: stripe, health or crm.';
comment on column tracker.drift.system is 'Where it is mirrored: stripe, crm, registry or login.';
comment on column tracker.drift.attribute is 'What it is called there.';
comment on column tracker.drift.owner_hash is 'A keyed hash of what the owner said. Equal values of one customer and attribute have equal hashes.';
comment on column tracker.drift.mirror_hash is 'A keyed hash of what the mirror showed.';
comment on column tracker.drift.looks is 'How many runs saw it before it was put right.';
comment on column tracker.drift.found_at is 'When it was found.';
comment on column tracker.drift.changed_at is 'Since when these very two values were seen.';
comment on column tracker.drift.repaired_at is 'When the mirror was seen to show the owner''s value again.';
comment on column tracker.drift.run_id is 'The last run that saw it (tracker.check_runs). Empty when it was looked at on demand.';
comment on column tracker.drift.task_id is 'The task that found it (clockwork.tasks).';

create trigger refuse_delete before delete on tracker.drift
  for each statement execute function clockwork.refuse_removal('They are the record of what drifted.');
create trigger refuse_truncate before truncate on tracker.drift
  for each statement execute function clockwork.refuse_removal('They are the record of what drifted.');

create table tracker.drift_looks (
  customer_id bigint not null references registry.customers (id),
  vendor text not null references clockwork.vendors (vendor),
  run_id bigint not null references tracker.check_runs (id),
  primary key (customer_id, vendor)
);
alter table tracker.drift_looks enable row level security;
create index drift_looks_vendor on tracker.drift_looks (vendor);
create index drift_looks_run on tracker.drift_looks (run_id);

comment on table tracker.drift_looks is 'In which run a customer turned up last at a vendor. Who did not turn up in the newest one is looked at by themselves.';
comment on column tracker.drift_looks.customer_id is 'Who (registry.customers).';
comment on column tracker.drift_looks.vendor is 'Where (clockwork.vendors).';
comment on column tracker.drift_looks.run_id is 'The run (tracker.check_runs).';

create function tracker.system_name(system text) returns text
language sql immutable set search_path = ''
as $$
  select case system_name.system
    when 'stripe' then 'Stripe' when 'crm' then 'the CRM' when 'health' then 'the health record'
    when 'registry' then 'the registry' when 'login' then 'the login' else system_name.system end
$$;
comment on function tracker.system_name(text) is 'A system as people call it.';

-- What the record says of why. Between two rows of a mirror it was put right, or else there would be one row.
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
  ), told as (
    select count(*) as found, count(owner_before) as again,
      count(*) filter (where owner_hash <> owner_before) as owner_moved,
      count(*) filter (where owner_hash = owner_before and mirror_hash = mirror_before) as came_back,
      min(found_at) as since, max(found_at) as until, max(owner) as owner
    from times
  ), news as (
    -- A propagation that an event of the owner began.
    select count(*) as heard
    from told
    join clockwork.tasks on tasks.customer_id = drift_cause.customer_id
      and tasks.step = 'owner.propagate_' || drift_cause.fact
      and tasks.created_at between told.since and told.until
    join clockwork.tasks as causes on causes.id = tasks.caused_by
      and split_part(causes.step, '.', 1) = told.owner
  ), named as (
    select tracker.system_name(told.owner) as owner, tracker.system_name(drift_cause.system) as mirror from told
  )
  select case
    when told.found = 0 then 'It did not drift again lately.'
    when told.again = 0 then format(
      'Seen once lately: an event of %s that did not come, or an edit in %s.', named.owner, named.mirror)
    when told.owner_moved = 0 and told.came_back = told.again then format(
      'Something else writes to %s: the value of %s was put there %s times, and each time the same other value came back.',
      named.mirror, named.owner, told.again)
    when told.owner_moved = 0 then format(
      'Somebody or something edits %s: what %s says stayed the same, and other values turned up there %s times.',
      named.mirror, named.owner, told.found)
    when told.owner_moved = told.again and news.heard = 0 then format(
      'Events of %s do not reach us: what it says changed %s times, and none was heard of.', named.owner, told.again)
    else format(
      'Either events of %s do not all reach us, or something else writes to %s: both changed.', named.owner, named.mirror)
  end
  from told, news, named
$$;
comment on function tracker.drift_cause(bigint, text, text, text) is 'Why a mirror of a customer drifts, as far as the record tells, in words.';
