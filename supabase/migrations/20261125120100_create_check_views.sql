-- Purpose: what people look at: what drifted, and how the nightly checks went.
-- Touches: ops.drift, ops.checks.

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

comment on view ops.drift is 'Facts whose mirror did not show what the owner says: first what is not put right yet, then the newest of the last 30 days.';
comment on column ops.drift.fact is 'What it is called there.';
comment on column ops.drift.owner is 'Whose word counts.';
comment on column ops.drift.mirror is 'Where something else was shown.';
comment on column ops.drift.found_at is 'When it was last found.';
comment on column ops.drift.repaired_at is 'When it was seen to be right again. Empty: not yet.';
comment on column ops.drift.likely_cause is 'As far as the record tells.';
comment on column ops.drift.task_id is 'The task that waits for a person because of it, if there is one.';
comment on column ops.drift.run_id is 'The run of ops.checks that saw it.';

create view ops.checks with (security_invoker = on) as
with recent as (
  select check_runs.*, row_number() over (partition by check_runs.work, check_runs.vendor order by check_runs.id desc) as nth
  from tracker.check_runs
), held as (
  -- Of a run that is not done: the task of the page it has come to. Pages follow each other under one step.
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
    when recent.state = 'DONE' and recent.missing = 0 then 'finished: nothing was amiss'
    when recent.state = 'DONE' and recent.repaired >= recent.missing then 'finished: what was amiss is put right'
    when recent.state = 'DONE' then format('finished: %s still to be put right', recent.missing - recent.repaired)
    when recent.state = 'UNFINISHED' then 'not finished: the next run began before it came to its end'
    when held.task_id is null then format('stopped after %s pages: the task of the next one was dropped', recent.pages)
    when held.status = 'MANUAL_INTERVENTION' then format('stopped after %s pages: %s', recent.pages, held.reason)
    when held.reason is not null then format('held up after %s pages: %s', recent.pages, held.reason)
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
  held.task_id,
  recent.id as run_id
from recent
left join held on held.run_id = recent.id
where recent.nth <= 14
union all
-- A night's check whose first page has not come through is no run yet.
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

comment on view ops.checks is 'The nightly checks, the last 14 runs of each. Only a finished run is a success.';
comment on column ops.checks.work is 'completeness (is there news that we never received), drift (does every mirror show what the owner says) or product_count (what is in use).';
comment on column ops.checks.vendor is 'Whose side is gone through.';
comment on column ops.checks.state is 'How it went, in plain words.';
comment on column ops.checks.seen is 'What it looked at: events, orders, or facts of customers.';
comment on column ops.checks.missing is 'Of those, what we had never received, or what differed from its owner.';
comment on column ops.checks.repaired is 'Of those, what is put right or taken up by now.';
comment on column ops.checks.unlinked is 'Whom it met and could compare with nothing.';
comment on column ops.checks.task_id is 'The task that holds a run which is not finished (clockwork.tasks).';
