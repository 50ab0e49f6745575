-- Purpose: the nights' work as data, and the function that makes tasks of it.
-- Touches: clockwork.nightly_work, clockwork.start_nightly_work().
-- Watch: level-triggered: a night's task is made by the first call after its hour; lost and doubled calls change nothing.
--   A night belongs to the day on which its hour came, so work set to 23:58 is started by a tick after midnight too.

create table clockwork.nightly_work (
  step text primary key,
  vendor text not null references clockwork.vendors (vendor),
  at time not null,
  is_on boolean not null default true,
  what text not null
);
alter table clockwork.nightly_work enable row level security;
create index nightly_work_vendor on clockwork.nightly_work (vendor);

comment on table clockwork.nightly_work is 'What is done every night: each row becomes one task a night.';
comment on column clockwork.nightly_work.step is 'The step of the task.';
comment on column clockwork.nightly_work.vendor is 'The queue of the task (clockwork.vendors).';
comment on column clockwork.nightly_work.at is 'The hour in the pharmacy''s time zone (clockwork.settings).';
comment on column clockwork.nightly_work.is_on is 'Untick to skip it from the next night on.';
comment on column clockwork.nightly_work.what is 'What it does, in plain words.';

create trigger refuse_truncate before truncate on clockwork.nightly_work
  for each statement execute function clockwork.refuse_removal('To skip work untick is_on.');

-- First the completeness checks, so that the other work finds the news they took up.
insert into clockwork.nightly_work (step, vendor, at, what) values
  ('completeness.stripe', 'stripe', '01:00', 'Lists what happened at Stripe and takes up what never reached us.'),
  ('completeness.health', 'health', '01:00', 'Lists what changed in the health record and takes up what never reached us.'),
  ('completeness.pharmacy', 'pharmacy', '01:00', 'Compares the pharmacy''s open orders with ours and takes up what never reached us.'),
  ('renewal.find', 'stripe', '02:00', 'Looks at every active refill: until when does a prescription cover it?'),
  ('product.count_stripe', 'stripe', '03:30', 'Counts how many subscriptions use each Stripe price.'),
  ('product.count_pharmacy', 'pharmacy', '03:30', 'Counts how many active prescriptions use each treatment at the pharmacy.'),
  ('drift.customers', 'stripe', '04:00', 'Compares what Stripe, the CRM and the registry show of each customer with the owner of each fact.'),
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

  -- What still waits the next night (its vendor is paused, say) is for a person to know of: one row for each work.
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
comment on function clockwork.start_nightly_work() is 'Makes the tasks of the last night whose hour has come, each once. Work of an earlier night that still waits is for a person. Run by pg_cron every few minutes.';
