-- Purpose: views for people: the nightly checks, the drift, the keys in use, and the moves from retired prices.
-- Touches: ops.checks, ops.drift, ops.product_frequency, ops.price_moves.
-- Watch: views only. Nothing is stored here.

create view ops.checks with (security_invoker = on) as
with recent as (
  select check_runs.*, row_number() over (partition by check_runs.work, check_runs.vendor order by check_runs.id desc) as nth
  from tracker.check_runs
), current_page as (
  -- The task of the current page of a run that is not done. Pages follow each other under one step.
  select recent.id as run_id, page.task_id, page.status, page.reason
  from recent
  left join lateral (
    with recursive pages as (
      select tasks.id, tasks.step, tasks.status, tasks.reason
      from clockwork.tasks where tasks.id = recent.task_id
      union all
      select tasks.id, tasks.step, tasks.status, tasks.reason
      from pages
      join clockwork.tasks on tasks.caused_by = pages.id and tasks.step = pages.step
    )
    select pages.id as task_id, pages.status, pages.reason from pages
    where pages.status in ('PENDING', 'QUEUED', 'MANUAL_INTERVENTION')
    order by pages.id desc limit 1
  ) as page on true
  where recent.state <> 'DONE' and recent.nth <= 14
)
select
  recent.work,
  recent.vendor,
  case
    when recent.state = 'DONE' and recent.missing = 0 then 'finished: nothing was wrong'
    when recent.state = 'DONE' and recent.repaired >= recent.missing then 'finished: everything wrong is repaired'
    when recent.state = 'DONE' then format('finished: %s still to be repaired', recent.missing - recent.repaired)
    when recent.state = 'UNFINISHED' then 'not finished: the next run began before its end'
    when current_page.task_id is null then format('ended after %s pages: the task of the next page was cancelled', recent.pages)
    when current_page.status = 'MANUAL_INTERVENTION' then format('stopped after %s pages: %s', recent.pages, current_page.reason)
    when current_page.reason is not null then format('waiting after %s pages: %s', recent.pages, current_page.reason)
    else format('running: %s pages so far', recent.pages)
  end as state,
  recent.state = 'DONE' as finished,
  recent.window_from,
  recent.window_until,
  recent.seen,
  recent.missing,
  recent.repaired,
  recent.unlinked,
  recent.started_at,
  recent.ended_at,
  current_page.task_id,
  recent.id as run_id
from recent
left join current_page on current_page.run_id = recent.id
where recent.nth <= 14
union all
-- A night's check has no run before its first page is done.
select coalesce(known.work, split_part(tasks.step, '.', 1)), tasks.vendor,
  case
    when tasks.status = 'MANUAL_INTERVENTION' then 'not begun: ' || tasks.reason
    else 'not begun' || coalesce(': ' || tasks.reason, '')
  end,
  false, null, null, 0, 0, 0, 0, tasks.created_at, null, tasks.id, null
from clockwork.tasks
join clockwork.nightly_work on nightly_work.step = tasks.step
left join lateral (
  select check_runs.work from tracker.check_runs
  join clockwork.tasks as begun on begun.id = check_runs.task_id and begun.step = nightly_work.step
  order by check_runs.id desc limit 1
) as known on true
where tasks.status in ('PENDING', 'QUEUED', 'MANUAL_INTERVENTION') and tasks.caused_by is null
  and (known.work is not null or split_part(tasks.step, '.', 1) in ('completeness', 'drift', 'product'))
  and not exists (select from tracker.check_runs where check_runs.task_id = tasks.id)
order by work, vendor, started_at desc;

comment on view ops.checks is 'The last 14 runs of each nightly check. Only a finished run is a success.';
comment on column ops.checks.work is 'completeness (events that never reached us), drift (mirrors that differ from their owner), product_count (keys in use) or renewals (the look at all refills).';
comment on column ops.checks.vendor is 'The vendor that the run goes through.';
comment on column ops.checks.state is 'The state of the run, in plain words.';
comment on column ops.checks.seen is 'The number of events, orders or facts of customers that the run went through.';
comment on column ops.checks.missing is 'The number of those that we had never received, or that differed from their owner.';
comment on column ops.checks.repaired is 'The number of those that are repaired or recorded by now.';
comment on column ops.checks.unlinked is 'The number of records without a comparison.';
comment on column ops.checks.task_id is 'The task of the current page, if the run is not finished (clockwork.tasks).';

create view ops.drift with (security_invoker = on) as
select
  customers.email as customer,
  latest.attribute as fact,
  tracker.system_name(latest.owner) as owner,
  tracker.system_name(latest.system) as mirror,
  latest.found_at,
  latest.repaired_at,
  latest.times_in_30_days,
  tracker.drift_cause(latest.customer_id, latest.fact, latest.system, latest.attribute) as likely_cause,
  asked.task_id,
  latest.customer_id,
  latest.run_id
from (
  select drift.*,
    row_number() over (partition by drift.customer_id, drift.system, drift.attribute order by drift.id desc) as nth,
    count(*) filter (where drift.found_at > clockwork.now() - interval '30 days')
      over (partition by drift.customer_id, drift.system, drift.attribute) as times_in_30_days
  from tracker.drift
  where drift.found_at > clockwork.now() - interval '30 days' or drift.repaired_at is null
) as latest
join registry.customers on customers.id = latest.customer_id
left join lateral (
  select min(tasks.id) as task_id from clockwork.tasks
  where tasks.customer_id = latest.customer_id and tasks.status = 'MANUAL_INTERVENTION'
    and tasks.step in ('drift.look', 'owner.propagate_' || latest.fact)
) as asked on true
where latest.nth = 1
order by latest.repaired_at is not null, latest.found_at desc;

comment on view ops.drift is 'Mirrors that differed from the owner of a fact. Those without a repair come first, then the newest of the last 30 days.';
comment on column ops.drift.fact is 'The name of the fact in the mirror.';
comment on column ops.drift.owner is 'The system whose value counts.';
comment on column ops.drift.mirror is 'The system that showed another value.';
comment on column ops.drift.found_at is 'When the drift was last found.';
comment on column ops.drift.repaired_at is 'When the mirror was found to be right again. Empty: not yet.';
comment on column ops.drift.likely_cause is 'The likely cause, by the record.';
comment on column ops.drift.task_id is 'The task that asks a person about it, if there is one.';
comment on column ops.drift.run_id is 'The last run of ops.checks that found it.';

create view ops.product_frequency with (security_invoker = on) as
with last_runs as (
  select distinct on (check_runs.vendor)
    case check_runs.vendor when 'stripe' then 'stripe_price' else 'pharmacy_treatment' end::registry.key_system as system,
    check_runs.vendor, check_runs.id, check_runs.started_at, check_runs.ended_at
  from tracker.check_runs
  where check_runs.work = 'product_count' and check_runs.state = 'DONE'
  order by check_runs.vendor, check_runs.started_at desc, check_runs.id desc
),
-- The last whole count at least so many nights before, give or take half a day. None if that count is older by three days.
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
      then 'Add it to registry.product_keys. Until then, no fill that is paid for under it can ship.'
    when frequency.state = 'unregistered'
      then 'Add it to registry.product_keys, if the company ships it.'
    when frequency.state = 'retired' and frequency.in_use + frequency.paused = 0 then 'Nothing. Nobody uses it any more.'
    when frequency.state = 'retired' and frequency.system = 'stripe_price'
      then format('Move its subscribers: npm run product:retire -- %s %s',
        frequency.key, coalesce(frequency.replaced_by, '<the price that replaces it>'))
    when frequency.state = 'retired'
      then format('Have new prescriptions written under %s. Those on file are still filled.', coalesce(frequency.replaced_by, 'the one that replaces it'))
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

comment on view ops.product_frequency is 'The use of each key at Stripe and at the pharmacy, by the last count. Keys without a product come first.';
comment on column ops.product_frequency.product is 'Empty: no product has the key.';
comment on column ops.product_frequency.system is 'stripe_price (subscriptions) or pharmacy_treatment (active prescriptions).';
comment on column ops.product_frequency.state is 'registered, unregistered (in no product), or retired (the key, or its product).';
comment on column ops.product_frequency.in_use is 'The number of subscriptions that are charged, or of active prescriptions. Empty: not counted yet.';
comment on column ops.product_frequency.paused is 'The number of subscriptions that are paused.';
comment on column ops.product_frequency.change_7_nights is 'More or fewer in use than 7 nights before. Empty: not counted then.';
comment on column ops.product_frequency.change_30_nights is 'More or fewer in use than 30 nights before. Empty: not counted then.';
comment on column ops.product_frequency.what_to_do is 'The usual repair, in plain words.';
comment on column ops.product_frequency.counted_at is 'When the last whole count ended.';

create view ops.price_moves with (security_invoker = on) as
select
  price_retirements.from_price,
  price_retirements.to_price,
  price_moves.subscription_id,
  customers.email as customer,
  case
    when price_moves.state <> 'WAITING' then lower(replace(price_moves.state, '_', ' '))
    when task.status = 'MANUAL_INTERVENTION' then 'waiting for a person'
    when task.status in ('PENDING', 'QUEUED') then 'waiting'
    else 'left as it is'
  end as state,
  case
    when price_moves.state = 'WAITING' then coalesce(task.reason, 'It waits for its turn.')
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

comment on view ops.price_moves is 'Every subscription of a retired price: moved to the price that replaces it, or not moved and the cause.';
comment on column ops.price_moves.state is 'moved, already there, not moved, waiting, waiting for a person, or left as it is (a person cancelled its task).';
comment on column ops.price_moves.why is 'The cause for which it is not moved or waits.';
comment on column ops.price_moves.paused is 'True if it was paused before the move. It still is.';
comment on column ops.price_moves.billing_date_before is 'The next billing date right before the move.';
comment on column ops.price_moves.billing_date_after is 'The next billing date after the move. It is the same, unless a period ended meanwhile.';
comment on column ops.price_moves.task_id is 'The task of the move.';
