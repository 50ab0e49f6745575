-- Purpose: the state of each renewal, and the function that makes its task when its day has come.
-- Touches: tracker.renewal_states, tracker.renewal_moves, tracker.renewals, clockwork.start_due_renewals().
-- Watch: keys and our own dates only. A renewal that a person cancels ends its campaign too. Billing that a lapse paused
--   stays paused, because nothing can ship yet.

create table tracker.renewal_states (
  state text primary key,
  is_open boolean not null,
  meaning text not null
);
alter table tracker.renewal_states enable row level security;

comment on table tracker.renewal_states is 'The states of a renewal.';

create trigger refuse_delete before delete on tracker.renewal_states
  for each statement execute function clockwork.refuse_removal('Renewals name these states.');
create trigger refuse_truncate before truncate on tracker.renewal_states
  for each statement execute function clockwork.refuse_removal('Renewals name these states.');

insert into tracker.renewal_states (state, is_open, meaning) values
  ('SCHEDULED', true, 'the customer will be asked to renew on start_on'),
  ('CONTACTED', true, 'the customer was asked; reminders follow'),
  ('LAPSED', true, 'not renewed in time: a person is asked, and billing is paused'),
  ('RENEWED', false, 'a new prescription covers the refill'),
  ('CANCELLED', false, 'the customer ended the subscription, or the renewal is no longer due');

create table tracker.renewal_moves (
  from_state text not null references tracker.renewal_states (state),
  to_state text not null references tracker.renewal_states (state),
  primary key (from_state, to_state)
);
alter table tracker.renewal_moves enable row level security;
create index renewal_moves_to on tracker.renewal_moves (to_state);

comment on table tracker.renewal_moves is 'The only changes of state that a renewal allows.';

create trigger refuse_delete before delete on tracker.renewal_moves
  for each statement execute function clockwork.refuse_removal('Without them no renewal can change its state.');
create trigger refuse_truncate before truncate on tracker.renewal_moves
  for each statement execute function clockwork.refuse_removal('Without them no renewal can change its state.');

insert into tracker.renewal_moves (from_state, to_state) values
  ('SCHEDULED', 'CONTACTED'), ('SCHEDULED', 'LAPSED'), ('SCHEDULED', 'RENEWED'), ('SCHEDULED', 'CANCELLED'),
  ('CONTACTED', 'LAPSED'), ('CONTACTED', 'RENEWED'), ('CONTACTED', 'CANCELLED'),
  ('LAPSED', 'RENEWED'), ('LAPSED', 'CANCELLED');

create table tracker.renewals (
  id bigint generated always as identity primary key,
  state text not null default 'SCHEDULED' references tracker.renewal_states (state),
  customer_id bigint not null references registry.customers (id),
  product_id bigint not null references registry.products (id),
  subscription_id text not null,
  subscription_item_id text not null,
  prescription_id text not null,
  cycle integer not null default 1,
  cause text not null,
  opened_by text not null,
  due_on timestamptz not null,
  start_on timestamptz not null,
  next_on timestamptz,
  reminders integer not null default 0,
  contacted_at timestamptz,
  lapsed_at timestamptz,
  billing_paused_at timestamptz,
  billing_resumed_at timestamptz,
  closed_at timestamptz,
  closed_because text,
  created_at timestamptz not null default clockwork.now(),
  constraint one_renewal_per_prescription_and_cycle unique (customer_id, product_id, prescription_id, cycle),
  constraint cycle_counts_from_one check (cycle > 0),
  constraint renewal_cause_is_known check (cause in ('EXPIRES', 'RUNS_OUT', 'NO_FILLS_LEFT', 'EXPIRED')),
  constraint a_campaign_starts_before_it_is_due check (start_on <= due_on),
  constraint reminders_are_not_negative check (reminders >= 0),
  constraint only_a_contacted_customer_is_reminded check (reminders = 0 or contacted_at is not null),
  constraint a_contacted_renewal_says_when check (state <> 'CONTACTED' or contacted_at is not null),
  constraint a_lapsed_renewal_says_when check (state <> 'LAPSED' or lapsed_at is not null),
  constraint only_a_lapse_pauses_billing check (billing_paused_at is null or lapsed_at is not null),
  constraint only_paused_billing_is_resumed check (billing_resumed_at is null or billing_paused_at is not null),
  constraint a_closed_renewal_says_when_and_why
    check ((state in ('RENEWED', 'CANCELLED')) = (closed_at is not null) and (closed_at is null) = (closed_because is null)),
  constraint only_an_open_renewal_is_looked_at_again check ((closed_at is null) = (next_on is not null))
);
alter table tracker.renewals enable row level security;
create unique index one_open_renewal_per_customer_and_product on tracker.renewals (customer_id, product_id)
  where closed_at is null;
create index renewals_due on tracker.renewals (next_on) where closed_at is null;
-- The step renewal.find reads the open renewals of a page's items, among all renewals ever.
create index renewals_open_item on tracker.renewals (subscription_item_id) where closed_at is null;
create index renewals_product on tracker.renewals (product_id);
create index renewals_subscription on tracker.renewals (subscription_id);

comment on table tracker.renewals is 'A row per prescription and cycle that must be renewed, with its dates and mails. To end a renewal, set state to CANCELLED.';
comment on column tracker.renewals.state is 'The state of the renewal (tracker.renewal_states).';
comment on column tracker.renewals.customer_id is 'The customer who is to renew (registry.customers).';
comment on column tracker.renewals.product_id is 'The product of the renewal (registry.products).';
comment on column tracker.renewals.subscription_id is 'The Stripe subscription that wants the refills.';
comment on column tracker.renewals.subscription_item_id is 'The item of that subscription.';
comment on column tracker.renewals.prescription_id is 'The prescription that ends (health record).';
comment on column tracker.renewals.cycle is '1 for the first renewal of the prescription, higher when it becomes due again.';
comment on column tracker.renewals.cause is 'EXPIRES, RUNS_OUT (its fills will be used up), NO_FILLS_LEFT or EXPIRED.';
comment on column tracker.renewals.opened_by is 'The step that opened the renewal.';
comment on column tracker.renewals.due_on is 'The first day without a fill.';
comment on column tracker.renewals.start_on is 'When the customer is asked to renew.';
comment on column tracker.renewals.next_on is 'When the renewal is next checked.';
comment on column tracker.renewals.reminders is 'The number of reminders sent.';
comment on column tracker.renewals.contacted_at is 'When the customer was asked to renew.';
comment on column tracker.renewals.lapsed_at is 'When the renewal lapsed.';
comment on column tracker.renewals.billing_paused_at is 'When billing was paused because nothing can ship.';
comment on column tracker.renewals.billing_resumed_at is 'When billing went on.';
comment on column tracker.renewals.closed_at is 'When the renewal was closed: renewed or cancelled.';
comment on column tracker.renewals.closed_because is 'The cause for which it was closed, in plain words.';

create function tracker.guard_renewal() returns trigger
language plpgsql set search_path = ''
as $$
begin
  if new.state <> old.state and not exists (
    select from tracker.renewal_moves
    where renewal_moves.from_state = old.state and renewal_moves.to_state = new.state
  ) then
    raise exception 'Renewal % is %, so it cannot become %.', old.id, old.state, new.state
      using errcode = 'check_violation';
  end if;
  if (new.product_id, new.prescription_id, new.cycle) is distinct from (old.product_id, old.prescription_id, old.cycle)
    or (new.customer_id <> old.customer_id and not exists (
      select from registry.customers where customers.id = old.customer_id and customers.merged_into = new.customer_id))
  then
    raise exception 'Renewal % is about one prescription of one customer. That never changes.', old.id
      using errcode = 'check_violation';
  end if;
  if old.contacted_at is not null and new.contacted_at is distinct from old.contacted_at then
    raise exception 'The customer of renewal % was already asked. That stays.', old.id
      using errcode = 'check_violation';
  end if;
  if new.state in ('RENEWED', 'CANCELLED') then
    new.closed_at := coalesce(new.closed_at, clockwork.now());
    new.closed_because := coalesce(new.closed_because, 'closed by a person');
    new.next_on := null;
  end if;
  return new;
end
$$;
create trigger guard_renewal before update on tracker.renewals
  for each row execute function tracker.guard_renewal();
create trigger refuse_delete before delete on tracker.renewals
  for each statement execute function clockwork.refuse_removal('To end one, set its state to CANCELLED.');
create trigger refuse_truncate before truncate on tracker.renewals
  for each statement execute function clockwork.refuse_removal('To end one, set its state to CANCELLED.');

-- The machinery makes this task itself.
create function tracker.follow_up_closed_renewal() returns trigger
language plpgsql set search_path = ''
as $$
begin
  if clockwork.actor() like 'clockwork:%' or new.contacted_at is null then
    return null;
  end if;
  insert into clockwork.tasks (step, key, vendor, data, customer_id)
  values ('renewal.tell_crm', 'closed by a person:' || new.id, 'crm',
    jsonb_build_object('renewal_id', new.id, 'fact', 'renewal_cancelled'), new.customer_id)
  on conflict on constraint tasks_step_key_is_unique do nothing;
  return null;
end
$$;
create trigger follow_up_closed_renewal after update of state on tracker.renewals
  for each row when (new.closed_at is not null and old.closed_at is null)
  execute function tracker.follow_up_closed_renewal();

-- A renewal gets a new task the next day if a person cancelled its task or if next_on stayed the same. A renewal whose
-- task stopped waits for a person. A lapsed one does not wait: it is checked every day.
create function clockwork.start_due_renewals() returns bigint
language plpgsql set search_path = ''
as $$
declare
  started bigint;
begin
  perform set_config('clockwork.actor', 'clockwork:renewals', true);
  insert into clockwork.tasks (step, key, vendor, data, customer_id)
  select 'renewal.advance',
    format('%s:%s:%s', renewals.id, date_part('epoch', renewals.next_on)::bigint, clockwork.now()::date),
    'health', jsonb_build_object('renewal_id', renewals.id), renewals.customer_id
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
comment on function clockwork.start_due_renewals() is 'Makes a task for every renewal whose next_on has come. pg_cron runs it every few minutes.';
