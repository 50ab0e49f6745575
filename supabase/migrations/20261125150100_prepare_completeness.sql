-- Purpose: what the nightly completeness check needs: since when Clockwork does the work, when an endpoint counts as
--   silent, how to find what was received, and which orders a run has met at the pharmacy.
-- Touches: clockwork.settings, clockwork.tasks (indexes), tracker.check_marks.

alter table clockwork.settings
  add column began_at timestamptz not null default clockwork.now(),
  add column endpoint_silent_share numeric not null default 0.6,
  add column endpoint_silent_at_least integer not null default 5,
  add constraint endpoint_silent_share_is_a_share check (endpoint_silent_share > 0 and endpoint_silent_share <= 1),
  add constraint endpoint_silent_at_least_is_positive check (endpoint_silent_at_least > 0);
comment on column clockwork.settings.began_at is 'When Clockwork took over. The first completeness check takes up nothing that happened before: whoever did the work until then did that, too.';
comment on column clockwork.settings.endpoint_silent_share is 'A person is asked about a vendor''s webhook endpoint when at least this share of its messages was missing in a night.';
comment on column clockwork.settings.endpoint_silent_at_least is 'And at least so many were.';

-- Which version of a resource was received, and what was heard of an order at the pharmacy.
create index tasks_resource on clockwork.tasks ((data ->> 'resource_id'), (data ->> 'version_id'))
  where data ->> 'resource_id' is not null;
create index tasks_pharmacy_order on clockwork.tasks ((data ->> 'order_id'))
  where step like 'pharmacy.order.%';

create table tracker.check_marks (
  run_id bigint not null references tracker.check_runs (id),
  order_id bigint not null references tracker.orders (id),
  primary key (run_id, order_id)
);
alter table tracker.check_marks enable row level security;
create index check_marks_order on tracker.check_marks (order_id);

comment on table tracker.check_marks is 'Our orders that a run met among the pharmacy''s open ones; the others are asked about one by one. Emptied when a run ends.';
comment on column tracker.check_marks.run_id is 'The run (tracker.check_runs).';
comment on column tracker.check_marks.order_id is 'The order (tracker.orders).';
