-- Purpose: what people look at: what is really in use, and who was moved from a retired price.
-- Touches: ops.product_frequency, ops.price_moves.

create view ops.product_frequency with (security_invoker = on) as
with last_runs as (
  select distinct on (check_runs.vendor)
    case check_runs.vendor when 'stripe' then 'stripe_price' else 'pharmacy_treatment' end::registry.key_system as system,
    check_runs.vendor, check_runs.id, check_runs.started_at, check_runs.ended_at
  from tracker.check_runs
  where check_runs.work = 'product_count' and check_runs.state = 'DONE'
  order by check_runs.vendor, check_runs.started_at desc, check_runs.id desc
),
-- The last whole count at least so many nights before, give or take half a day; none when that one is older still.
former_runs as (
  select last_runs.system, nights.nights, former.id
  from last_runs
  cross join (values (7), (30)) as nights (nights)
  cross join lateral (
    select check_runs.id, check_runs.started_at from tracker.check_runs
    where check_runs.work = 'product_count' and check_runs.state = 'DONE' and check_runs.vendor = last_runs.vendor
      and check_runs.started_at <= last_runs.started_at - nights.nights * interval '1 day' + interval '12 hours'
    order by check_runs.started_at desc, check_runs.id desc limit 1
  ) as former
  where former.started_at > last_runs.started_at - nights.nights * interval '1 day' - interval '3 days'
),
all_keys as (
  select product_keys.system, product_keys.key from registry.product_keys
  where product_keys.system in ('stripe_price', 'pharmacy_treatment')
  union
  select product_counts.system, product_counts.key from tracker.product_counts
  join last_runs on last_runs.id = product_counts.run_id
),
frequency as (
  select all_keys.system, all_keys.key, products.name as product, products.id as product_id, product_keys.replaced_by,
    case
      when product_keys.key is null then 'unregistered'
      when product_keys.status = 'retired' or products.status = 'retired' then 'retired'
      else 'registered'
    end as state,
    case when last_runs.id is not null then coalesce(now_counts.in_use, 0) end as in_use,
    case when last_runs.id is not null then coalesce(now_counts.paused, 0) end as paused,
    case when week.id is not null then coalesce(now_counts.in_use, 0) - coalesce(week_counts.in_use, 0) end as change_7_nights,
    case when month.id is not null then coalesce(now_counts.in_use, 0) - coalesce(month_counts.in_use, 0) end as change_30_nights,
    last_runs.ended_at as counted_at
  from all_keys
  left join registry.product_keys on product_keys.system = all_keys.system and product_keys.key = all_keys.key
  left join registry.products on products.id = product_keys.product_id
  left join last_runs on last_runs.system = all_keys.system
  left join former_runs as week on week.system = all_keys.system and week.nights = 7
  left join former_runs as month on month.system = all_keys.system and month.nights = 30
  left join tracker.product_counts as now_counts
    on now_counts.run_id = last_runs.id and now_counts.system = all_keys.system and now_counts.key = all_keys.key
  left join tracker.product_counts as week_counts
    on week_counts.run_id = week.id and week_counts.system = all_keys.system and week_counts.key = all_keys.key
  left join tracker.product_counts as month_counts
    on month_counts.run_id = month.id and month_counts.system = all_keys.system and month_counts.key = all_keys.key
)
select
  frequency.product,
  frequency.system,
  frequency.key,
  frequency.state,
  frequency.in_use,
  frequency.paused,
  frequency.change_7_nights,
  frequency.change_30_nights,
  case
    when frequency.in_use is null then 'Not counted yet. It is counted every night.'
    when frequency.state = 'unregistered' and frequency.system = 'stripe_price'
      then 'Add it to registry.product_keys: until then nothing that is paid for under it can ship.'
    when frequency.state = 'unregistered'
      then 'Add it to registry.product_keys, if the company ships it.'
    when frequency.state = 'retired' and frequency.in_use + frequency.paused = 0 then 'Nothing: nobody uses it any more.'
    when frequency.state = 'retired' and frequency.system = 'stripe_price'
      then pg_catalog.format('Move its subscribers: npm run product:retire -- %s %s',
        frequency.key, coalesce(frequency.replaced_by, '<the price that replaces it>'))
    when frequency.state = 'retired'
      then pg_catalog.format('Have new prescriptions written under %s. Those on file are still filled.', coalesce(frequency.replaced_by, 'the one that replaces it'))
    when frequency.in_use + frequency.paused = 0 then 'Nobody uses it. If it is no longer offered, set its status to retired.'
    else 'Nothing.'
  end as what_to_do,
  frequency.replaced_by,
  frequency.counted_at,
  frequency.product_id
from frequency
order by
  case frequency.state when 'unregistered' then 0 else 1 end,
  frequency.product, frequency.system, frequency.in_use desc nulls last, frequency.key;

comment on view ops.product_frequency is 'What is really in use at Stripe and at the pharmacy, as last counted. First what no product has.';
comment on column ops.product_frequency.product is 'Empty: no product has the key.';
comment on column ops.product_frequency.system is 'stripe_price (subscriptions) or pharmacy_treatment (active prescriptions).';
comment on column ops.product_frequency.state is 'registered, unregistered (in no product), or retired (the key, or its product).';
comment on column ops.product_frequency.in_use is 'Subscriptions that are charged, or active prescriptions. Empty: not counted yet.';
comment on column ops.product_frequency.paused is 'Subscriptions that are paused.';
comment on column ops.product_frequency.change_7_nights is 'More or fewer in use than 7 nights before. Empty: not counted then.';
comment on column ops.product_frequency.change_30_nights is 'More or fewer in use than 30 nights before. Empty: not counted then.';
comment on column ops.product_frequency.what_to_do is 'In plain words.';
comment on column ops.product_frequency.counted_at is 'When the last whole count ended.';

create view ops.price_moves with (security_invoker = on) as
select
  price_retirements.from_price,
  price_retirements.to_price,
  price_moves.subscription_id,
  customers.email as customer,
  case
    when price_moves.state <> 'WAITING' then pg_catalog.lower(pg_catalog.replace(price_moves.state, '_', ' '))
    when task.status = 'MANUAL_INTERVENTION' then 'waiting for a person'
    when task.status in ('PENDING', 'QUEUED') then 'waiting'
    else 'left as it is'
  end as state,
  case
    when price_moves.state = 'WAITING' then coalesce(task.reason, 'Its turn comes.')
    else move_findings.meaning
  end as why,
  price_moves.paused_before as paused,
  price_moves.due_before as billing_date_before,
  price_moves.due_after as billing_date_after,
  price_moves.settled_at,
  task.id as task_id,
  price_moves.finding,
  price_moves.retirement_id,
  price_moves.id as move_id
from tracker.price_moves
join tracker.price_retirements on price_retirements.id = price_moves.retirement_id
left join tracker.move_findings on move_findings.finding = price_moves.finding
left join lateral (
  select tasks.id, tasks.status, tasks.reason, tasks.customer_id from clockwork.tasks
  where tasks.step = 'product.move_subscription' and tasks.data ->> 'move_id' = price_moves.id::text
  order by tasks.id desc limit 1
) as task on true
left join registry.customers on customers.id = task.customer_id
order by price_moves.id;

comment on view ops.price_moves is 'Every subscription of a retired price: moved to the supported one, or why not.';
comment on column ops.price_moves.state is 'moved, already there, not moved, waiting, waiting for a person, or left as it is (a person dropped its task).';
comment on column ops.price_moves.why is 'Why it is not moved, or what it waits for.';
comment on column ops.price_moves.paused is 'Whether it was paused when it was moved. It still is.';
comment on column ops.price_moves.billing_date_before is 'The next billing date right before the move.';
comment on column ops.price_moves.billing_date_after is 'The next billing date after it: the same, unless a period came to its end meanwhile.';
comment on column ops.price_moves.task_id is 'The task that moves it.';
