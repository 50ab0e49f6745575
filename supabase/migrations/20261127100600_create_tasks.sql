-- Purpose: the queue that people see, the changes of status that it allows, the history of every change, and the triggers
--   that wake tasks.
-- Touches: clockwork.tasks, clockwork.task_moves, clockwork.task_history; triggers on clockwork.vendors, registry.customers.
-- Watch: the allowed changes of status are data in task_moves. The trigger only enforces them.

create type clockwork.task_status as enum
  ('PENDING', 'QUEUED', 'DONE', 'MANUAL_INTERVENTION', 'PARKED', 'CANCELLED');

create table clockwork.tasks (
  id bigint generated always as identity primary key,
  status clockwork.task_status not null default 'PENDING',
  step text not null,
  reason text,
  customer_id bigint references registry.customers (id),
  data jsonb not null default '{}',
  run_after timestamptz not null default clockwork.now(),
  attempts integer not null default 0,
  invoice_id text,
  vendor text not null default 'internal' references clockwork.vendors (vendor),
  key text not null default gen_random_uuid()::text,
  caused_by bigint references clockwork.tasks (id),
  reason_code text references clockwork.reasons (code),
  job_id uuid,
  created_at timestamptz not null default clockwork.now(),
  updated_at timestamptz not null default clockwork.now(),
  done_at timestamptz,
  constraint tasks_step_key_is_unique unique (step, key),
  constraint a_stopped_task_says_why
    check (status not in ('MANUAL_INTERVENTION', 'PARKED') or (reason is not null and reason_code is not null)),
  constraint only_a_queued_task_has_a_job check ((status = 'QUEUED') = (job_id is not null)),
  constraint only_a_done_task_has_done_at check ((status = 'DONE') = (done_at is not null)),
  constraint data_is_an_object check (jsonb_typeof(data) = 'object')
);
alter table clockwork.tasks enable row level security;

create index tasks_due on clockwork.tasks (vendor, run_after, id) where status = 'PENDING';
create index tasks_queued on clockwork.tasks (updated_at) where status = 'QUEUED';
create unique index tasks_job on clockwork.tasks (job_id) where job_id is not null;
create index tasks_stopped on clockwork.tasks (created_at) where status = 'MANUAL_INTERVENTION';
create index tasks_heard on clockwork.tasks (split_part(step, '.', 1), created_at) where caused_by is null;
create index tasks_customer on clockwork.tasks (customer_id);
create index tasks_invoice on clockwork.tasks (invoice_id);
create index tasks_caused_by on clockwork.tasks (caused_by);
create index tasks_reason_code on clockwork.tasks (reason_code);

-- Each attribute of data by which queries find tasks has its index here and nowhere else. It is over (attribute, step),
-- for the statuses that the queries name. Postgres takes `data ->> 'order_id' = any (…)` for proof that it is not null.
-- Attributes of steps with few tasks have no index (kind, vendor, from, into, pass, retirement_id). Nor have attributes
-- that are asked for only beside a customer (fact, product_id).
create index tasks_by_order on clockwork.tasks ((data ->> 'order_id'), step)
  where data ->> 'order_id' is not null and status in ('PENDING', 'QUEUED', 'MANUAL_INTERVENTION', 'CANCELLED');
create index tasks_by_renewal on clockwork.tasks ((data ->> 'renewal_id'), step)
  where data ->> 'renewal_id' is not null and status in ('PENDING', 'QUEUED', 'MANUAL_INTERVENTION', 'CANCELLED');
create index tasks_by_subscription on clockwork.tasks ((data ->> 'subscription_id'), step)
  where data ->> 'subscription_id' is not null and status in ('PENDING', 'QUEUED', 'MANUAL_INTERVENTION', 'CANCELLED');
create index tasks_by_customer on clockwork.tasks ((data ->> 'customer_id'), step)
  where data ->> 'customer_id' is not null and status in ('PENDING', 'QUEUED', 'MANUAL_INTERVENTION', 'CANCELLED');
create index tasks_by_key on clockwork.tasks ((data ->> 'key'), step)
  where data ->> 'key' is not null and status in ('PENDING', 'QUEUED', 'MANUAL_INTERVENTION', 'CANCELLED');
create index tasks_by_move on clockwork.tasks ((data ->> 'move_id'), step) where data ->> 'move_id' is not null;
create index tasks_by_run on clockwork.tasks ((data ->> 'run_id'), step) where data ->> 'run_id' is not null;
-- The versions of a resource that were received, and the events of an order at the pharmacy.
create index tasks_by_resource on clockwork.tasks ((data ->> 'resource_id'), step) where data ->> 'resource_id' is not null;
create index tasks_by_pharmacy_order on clockwork.tasks ((data ->> 'order_id')) where step like 'pharmacy.order.%';
-- The looks at a first prescription, and the starts of its subscription.
create index tasks_by_first_prescription on clockwork.tasks ((data ->> 'customer_id'), step)
  where step in ('subscription.look', 'subscription.start');

comment on table clockwork.tasks is 'All work. To run a task again, set status to PENDING. To cancel it, set status to CANCELLED. data may be edited while status is MANUAL_INTERVENTION.';
comment on column clockwork.tasks.id is 'The number of the task, to say on the phone.';
comment on column clockwork.tasks.status is 'PENDING: waits to be run. QUEUED: is being run or retried. DONE. MANUAL_INTERVENTION: needs a person, see reason. PARKED: has no step. CANCELLED.';
comment on column clockwork.tasks.step is 'The step that runs: one for an event (stripe.invoice.paid), or one of ours (order.place).';
comment on column clockwork.tasks.reason is 'The cause for which it stopped or waits, in plain words.';
comment on column clockwork.tasks.customer_id is 'The customer of the task (registry.customers), once known.';
comment on column clockwork.tasks.data is 'The ids from which the step works. Edit them only while status is MANUAL_INTERVENTION.';
comment on column clockwork.tasks.run_after is 'A PENDING task runs after this moment. To run it sooner, set an earlier moment.';
comment on column clockwork.tasks.attempts is 'The tries that failed or finished since the task last began anew. Waits are not counted.';
comment on column clockwork.tasks.invoice_id is 'The Stripe invoice of the task''s story, once known.';
comment on column clockwork.tasks.vendor is 'The queue of the task (clockwork.vendors).';
comment on column clockwork.tasks.key is 'The vendor''s event id, or <task that caused it>:<n>. Unique with step.';
comment on column clockwork.tasks.caused_by is 'The task that asked for this one. Empty for an event from outside and for a task that a person added.';
comment on column clockwork.tasks.reason_code is 'The code of the reason (clockwork.reasons).';
comment on column clockwork.tasks.job_id is 'The pg-boss job that runs it now.';
comment on column clockwork.tasks.done_at is 'When the work was done.';

create table clockwork.task_moves (
  from_status clockwork.task_status not null,
  to_status clockwork.task_status not null,
  by_person boolean not null,
  by_machinery boolean not null,
  meaning text not null,
  primary key (from_status, to_status)
);
alter table clockwork.task_moves enable row level security;

comment on table clockwork.task_moves is 'The only changes of status that a task allows, for a person and for the machinery.';

create trigger refuse_delete before delete on clockwork.task_moves
  for each statement execute function clockwork.refuse_removal('Without them no task can change its status.');
create trigger refuse_truncate before truncate on clockwork.task_moves
  for each statement execute function clockwork.refuse_removal('Without them no task can change its status.');

insert into clockwork.task_moves (from_status, to_status, by_person, by_machinery, meaning) values
  ('PENDING', 'QUEUED', false, true, 'the drain takes it'),
  ('PENDING', 'CANCELLED', true, false, 'cancel it'),
  ('QUEUED', 'DONE', false, true, 'its work is done'),
  ('QUEUED', 'PENDING', true, true, 'give up the current try and start over'),
  ('QUEUED', 'MANUAL_INTERVENTION', false, true, 'a person is needed'),
  ('QUEUED', 'PARKED', false, true, 'it has no step'),
  ('QUEUED', 'CANCELLED', true, true, 'cancel it'),
  ('MANUAL_INTERVENTION', 'PENDING', true, true, 'run it again'),
  ('MANUAL_INTERVENTION', 'CANCELLED', true, false, 'cancel it'),
  ('PARKED', 'PENDING', true, false, 'run it, now that a step exists'),
  ('PARKED', 'CANCELLED', true, false, 'cancel it'),
  ('DONE', 'PENDING', true, false, 'run it again; no effect is done twice'),
  ('CANCELLED', 'PENDING', true, false, 'run it after all');

create table clockwork.task_history (
  id bigint generated always as identity primary key,
  task_id bigint not null references clockwork.tasks (id),
  changed_at timestamptz not null default clockwork.now(),
  actor text not null,
  from_status clockwork.task_status not null,
  to_status clockwork.task_status not null,
  before jsonb not null,
  after jsonb not null
);
alter table clockwork.task_history enable row level security;
create index task_history_task on clockwork.task_history (task_id, id);

comment on table clockwork.task_history is 'Every change of a task: its author, its time, and the columns before and after.';
comment on column clockwork.task_history.actor is 'clockwork:<part> for the machinery, table editor for a person. Studio gives no person''s name.';
comment on column clockwork.task_history.before is 'The changed columns before.';
comment on column clockwork.task_history.after is 'The same columns after.';

create trigger refuse_change before update or delete on clockwork.task_history
  for each statement execute function clockwork.refuse_removal('They are the record of every change.');
create trigger refuse_truncate before truncate on clockwork.task_history
  for each statement execute function clockwork.refuse_removal('They are the record of every change.');

-- The changes that a person or the machinery may make, and the tidying that a change of status brings with it.
create function clockwork.guard_task() returns trigger
language plpgsql set search_path = ''
as $$
declare
  is_person boolean := clockwork.actor() not like 'clockwork:%';
  allowed text;
begin
  if old.status <> new.status and not exists (
    select from clockwork.task_moves
    where task_moves.from_status = old.status and task_moves.to_status = new.status
      and (case when is_person then task_moves.by_person else task_moves.by_machinery end)
  ) then
    select string_agg(task_moves.to_status || ' (' || task_moves.meaning || ')', ', ' order by task_moves.to_status)
    into allowed
    from clockwork.task_moves
    where task_moves.from_status = old.status
      and (case when is_person then task_moves.by_person else task_moves.by_machinery end);
    raise exception 'Task % is %, so it cannot be set to %. Allowed from %: %.',
      old.id, old.status, new.status, old.status, coalesce(allowed, 'nothing')
      using errcode = 'check_violation';
  end if;

  if is_person then
    if new.data is distinct from old.data and old.status <> 'MANUAL_INTERVENTION' then
      raise exception 'data of task % can be edited only while status is MANUAL_INTERVENTION. It is %.', old.id, old.status
        using errcode = 'check_violation';
    end if;
    if new.run_after is distinct from old.run_after and old.status <> 'PENDING' then
      raise exception 'run_after of task % can be edited only while status is PENDING. It is %.', old.id, old.status
        using errcode = 'check_violation';
    end if;
    if (new.id, new.step, new.key, new.vendor, new.caused_by, new.customer_id, new.invoice_id, new.reason, new.reason_code,
        new.attempts, new.job_id, new.created_at, new.updated_at, new.done_at)
      is distinct from
       (old.id, old.step, old.key, old.vendor, old.caused_by, old.customer_id, old.invoice_id, old.reason, old.reason_code,
        old.attempts, old.job_id, old.created_at, old.updated_at, old.done_at)
    then
      raise exception 'Only status, data and run_after of task % can be edited. The machinery keeps the rest.', old.id
        using errcode = 'check_violation';
    end if;
    if new.status <> old.status then
      new.job_id := null;
      new.done_at := null;
    end if;
  end if;

  -- A task that ended or stopped, and is run again, has all its tries and its old reason no more.
  if new.status = 'PENDING' and old.status <> 'PENDING' and (is_person or old.status <> 'QUEUED') then
    new.attempts := 0;
    new.run_after := clockwork.now();
    new.reason := null;
    new.reason_code := null;
  end if;

  new.updated_at := clockwork.now();
  return new;
end
$$;
create trigger guard_task before update on clockwork.tasks
  for each row execute function clockwork.guard_task();

create function clockwork.record_task_change() returns trigger
language plpgsql set search_path = ''
as $$
declare
  was jsonb := to_jsonb(old) - 'updated_at';
  is_now jsonb := to_jsonb(new) - 'updated_at';
begin
  if was = is_now then
    return null;
  end if;
  insert into clockwork.task_history (task_id, actor, from_status, to_status, before, after)
  select new.id, clockwork.actor(), old.status, new.status,
    jsonb_object_agg(fact.key, fact.value),
    jsonb_object_agg(fact.key, is_now -> fact.key)
  from jsonb_each(was) as fact
  where fact.value is distinct from is_now -> fact.key;
  return null;
end
$$;
create trigger record_task_change after update on clockwork.tasks
  for each row execute function clockwork.record_task_change();
create trigger refuse_delete before delete on clockwork.tasks
  for each statement execute function clockwork.refuse_removal('To cancel a task, set its status to CANCELLED.');
create trigger refuse_truncate before truncate on clockwork.tasks
  for each statement execute function clockwork.refuse_removal('To cancel a task, set its status to CANCELLED.');

-- A pause that a person ends early wakes the tasks that met it, so that they do not wait for its old end.
create function clockwork.wake_paused_tasks() returns trigger
language plpgsql set search_path = ''
as $$
declare
  actor text := current_setting('clockwork.actor', true);
begin
  perform set_config('clockwork.actor', 'clockwork:resume', true);
  update clockwork.tasks set run_after = clockwork.now(), reason = null, reason_code = null
  where tasks.status = 'PENDING' and tasks.reason_code = 'VENDOR_PAUSED' and tasks.run_after > clockwork.now();
  perform set_config('clockwork.actor', coalesce(actor, ''), true);
  return null;
end
$$;
create trigger wake_paused_tasks after update of paused_until on clockwork.vendors
  for each row when (new.paused_until is null and old.paused_until is not null or new.paused_until < old.paused_until)
  execute function clockwork.wake_paused_tasks();

-- A task that stopped for an unknown key goes on when a row has the key. A step, the sign-up or a person may write it.
-- Events come in any order: a first charge often comes before its customer.
create function registry.wake_tasks() returns trigger
language plpgsql set search_path = ''
as $$
declare
  actor text;
  is_new boolean := tg_op = 'INSERT';
  keys jsonb;
begin
  -- The usual case costs one query of a small index.
  if not exists (
    select from clockwork.tasks
    where tasks.status = 'MANUAL_INTERVENTION'
      and (tasks.reason_code in ('UNKNOWN_CUSTOMER', 'MISSING_CUSTOMER_KEY') or tasks.step = 'customer.link')
  ) then
    return null;
  end if;
  if is_new then
    select jsonb_agg(to_jsonb(added)) into keys from added;
  else
    -- The new values of each row only.
    select jsonb_agg(to_jsonb(added) - array(
      select had.key from jsonb_each(to_jsonb(before)) as had
      where had.key <> 'id' and had.value = to_jsonb(added) -> had.key))
    into keys
    from added join before on before.id = added.id;
  end if;

  actor := current_setting('clockwork.actor', true);
  perform set_config('clockwork.actor', 'clockwork:registry', true);
  with fresh as (
    select customers.id, named.system, named.column_name, named.key
    from jsonb_to_recordset(keys) as customers (id bigint, stripe_customer_id text, health_patient_id text,
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
  update clockwork.tasks set status = 'PENDING'
  from fresh
  where tasks.status = 'MANUAL_INTERVENTION' and (
    (tasks.reason_code = 'UNKNOWN_CUSTOMER' and tasks.reason = clockwork.reason_text('UNKNOWN_CUSTOMER',
      jsonb_build_object('column', fresh.column_name, 'key', fresh.key)))
    or (tasks.reason_code = 'MISSING_CUSTOMER_KEY' and tasks.reason = clockwork.reason_text('MISSING_CUSTOMER_KEY',
      jsonb_build_object('column', fresh.column_name, 'customer', fresh.id)))
    -- A question about a key that now has a customer ends by itself.
    or (tasks.step = 'customer.link' and tasks.data ->> 'system' = fresh.system and tasks.data ->> 'key' = fresh.key));
  perform set_config('clockwork.actor', coalesce(actor, ''), true);
  return null;
end
$$;
create trigger wake_tasks_of_new after insert on registry.customers
  referencing new table as added for each statement execute function registry.wake_tasks();
create trigger wake_tasks_of_changed after update on registry.customers
  referencing old table as before new table as added for each statement execute function registry.wake_tasks();
