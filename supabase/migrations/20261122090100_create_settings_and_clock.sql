-- Purpose: one row of settings, and the one clock that all SQL reads.
-- Touches: clockwork.settings, clockwork.now().
-- Watch: clock_offset is read only on a server that was started with `clockwork.local = on`; a hosted project ignores it.

create table clockwork.settings (
  only_row boolean primary key default true,
  maintenance boolean not null default false,
  ship_within interval not null default interval '3 days',
  deliver_within interval not null default interval '7 days',
  pharmacy_time_zone text not null default 'America/New_York',
  clock_offset interval not null default interval '0',
  constraint settings_is_one_row check (only_row)
);
alter table clockwork.settings enable row level security;

create function clockwork.guard_settings() returns trigger
language plpgsql set search_path = ''
as $$
begin
  if not exists (select from pg_catalog.pg_timezone_names where pg_timezone_names.name = new.pharmacy_time_zone) then
    raise exception 'There is no time zone %. One that exists is America/New_York.', new.pharmacy_time_zone
      using errcode = 'check_violation';
  end if;
  return new;
end
$$;
create trigger guard_settings before insert or update of pharmacy_time_zone on clockwork.settings
  for each row execute function clockwork.guard_settings();

comment on table clockwork.settings is 'One row: what people may set for the whole of Clockwork.';
comment on column clockwork.settings.maintenance is 'While true no task is run. Webhooks are still recorded.';
comment on column clockwork.settings.ship_within is 'A placed order that has not shipped after this long is in ops.delayed_shipments.';
comment on column clockwork.settings.deliver_within is 'A shipped order that has not been delivered after this long is in ops.delayed_shipments.';
comment on column clockwork.settings.pharmacy_time_zone is 'The zone in which a prescription''s last day ends.';
comment on column clockwork.settings.clock_offset is 'Local stack only: how far the clock is moved.';

insert into clockwork.settings default values;

create function clockwork.now() returns timestamptz
language sql stable set search_path = ''
as $$
  select pg_catalog.now() + case
    when pg_catalog.current_setting('clockwork.local', true) = 'on'
      then (select settings.clock_offset from clockwork.settings)
    else interval '0'
  end
$$;
comment on function clockwork.now() is 'The time. Everything in Clockwork reads this, so that the local stack can move it.';

-- Machinery names itself with set_config('clockwork.actor', 'clockwork:<part>', true); Studio gives no person's name.
create function clockwork.actor() returns text
language sql stable set search_path = ''
as $$
  select coalesce(nullif(pg_catalog.current_setting('clockwork.actor', true), ''), 'table editor')
$$;
comment on function clockwork.actor() is 'Who makes the current change: clockwork:<part> for machinery, otherwise a person.';
