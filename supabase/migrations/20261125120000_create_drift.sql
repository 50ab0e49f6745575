-- Purpose: which mirror did not show what its owner says, when, and what became of it; and the settings of that check.
-- Touches: tracker.drift, tracker.drift_looks, tracker.check_runs, clockwork.settings, clockwork.tasks,
--   tracker.system_name(), tracker.drift_cause().
-- Watch: values are kept as keyed hashes only. The key is drawn here, one for each database; whoever has it could try
--   out addresses, so it is no less a secret than a vendor's.

alter table clockwork.settings
  add column drift_secret text not null
    default replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''),
  add column drift_settle_minutes integer not null default 15,
  add column drift_again_times integer not null default 3,
  add column drift_again_days integer not null default 14,
  add column drift_questions_at_most integer not null default 20,
  add constraint drift_secret_is_long check (length(drift_secret) >= 32),
  add constraint drift_settle_is_sane check (drift_settle_minutes between 0 and 1440),
  add constraint drift_again_is_more_than_once check (drift_again_times > 1 and drift_again_days > 0),
  add constraint drift_questions_are_some check (drift_questions_at_most > 0);
comment on column clockwork.settings.drift_secret is 'The key of the hashes in tracker.drift. Never shown to anybody; a new one makes the causes in ops.drift wrong for two weeks.';
comment on column clockwork.settings.drift_settle_minutes is 'What differs is looked at again so long after, for the news of it may be on its way.';
comment on column clockwork.settings.drift_again_times is 'A fact of a customer that drifted so often goes to a person…';
comment on column clockwork.settings.drift_again_days is '… when it was within so many days.';
comment on column clockwork.settings.drift_questions_at_most is 'So many open questions at most about facts that drift again and again. The rest is in ops.drift.';

alter table tracker.check_runs
  add column unlinked integer not null default 0,
  add constraint unlinked_is_not_negative check (unlinked >= 0);
comment on column tracker.check_runs.unlinked is 'Whom it met and could compare with nothing: in nobody''s row of the registry, or without a key of the other side.';

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
      pg_catalog.lag(drift.owner_hash) over (order by drift.id) as owner_before,
      pg_catalog.lag(drift.mirror_hash) over (order by drift.id) as mirror_before
    from tracker.drift
    cross join clockwork.settings
    where drift.customer_id = drift_cause.customer_id and drift.fact = drift_cause.fact
      and drift.system = drift_cause.system and drift.attribute = drift_cause.attribute
      and drift.found_at > clockwork.now() - pg_catalog.make_interval(days => settings.drift_again_days)
  ), told as (
    select pg_catalog.count(*) as found, pg_catalog.count(owner_before) as again,
      pg_catalog.count(*) filter (where owner_hash <> owner_before) as owner_moved,
      pg_catalog.count(*) filter (where owner_hash = owner_before and mirror_hash = mirror_before) as came_back,
      pg_catalog.min(found_at) as since, pg_catalog.max(found_at) as until, pg_catalog.max(owner) as owner
    from times
  ), news as (
    -- A propagation that an event of the owner began.
    select pg_catalog.count(*) as heard
    from told
    join clockwork.tasks on tasks.customer_id = drift_cause.customer_id
      and tasks.step = 'owner.propagate_' || drift_cause.fact
      and tasks.created_at between told.since and told.until
    join clockwork.tasks as causes on causes.id = tasks.caused_by
      and pg_catalog.split_part(causes.step, '.', 1) = told.owner
  ), named as (
    select tracker.system_name(told.owner) as owner, tracker.system_name(drift_cause.system) as mirror from told
  )
  select case
    when told.found = 0 then 'It did not drift again lately.'
    when told.again = 0 then pg_catalog.format(
      'Seen once lately: an event of %s that did not come, or an edit in %s.', named.owner, named.mirror)
    when told.owner_moved = 0 and told.came_back = told.again then pg_catalog.format(
      'Something else writes to %s: the value of %s was put there %s times, and each time the same other value came back.',
      named.mirror, named.owner, told.again)
    when told.owner_moved = 0 then pg_catalog.format(
      'Somebody or something edits %s: what %s says stayed the same, and other values turned up there %s times.',
      named.mirror, named.owner, told.found)
    when told.owner_moved = told.again and news.heard = 0 then pg_catalog.format(
      'Events of %s do not reach us: what it says changed %s times, and none was heard of.', named.owner, told.again)
    else pg_catalog.format(
      'Either events of %s do not all reach us, or something else writes to %s: both changed.', named.owner, named.mirror)
  end
  from told, news, named
$$;
comment on function tracker.drift_cause(bigint, text, text, text) is 'Why a mirror of a customer drifts, as far as the record tells, in words.';

create index tasks_open_customer on clockwork.tasks (step, (data ->> 'customer_id'))
  where status in ('PENDING', 'QUEUED', 'MANUAL_INTERVENTION');
