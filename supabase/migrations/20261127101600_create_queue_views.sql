-- Purpose: views for people: work that needs them, work that waits, the whole story, late parcels, and each vendor.
-- Touches: ops.manual_intervention, ops.waiting, ops.timeline, ops.delayed_shipments, ops.vendors.
-- Watch: views only. Nothing is stored here.

create view ops.manual_intervention with (security_invoker = on) as
select
  tasks.id as task_id,
  tasks.reason,
  reasons.repair,
  coalesce(done_outside.what, 'nothing') as already_done_outside,
  reasons.on_resend,
  clockwork.now() - stopped.since as age,
  customers.email as customer,
  tasks.step,
  tasks.data,
  tasks.attempts,
  tasks.customer_id,
  tasks.invoice_id,
  tasks.reason_code
from clockwork.tasks
join clockwork.reasons on reasons.code = tasks.reason_code
left join registry.customers on customers.id = tasks.customer_id
cross join lateral (
  select coalesce(max(task_history.changed_at), tasks.created_at) as since
  from clockwork.task_history
  where task_history.task_id = tasks.id
    and task_history.to_status = 'MANUAL_INTERVENTION' and task_history.from_status <> 'MANUAL_INTERVENTION'
) as stopped
cross join lateral (
  select string_agg(
    format('%s: %s %s, %s', effects.vendor, effects.operation, coalesce(effects.reference, effects.key),
      case effects.state when 'CONFIRMED' then 'done' else 'perhaps done' end),
    '; ' order by effects.id) as what
  from clockwork.effects
  join clockwork.tasks as doers on doers.id = effects.task_id
  where effects.state <> 'REFUSED' and (doers.id = tasks.id or doers.invoice_id = tasks.invoice_id)
) as done_outside
where tasks.status = 'MANUAL_INTERVENTION'
order by stopped.since;

comment on view ops.manual_intervention is 'Tasks that need a person, oldest first. Make the repair, then set the task''s status in clockwork.tasks.';
comment on column ops.manual_intervention.already_done_outside is 'The effects at vendors so far in this story. None of them is done twice.';
comment on column ops.manual_intervention.on_resend is 'The result of setting the task''s status to PENDING.';
comment on column ops.manual_intervention.age is 'The time since the task stopped.';

create view ops.waiting with (security_invoker = on) as
select
  tasks.id as task_id,
  case
    when tasks.status = 'QUEUED' then coalesce(tasks.reason, 'A drain has it. If that drain died, the task comes back by itself.')
    when tasks.run_after <= clockwork.now() and settings.maintenance then 'Maintenance is on.'
    when tasks.run_after <= clockwork.now() and vendors.paused_until > clockwork.now()
      then format('%s is paused: %s', vendors.vendor, vendors.paused_reason)
    else tasks.reason
  end as why,
  tasks.attempts as tries,
  case when tasks.status = 'PENDING' then greatest(tasks.run_after, vendors.paused_until) else tasks.run_after end as next_try,
  clockwork.now() - tasks.created_at as age,
  customers.email as customer,
  tasks.step,
  tasks.vendor,
  tasks.status,
  tasks.customer_id,
  tasks.invoice_id
from clockwork.tasks
join clockwork.vendors on vendors.vendor = tasks.vendor
cross join clockwork.settings
left join registry.customers on customers.id = tasks.customer_id
where (tasks.status = 'QUEUED' and (tasks.attempts > 0 or tasks.updated_at < clockwork.now() - interval '2 minutes'))
   or (tasks.status = 'PENDING' and (
     tasks.reason is not null or tasks.run_after > clockwork.now()
     or settings.maintenance or vendors.paused_until > clockwork.now()))
order by next_try;

comment on view ops.waiting is 'Tasks that are retried, wait for their day, or meet a pause or maintenance: the cause, the tries, and the next try.';

-- An event without a webhook shows as found missing by the nightly check. Only such a task has a vendor's name and a task
-- that caused it.
create view ops.timeline with (security_invoker = on) as
select story.at, story.system, story.what, customers.email as customer, story.task_id, story.order_id,
  story.customer_id, story.invoice_id
from (
  select tasks.created_at as at, 0::bigint as seq,
    case when tasks.caused_by is null or found.by_check then split_part(tasks.step, '.', 1) else 'clockwork' end as system,
    case when tasks.caused_by is null then 'came in: ' when found.by_check then 'found missing by the nightly check: '
      else 'follows: ' end || tasks.step
      || case when born.status in ('MANUAL_INTERVENTION', 'PARKED') then ', ' || born.status || '. ' || born.reason else '' end as what,
    tasks.id as task_id, null::bigint as order_id, tasks.customer_id, tasks.invoice_id
  from clockwork.tasks
  cross join lateral (
    select split_part(tasks.step, '.', 1) in ('stripe', 'health', 'pharmacy', 'crm') as by_check
  ) as found
  left join lateral (
    select task_history.from_status, task_history.before
    from clockwork.task_history where task_history.task_id = tasks.id order by task_history.id limit 1
  ) as first_change on true
  cross join lateral (
    select coalesce(first_change.from_status, tasks.status) as status,
      coalesce(first_change.before ->> 'reason', tasks.reason) as reason
  ) as born
  union all
  -- The changes by the machinery: an end, or the reason for a new try or a wait. A reason that stayed the same is in an
  -- earlier change.
  select task_history.changed_at, task_history.id, 'clockwork',
    tasks.step || ': ' || task_history.to_status || coalesce('. ' || latest.reason, ''),
    tasks.id, null, tasks.customer_id, tasks.invoice_id
  from clockwork.task_history
  join clockwork.tasks on tasks.id = task_history.task_id
  left join lateral (
    select earlier.after ->> 'reason' as reason
    from clockwork.task_history as earlier
    where earlier.task_id = task_history.task_id and earlier.id <= task_history.id and earlier.after ? 'reason'
    order by earlier.id desc limit 1
  ) as latest on true
  where task_history.actor like 'clockwork:%'
    and (task_history.to_status not in ('PENDING', 'QUEUED') or task_history.after ->> 'reason' is not null)
  union all
  select task_history.changed_at, task_history.id, 'person',
    format('%s: task %s (%s) %s', task_history.actor, tasks.id, tasks.step,
      case when task_history.from_status = task_history.to_status
        then 'edited ' || (select string_agg(edited.key, ', ') from jsonb_object_keys(task_history.after) as edited (key))
        else format('from %s to %s', task_history.from_status, task_history.to_status) end),
    tasks.id, null, tasks.customer_id, tasks.invoice_id
  from clockwork.task_history
  join clockwork.tasks on tasks.id = task_history.task_id
  where task_history.actor not like 'clockwork:%'
  union all
  select coalesce(effects.settled_at, effects.sent_at), 0, effects.vendor,
    format('%s %s %s', effects.operation, coalesce(effects.reference, effects.key),
      case effects.state when 'CONFIRMED' then 'done' when 'REFUSED' then 'refused' else 'sent, no answer yet' end),
    tasks.id, null, tasks.customer_id, tasks.invoice_id
  from clockwork.effects
  join clockwork.tasks on tasks.id = effects.task_id
  union all
  select moment.at, 0, 'order', format('order %s %s', orders.id, moment.what), null, orders.id, orders.customer_id, orders.invoice_id
  from tracker.orders
  cross join lateral (values
    (orders.created_at, 'paid for, fill ' || orders.fill_number),
    (orders.cancel_requested_at, 'to be cancelled: ' || orders.cancel_cause),
    (orders.placed_at, 'placed'),
    (orders.shipped_at, 'shipped'),
    (orders.delivered_at, 'delivered'),
    (orders.ended_at, lower(orders.state))
  ) as moment (at, what)
  where moment.at is not null
) as story
left join registry.customers on customers.id = story.customer_id
order by story.at, story.task_id nulls last, story.seq;

comment on view ops.timeline is 'The whole story across all systems, in order. Filter by customer, customer_id, invoice_id or order_id.';

create view ops.delayed_shipments with (security_invoker = on) as
select
  orders.id as order_id,
  late.problem,
  clockwork.now() - late.due as late_by,
  customers.email as customer,
  orders.state,
  orders.reference,
  orders.pharmacy_order_id,
  parcels.tracking,
  orders.placed_at,
  orders.shipped_at,
  orders.customer_id,
  orders.invoice_id
from tracker.orders
join registry.customers on customers.id = orders.customer_id
cross join clockwork.settings
cross join lateral (
  select case when orders.shipped_at is null then 'placed but not shipped' else 'shipped but not delivered' end as problem,
    case when orders.shipped_at is null then orders.placed_at + settings.ship_within
      else orders.shipped_at + settings.deliver_within end as due
) as late
cross join lateral (
  select string_agg(shipments.carrier || ' ' || shipments.tracking_number, ', ' order by shipments.id) as tracking
  from tracker.shipments where shipments.order_id = orders.id
) as parcels
where orders.state in ('PLACED', 'FILLING', 'SHIPPED', 'OUT_FOR_DELIVERY') and late.due < clockwork.now()
order by late.due;

comment on view ops.delayed_shipments is 'Orders later than the limits in clockwork.settings (ship_within, deliver_within). The most delayed come first.';

create view ops.vendors with (security_invoker = on) as
select
  vendors.vendor,
  case
    when settings.maintenance then 'maintenance'
    when vendors.paused_until > clockwork.now() then 'paused'
    when vendors.failures_in_a_row > 0 then 'failing'
    else 'well'
  end as state,
  case when vendors.paused_until > clockwork.now() then vendors.paused_until end as paused_until,
  case when vendors.paused_until > clockwork.now() then vendors.paused_reason end as paused_reason,
  (select max(heard.created_at) from clockwork.tasks as heard
    where split_part(heard.step, '.', 1) = vendors.vendor and heard.caused_by is null) as last_heard_at,
  vendors.last_success_at,
  vendors.last_failure_at,
  vendors.failures_in_a_row,
  depth.due,
  depth.running_or_retrying,
  depth.later,
  depth.manual_intervention,
  clockwork.now() - depth.oldest_due as oldest_due_for
from clockwork.vendors
cross join clockwork.settings
cross join lateral (
  select
    count(*) filter (where tasks.status = 'PENDING' and tasks.run_after <= clockwork.now()) as due,
    count(*) filter (where tasks.status = 'QUEUED') as running_or_retrying,
    count(*) filter (where tasks.status = 'PENDING' and tasks.run_after > clockwork.now()) as later,
    count(*) filter (where tasks.status = 'MANUAL_INTERVENTION') as manual_intervention,
    min(tasks.run_after) filter (where tasks.status = 'PENDING' and tasks.run_after <= clockwork.now()) as oldest_due
  from clockwork.tasks
  where tasks.vendor = vendors.vendor and tasks.status in ('PENDING', 'QUEUED', 'MANUAL_INTERVENTION')
) as depth
order by vendors.vendor;

comment on view ops.vendors is 'Each vendor at a glance: its last webhook, its replies, its pause with the cause, and the waiting work.';
comment on column ops.vendors.last_heard_at is 'When its last webhook came.';
comment on column ops.vendors.last_success_at is 'When the vendor last replied to a call.';
comment on column ops.vendors.due is 'The number of tasks that should run now.';
comment on column ops.vendors.later is 'The number of tasks that wait for their moment.';
comment on column ops.vendors.oldest_due_for is 'The waiting time of the oldest due task. Minutes here mean that the drain does not run.';
