-- Purpose: the one clock that all SQL reads, the author of each change, the guard against removals, and one row of
--   settings.
-- Touches: clockwork.now(), clockwork.actor(), clockwork.refuse_removal(), clockwork.settings.
-- Watch: only a server that was started with `clockwork.local = on` reads clock_offset. A hosted project ignores it.
--   The first two functions are PL/pgSQL because every statement of the machinery calls them. PL/pgSQL is planned once a
--   connection. An SQL function with a search_path of its own is never inlined, and is planned at each call.

create function clockwork.now() returns timestamptz
language plpgsql stable set search_path = ''
as $$
begin
  return now() + case
    when current_setting('clockwork.local', true) = 'on'
      then (select settings.clock_offset from clockwork.settings)
    else interval '0'
  end;
end
$$;
comment on function clockwork.now() is 'The time. Everything in Clockwork reads this clock, so that the local stack can shift it.';

-- The machinery names itself with set_config('clockwork.actor', 'clockwork:<part>', true). Studio gives no person's name.
create function clockwork.actor() returns text
language plpgsql stable set search_path = ''
as $$
begin
  return coalesce(nullif(current_setting('clockwork.actor', true), ''), 'table editor');
end
$$;
comment on function clockwork.actor() is 'The author of the current change: clockwork:<part> for the machinery, otherwise a person.';

-- Its argument is a sentence that names another way.
create function clockwork.refuse_removal() returns trigger
language plpgsql set search_path = ''
as $$
begin
  raise exception '%', rtrim(format('Rows of %s.%s are never %s. %s', tg_table_schema, tg_table_name,
      case tg_op when 'UPDATE' then 'changed' else 'removed' end, tg_argv[0]))
    using errcode = 'check_violation';
end
$$;

create table clockwork.settings (
  only_row boolean primary key default true,
  maintenance boolean not null default false,
  ship_within interval not null default interval '3 days',
  deliver_within interval not null default interval '7 days',
  pharmacy_time_zone text not null default 'America/New_York',
  clock_offset interval not null default interval '0',
  remind_days_before integer[] not null default '{14,5}',
  drift_secret text not null
    default replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''),
  drift_settle_minutes integer not null default 15,
  drift_again_times integer not null default 3,
  drift_again_days integer not null default 14,
  drift_questions_at_most integer not null default 20,
  subscription_wait interval not null default interval '15 minutes',
  began_at timestamptz not null default clockwork.now(),
  endpoint_silent_share numeric not null default 0.6,
  endpoint_silent_at_least integer not null default 5,
  constraint settings_is_one_row check (only_row),
  constraint reminders_come_before_the_due_day check (0 < all (remind_days_before)),
  constraint drift_secret_is_long check (length(drift_secret) >= 32),
  constraint drift_settle_is_sane check (drift_settle_minutes between 0 and 1440),
  constraint drift_again_is_more_than_once check (drift_again_times > 1 and drift_again_days > 0),
  constraint drift_questions_are_some check (drift_questions_at_most > 0),
  constraint subscription_wait_is_sane check (subscription_wait between interval '0' and interval '7 days'),
  constraint endpoint_silent_share_is_a_share check (endpoint_silent_share > 0 and endpoint_silent_share <= 1),
  constraint endpoint_silent_at_least_is_positive check (endpoint_silent_at_least > 0)
);
alter table clockwork.settings enable row level security;

comment on table clockwork.settings is 'One row: the settings for the whole of Clockwork.';
comment on column clockwork.settings.maintenance is 'While true no task is run. Webhooks are still recorded.';
comment on column clockwork.settings.ship_within is 'An order that has not shipped this long after it was placed is in ops.delayed_shipments.';
comment on column clockwork.settings.deliver_within is 'An order that has not been delivered this long after it shipped is in ops.delayed_shipments.';
comment on column clockwork.settings.pharmacy_time_zone is 'The zone in which a prescription''s last day ends.';
comment on column clockwork.settings.clock_offset is 'Local stack only: the difference between its clock and the real time.';
comment on column clockwork.settings.remind_days_before is 'A customer who was asked to renew is reminded so many days before the due day.';
comment on column clockwork.settings.drift_secret is 'The key of the hashes in tracker.drift. Never show it to anybody. A new one makes the causes in ops.drift wrong for two weeks.';
comment on column clockwork.settings.drift_settle_minutes is 'A mirror that differs is compared again after so many minutes, because the event of the change may still be on its way.';
comment on column clockwork.settings.drift_again_times is 'A person is asked about a fact of a customer that drifted so often within drift_again_days.';
comment on column clockwork.settings.drift_again_days is 'The days over which drift_again_times counts.';
comment on column clockwork.settings.drift_questions_at_most is 'The most questions that may be open about facts that drift again and again. The rest is in ops.drift.';
comment on column clockwork.settings.subscription_wait is 'A first prescription waits so long before its subscription is started. A Checkout or a correction by the prescriber may come first.';
comment on column clockwork.settings.began_at is 'When Clockwork took over. The first completeness check records nothing from before, because that work was done by others.';
comment on column clockwork.settings.endpoint_silent_share is 'A person is asked about a vendor''s webhook endpoint when this share of a night''s messages, or more, was missing.';
comment on column clockwork.settings.endpoint_silent_at_least is 'A person is asked about a webhook endpoint only when at least so many messages were missing.';

create function clockwork.guard_settings() returns trigger
language plpgsql set search_path = ''
as $$
begin
  if not exists (select from pg_timezone_names where pg_timezone_names.name = new.pharmacy_time_zone) then
    raise exception 'There is no time zone %. A time zone that exists is America/New_York.', new.pharmacy_time_zone
      using errcode = 'check_violation';
  end if;
  return new;
end
$$;
create trigger guard_settings before insert or update of pharmacy_time_zone on clockwork.settings
  for each row execute function clockwork.guard_settings();
create trigger refuse_delete before delete on clockwork.settings
  for each statement execute function clockwork.refuse_removal('Everything reads this row.');
create trigger refuse_truncate before truncate on clockwork.settings
  for each statement execute function clockwork.refuse_removal('Everything reads this row.');

-- clockwork.now() has no offset to read before this row exists.
insert into clockwork.settings (began_at) values (now());
