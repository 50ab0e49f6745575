-- Purpose: a row per run of a nightly check, so that a run that did not finish is seen and never counts as a success.
-- Touches: tracker.check_runs.
-- Watch: pages are counted in the transaction that settles the page's task; a page that is resent counts once.

create table tracker.check_runs (
  id bigint generated always as identity primary key,
  work text not null,
  vendor text not null references clockwork.vendors (vendor),
  state text not null default 'RUNNING',
  window_from timestamptz,
  window_until timestamptz,
  pages integer not null default 0,
  seen integer not null default 0,
  missing integer not null default 0,
  repaired integer not null default 0,
  task_id bigint not null references clockwork.tasks (id),
  started_at timestamptz not null default clockwork.now(),
  ended_at timestamptz,
  constraint check_work_is_known check (work in ('completeness', 'drift', 'product_count')),
  constraint check_run_state_is_known check (state in ('RUNNING', 'DONE', 'UNFINISHED')),
  constraint only_an_ended_run_has_ended_at check ((state = 'RUNNING') = (ended_at is null)),
  constraint a_window_has_both_ends check ((window_from is null) = (window_until is null) and window_from <= window_until),
  constraint counts_are_not_negative check (least(pages, seen, missing, repaired) >= 0)
);
alter table tracker.check_runs enable row level security;
create index check_runs_vendor on tracker.check_runs (vendor);
create index check_runs_task on tracker.check_runs (task_id);
create unique index one_check_runs_at_a_time on tracker.check_runs (work, vendor) where state = 'RUNNING';

comment on table tracker.check_runs is 'A row per run of a nightly check. Only DONE is a success; UNFINISHED means that the next run began before it came to its end.';
comment on column tracker.check_runs.work is 'completeness, drift or product_count.';
comment on column tracker.check_runs.vendor is 'Whose side was gone through (clockwork.vendors).';
comment on column tracker.check_runs.state is 'RUNNING, DONE or UNFINISHED.';
comment on column tracker.check_runs.window_from is 'From when on it asked what happened. Empty where the state was compared.';
comment on column tracker.check_runs.window_until is 'Up to when it asked what happened.';
comment on column tracker.check_runs.pages is 'Pages that were gone through.';
comment on column tracker.check_runs.seen is 'What it looked at: events, orders, or facts of customers.';
comment on column tracker.check_runs.missing is 'Of those, what we had never received, or what differed from its owner.';
comment on column tracker.check_runs.repaired is 'Of those, what was put right or taken up.';
comment on column tracker.check_runs.task_id is 'The task of its first page (clockwork.tasks).';
