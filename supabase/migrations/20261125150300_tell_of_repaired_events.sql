-- Purpose: an event that no webhook brought is told as what it is: found missing by the nightly check.
-- Touches: ops.timeline.
-- Watch: only such an event has a vendor's name and a task that caused it.

create or replace view ops.timeline with (security_invoker = on) as
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
  -- What the machinery made of it: its end, or why it is tried again or waits. A reason that stayed the same is in
  -- an earlier change.
  select task_history.changed_at, task_history.id, 'clockwork',
    tasks.step || ': ' || task_history.to_status || coalesce('. ' || told.reason, ''),
    tasks.id, null, tasks.customer_id, tasks.invoice_id
  from clockwork.task_history
  join clockwork.tasks on tasks.id = task_history.task_id
  left join lateral (
    select earlier.after ->> 'reason' as reason
    from clockwork.task_history as earlier
    where earlier.task_id = task_history.task_id and earlier.id <= task_history.id and earlier.after ? 'reason'
    order by earlier.id desc limit 1
  ) as told on true
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
