-- Purpose: what every statement of the machinery calls is planned once a connection, not once a call.
-- Touches: clockwork.now(), clockwork.actor(), clockwork.record_task_change(). What they say stays the same.
-- Watch: an SQL function with a search_path of its own is never inlined, and is parsed and planned at each call.

create or replace function clockwork.now() returns timestamptz
language plpgsql stable set search_path = ''
as $$
begin
  return pg_catalog.now() + case
    when pg_catalog.current_setting('clockwork.local', true) = 'on'
      then (select settings.clock_offset from clockwork.settings)
    else interval '0'
  end;
end
$$;

create or replace function clockwork.actor() returns text
language plpgsql stable set search_path = ''
as $$
begin
  return coalesce(nullif(pg_catalog.current_setting('clockwork.actor', true), ''), 'table editor');
end
$$;

create or replace function clockwork.record_task_change() returns trigger
language plpgsql set search_path = ''
as $$
declare
  was jsonb := pg_catalog.to_jsonb(old) - 'updated_at';
  is_now jsonb := pg_catalog.to_jsonb(new) - 'updated_at';
begin
  if was = is_now then
    return null;
  end if;
  insert into clockwork.task_history (task_id, actor, from_status, to_status, before, after)
  select new.id, clockwork.actor(), old.status, new.status,
    pg_catalog.jsonb_object_agg(fact.key, fact.value),
    pg_catalog.jsonb_object_agg(fact.key, is_now -> fact.key)
  from pg_catalog.jsonb_each(was) as fact
  where fact.value is distinct from is_now -> fact.key;
  return null;
end
$$;
