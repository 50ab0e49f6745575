-- Purpose: the finder's runs are seen like those of the nightly checks, and no night and no renewal is skipped unseen.
-- Touches: tracker.check_runs, clockwork.start_nightly_work(), clockwork.start_due_renewals().
-- Watch: a night belongs to the day on which its hour came, so work set to 23:58 is started by a tick after midnight too.

alter table tracker.check_runs
  drop constraint check_work_is_known,
  add constraint check_work_is_known check (work in ('completeness', 'drift', 'product_count', 'renewals'));
comment on column tracker.check_runs.work is 'completeness, drift, product_count, or renewals (the look at all refills).';

create or replace function clockwork.start_nightly_work() returns bigint
language plpgsql set search_path = ''
as $$
declare
  local_now timestamp := clockwork.now() at time zone (select settings.pharmacy_time_zone from clockwork.settings);
  started bigint;
begin
  perform pg_catalog.set_config('clockwork.actor', 'clockwork:nightly', true);
  insert into clockwork.tasks (step, key, vendor, data)
  select nightly_work.step, 'night:' || night.day, nightly_work.vendor, pg_catalog.jsonb_build_object('night', night.day)
  from clockwork.nightly_work
  cross join lateral (select (local_now - nightly_work.at::interval)::date as day) as night
  where nightly_work.is_on
  order by nightly_work.at, nightly_work.step
  on conflict on constraint tasks_step_key_is_unique do nothing;
  get diagnostics started = row_count;

  -- What still waits the next night (its vendor is paused, say) is for a person to know of: one row for each work.
  insert into clockwork.tasks (status, step, key, vendor, data, reason, reason_code)
  select 'MANUAL_INTERVENTION', late.step, 'unfinished:' || late.day, late.vendor,
    pg_catalog.jsonb_build_object('night', late.day),
    clockwork.reason_text('NIGHT_UNFINISHED', pg_catalog.jsonb_build_object('step', late.step, 'day', late.day)), 'NIGHT_UNFINISHED'
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

-- A renewal whose task a person dropped, or whose next day was not moved, is taken up again the next day; one that
-- stopped at a person (other than by lapsing, which is looked at every day) waits for that person.
create or replace function clockwork.start_due_renewals() returns bigint
language plpgsql set search_path = ''
as $$
declare
  started bigint;
begin
  perform pg_catalog.set_config('clockwork.actor', 'clockwork:renewals', true);
  insert into clockwork.tasks (step, key, vendor, data, customer_id)
  select 'renewal.advance',
    pg_catalog.format('%s:%s:%s', renewals.id, pg_catalog.date_part('epoch', renewals.next_on)::bigint, clockwork.now()::date),
    'health', pg_catalog.jsonb_build_object('renewal_id', renewals.id), renewals.customer_id
  from tracker.renewals
  where renewals.closed_at is null and renewals.next_on <= clockwork.now()
    and not exists (
      select from clockwork.tasks
      where tasks.step = 'renewal.advance' and tasks.status in ('PENDING', 'QUEUED', 'MANUAL_INTERVENTION')
        and tasks.data ->> 'renewal_id' = renewals.id::text
        and (tasks.status <> 'MANUAL_INTERVENTION' or tasks.reason_code <> 'RENEWAL_LAPSED'))
  order by renewals.next_on
  on conflict on constraint tasks_step_key_is_unique do nothing;
  get diagnostics started = row_count;
  return started;
end
$$;
