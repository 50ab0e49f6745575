-- Purpose: what stopped for a key that nobody had goes on when somebody has it, whoever wrote it: a step, the sign-up, or
--   a person in the table editor.
-- Touches: registry.wake_tasks(), registry.customers, clockwork.tasks.
-- Watch: news comes in any order: a first charge is often heard before its customer is.

create function registry.wake_tasks() returns trigger
language plpgsql set search_path = ''
as $$
declare
  actor text;
  is_new boolean := tg_op = 'INSERT';
  keys jsonb;
begin
  -- The usual case costs one look at a small index.
  if not exists (
    select from clockwork.tasks
    where tasks.status = 'MANUAL_INTERVENTION'
      and (tasks.reason_code in ('UNKNOWN_CUSTOMER', 'MISSING_CUSTOMER_KEY') or tasks.step = 'customer.link')
  ) then
    return null;
  end if;
  if is_new then
    select pg_catalog.jsonb_agg(pg_catalog.to_jsonb(added)) into keys from added;
  else
    -- Of each row only what it did not have before.
    select pg_catalog.jsonb_agg(pg_catalog.to_jsonb(added) operator(pg_catalog.-) array(
      select had.key from pg_catalog.jsonb_each(pg_catalog.to_jsonb(before)) as had
      where had.key <> 'id' and had.value = pg_catalog.to_jsonb(added) operator(pg_catalog.->) had.key))
    into keys
    from added join before on before.id = added.id;
  end if;

  actor := pg_catalog.current_setting('clockwork.actor', true);
  perform pg_catalog.set_config('clockwork.actor', 'clockwork:registry', true);
  with fresh as (
    select customers.id, named.system, named.column_name, named.key
    from pg_catalog.jsonb_to_recordset(keys) as customers (id bigint, stripe_customer_id text, health_patient_id text,
      pharmacy_patient_id text, crm_person_id text, login_user_id text)
    cross join lateral (values
      ('stripe', 'stripe_customer_id', customers.stripe_customer_id),
      ('health', 'health_patient_id', customers.health_patient_id),
      ('pharmacy', 'pharmacy_patient_id', customers.pharmacy_patient_id),
      ('crm', 'crm_person_id', customers.crm_person_id),
      ('login', 'login_user_id', customers.login_user_id)
    ) as named (system, column_name, key)
    where named.key is not null
  )
  update clockwork.tasks set status = 'PENDING', attempts = 0, run_after = clockwork.now()
  from fresh
  where tasks.status = 'MANUAL_INTERVENTION' and (
    (tasks.reason_code = 'UNKNOWN_CUSTOMER' and tasks.reason = clockwork.reason_text('UNKNOWN_CUSTOMER',
      pg_catalog.jsonb_build_object('column', fresh.column_name, 'key', fresh.key)))
    or (tasks.reason_code = 'MISSING_CUSTOMER_KEY' and tasks.reason = clockwork.reason_text('MISSING_CUSTOMER_KEY',
      pg_catalog.jsonb_build_object('column', fresh.column_name, 'customer', fresh.id)))
    -- A question whose key has got its place: it ends by itself.
    or (tasks.step = 'customer.link' and tasks.data ->> 'system' = fresh.system and tasks.data ->> 'key' = fresh.key));
  perform pg_catalog.set_config('clockwork.actor', coalesce(actor, ''), true);
  return null;
end
$$;
create trigger wake_tasks_of_new after insert on registry.customers
  referencing new table as added for each statement execute function registry.wake_tasks();
create trigger wake_tasks_of_changed after update on registry.customers
  referencing old table as before new table as added for each statement execute function registry.wake_tasks();
