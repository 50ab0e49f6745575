-- Purpose: the nights' work as data, and the function that makes its tasks.
-- Touches: clockwork.nightly_work, clockwork.start_nightly_work().
-- Watch: the first call after the hour makes the night's task, so lost and doubled calls change nothing. A night belongs
--   to the day of its hour, so a tick after midnight still starts work that is set to 23:58.

create table clockwork.nightly_work (
  step text primary key,
  vendor text not null references clockwork.vendors (vendor),
  at time not null,
  is_on boolean not null default true,
  what text not null
);
alter table clockwork.nightly_work enable row level security;
create index nightly_work_vendor on clockwork.nightly_work (vendor);

comment on table clockwork.nightly_work is 'The work of every night. Each row becomes one task a night.';
comment on column clockwork.nightly_work.step is 'The step of the task.';
comment on column clockwork.nightly_work.vendor is 'The queue of the task (clockwork.vendors).';
comment on column clockwork.nightly_work.at is 'The hour in the pharmacy''s time zone (clockwork.settings).';
comment on column clockwork.nightly_work.is_on is 'Untick this cell to skip the work from the next night on.';
comment on column clockwork.nightly_work.what is 'The work, in plain words.';

create trigger refuse_truncate before truncate on clockwork.nightly_work
  for each statement execute function clockwork.refuse_removal('To skip work, untick is_on.');

-- The completeness checks come first, so that the other work finds the events that they record.
insert into clockwork.nightly_work (step, vendor, at, what) values
  ('completeness.stripe', 'stripe', '01:00', 'Lists the events at Stripe and records those that never reached us.'),
  ('completeness.health', 'health', '01:00', 'Lists the changes in the health record and records those that never reached us.'),
  ('completeness.pharmacy', 'pharmacy', '01:00', 'Compares the pharmacy''s open orders with ours and records the events that never reached us.'),
  ('renewal.find', 'stripe', '02:00', 'Looks at every active refill for the end of its cover.'),
  ('product.count_stripe', 'stripe', '03:30', 'Counts the subscriptions that use each Stripe price.'),
  ('product.count_pharmacy', 'pharmacy', '03:30', 'Counts the active prescriptions that use each treatment at the pharmacy.'),
  ('drift.customers', 'stripe', '04:00', 'Compares each customer''s facts at Stripe, in the CRM and in the registry with the owner of each fact.'),
  ('drift.logins', 'login', '04:15', 'Compares the email of each login with the CRM.');

create function clockwork.start_nightly_work() returns bigint
language plpgsql set search_path = ''
as $$
declare
  local_now timestamp := clockwork.now() at time zone (select settings.pharmacy_time_zone from clockwork.settings);
  started bigint;
begin
  perform set_config('clockwork.actor', 'clockwork:nightly', true);
  insert into clockwork.tasks (step, key, vendor, data)
  select nightly_work.step, 'night:' || night.day, nightly_work.vendor, jsonb_build_object('night', night.day)
  from clockwork.nightly_work
  cross join lateral (select (local_now - nightly_work.at::interval)::date as day) as night
  where nightly_work.is_on
  order by nightly_work.at, nightly_work.step
  on conflict on constraint tasks_step_key_is_unique do nothing;
  get diagnostics started = row_count;

  -- Work that still waits the next night (its vendor is paused, for example) becomes a question to a person, one a work.
  insert into clockwork.tasks (status, step, key, vendor, data, reason, reason_code)
  select 'MANUAL_INTERVENTION', late.step, 'unfinished:' || late.day, late.vendor,
    jsonb_build_object('night', late.day),
    clockwork.reason_text('NIGHT_UNFINISHED', jsonb_build_object('step', late.step, 'day', late.day)), 'NIGHT_UNFINISHED'
  from (
    select nightly_work.step, nightly_work.vendor, min(tasks.created_at at time zone settings.pharmacy_time_zone)::date as day
    from clockwork.nightly_work
    cross join clockwork.settings
    join clockwork.tasks on tasks.step = nightly_work.step and tasks.status in ('PENDING', 'QUEUED')
      and tasks.created_at < clockwork.now() - interval '20 hours'
    where nightly_work.is_on
    group by nightly_work.step, nightly_work.vendor
  ) as late
  where not exists (
    select from clockwork.tasks as asked
    where asked.step = late.step and asked.status = 'MANUAL_INTERVENTION' and asked.reason_code = 'NIGHT_UNFINISHED')
  on conflict on constraint tasks_step_key_is_unique do nothing;
  return started;
end
$$;
comment on function clockwork.start_nightly_work() is 'Makes the tasks of the last night whose hour has come, each once. Asks a person about work of an earlier night that still waits. pg_cron runs it every few minutes.';
