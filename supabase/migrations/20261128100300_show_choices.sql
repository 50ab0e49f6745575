-- Purpose: the list of work for people shows each task's choices, its customer and its product. The story tells answers.
-- Touches: ops.manual_intervention, ops.timeline.
-- Watch: a person may have typed anything into data, so an id that is no number of ours leads nowhere. An order_id of a
--   pharmacy's event is the pharmacy's.

drop view ops.manual_intervention;

create view ops.manual_intervention with (security_invoker = on) as
select
  tasks.id as task_id,
  tasks.reason,
  reasons.repair,
  choices.choices,
  customers.email as customer,
  products.name as product,
  coalesce(done_outside.what, 'nothing') as already_done_outside,
  reasons.on_resend,
  clockwork.now() - stopped.since as age,
  tasks.step,
  tasks.data,
  tasks.attempts,
  customers.id as customer_id,
  tasks.invoice_id,
  tasks.reason_code
from clockwork.tasks
join clockwork.reasons on reasons.code = tasks.reason_code
cross join lateral (
  select
    case when tasks.step like 'order.%' then substring(tasks.data ->> 'order_id' from '^\d{1,18}$')::bigint end as order_id,
    substring(tasks.data ->> 'renewal_id' from '^\d{1,18}$')::bigint as renewal_id,
    substring(tasks.data ->> 'customer_id' from '^\d{1,18}$')::bigint as customer_id,
    substring(tasks.data ->> 'product_id' from '^\d{1,18}$')::bigint as product_id
) as named
left join tracker.orders on orders.id = named.order_id
left join tracker.renewals on renewals.id = named.renewal_id
left join registry.customers
  on customers.id = coalesce(tasks.customer_id, orders.customer_id, renewals.customer_id, named.customer_id)
left join registry.products on products.id = coalesce(orders.product_id, renewals.product_id, named.product_id)
cross join lateral (
  select string_agg(reason_choices.answer || ': ' || reason_choices.label, ' / ' order by reason_choices.position) as choices
  from clockwork.reason_choices where reason_choices.code = tasks.reason_code
) as choices
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

comment on view ops.manual_intervention is 'Tasks that need a person, oldest first. Make the repair, then set the task''s answer in clockwork.tasks to one of its choices.';
comment on column ops.manual_intervention.choices is 'The answers that the task takes, each with its meaning.';
comment on column ops.manual_intervention.customer is 'The email of the customer whom the task is about.';
comment on column ops.manual_intervention.product is 'The product that the task is about.';
comment on column ops.manual_intervention.already_done_outside is 'The effects at vendors so far in this story. None of them is done twice.';
comment on column ops.manual_intervention.on_resend is 'The result of setting the task''s status to PENDING.';
comment on column ops.manual_intervention.age is 'The time since the task stopped.';

-- An event without a webhook shows as found missing by the nightly check. Only such a task has a vendor's name and a task
-- that caused it.
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
        else coalesce('answered ' || (task_history.after ->> 'answer') || ', ', '')
          || format('from %s to %s', task_history.from_status, task_history.to_status) end),
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
