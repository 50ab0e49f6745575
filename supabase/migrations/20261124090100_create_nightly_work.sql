-- Purpose: the nights' work as data, and the function that makes tasks of it.
-- Touches: clockwork.nightly_work, clockwork.start_nightly_work().
-- Watch: level-triggered: a night's task is made by the first call after its hour; lost and doubled calls change nothing.

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

insert into clockwork.nightly_work (step, vendor, at, what) values
  ('renewal.find', 'stripe', '02:00', 'Looks at every active refill: until when does a prescription cover it?');

create trigger refuse_truncate before truncate on clockwork.nightly_work
  for each statement execute function clockwork.refuse_removal('To skip work untick is_on.');

create function clockwork.start_nightly_work() returns bigint
language plpgsql set search_path = ''
as $$
declare
  local_now timestamp := clockwork.now() at time zone (select settings.pharmacy_time_zone from clockwork.settings);
  started bigint;
begin
  perform pg_catalog.set_config('clockwork.actor', 'clockwork:nightly', true);
  insert into clockwork.tasks (step, key, vendor, data)
  select nightly_work.step, 'night:' || local_now::date, nightly_work.vendor,
    pg_catalog.jsonb_build_object('night', local_now::date)
  from clockwork.nightly_work
  where nightly_work.is_on and local_now::time >= nightly_work.at
  order by nightly_work.at, nightly_work.step
  on conflict on constraint tasks_step_key_is_unique do nothing;
  get diagnostics started = row_count;
  return started;
end
$$;
comment on function clockwork.start_nightly_work() is 'Makes this night''s tasks, each once. Run by pg_cron every few minutes.';
