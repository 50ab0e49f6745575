-- Purpose: a row per queue: its rate, its pause, and the drain that works on it.
-- Touches: clockwork.vendors.
-- Watch: a pause that ends early wakes the tasks that met it. That trigger is beside clockwork.tasks.

create table clockwork.vendors (
  vendor text primary key,
  paused_until timestamptz,
  paused_reason text,
  rate_per_second numeric not null,
  concurrency integer not null,
  retry_limit integer not null default 20,
  retry_delay_seconds integer not null default 5,
  retry_delay_max_seconds integer not null default 1800,
  failures_in_a_row integer not null default 0,
  last_success_at timestamptz,
  last_failure_at timestamptz,
  leased_by uuid,
  leased_until timestamptz,
  constraint a_pause_says_why check (paused_until is null or paused_reason is not null),
  constraint a_lease_has_an_end check ((leased_by is null) = (leased_until is null)),
  constraint rate_is_positive check (rate_per_second > 0),
  constraint concurrency_is_positive check (concurrency between 1 and 100),
  constraint retry_limit_is_sane check (retry_limit between 0 and 1000),
  constraint retry_delays_are_sane check (retry_delay_seconds between 1 and 86400 and retry_delay_max_seconds between retry_delay_seconds and 86400)
);
alter table clockwork.vendors enable row level security;

comment on table clockwork.vendors is 'A row per queue. To hold a vendor''s work, set paused_until and paused_reason. To go on, clear paused_until.';
comment on column clockwork.vendors.vendor is 'stripe, health (the health record), pharmacy, crm, login (Supabase Auth), or internal (work that calls nobody).';
comment on column clockwork.vendors.paused_until is 'No task of this queue runs before this moment. The vendor''s Retry-After, failures in a row, or a person sets it.';
comment on column clockwork.vendors.paused_reason is 'The cause of the pause, in plain words.';
comment on column clockwork.vendors.rate_per_second is 'The most requests a second. Keep it below the vendor''s limit.';
comment on column clockwork.vendors.concurrency is 'The most tasks of this queue that run at once.';
comment on column clockwork.vendors.retry_limit is 'The tries after the first one, before a task stops for a person. 20 tries take about 7 hours.';
comment on column clockwork.vendors.retry_delay_seconds is 'The wait before the second try. Each further wait is twice as long.';
comment on column clockwork.vendors.retry_delay_max_seconds is 'The longest wait between two tries.';
comment on column clockwork.vendors.failures_in_a_row is 'Failed calls since the last success.';
comment on column clockwork.vendors.last_success_at is 'When the vendor last replied to a call.';
comment on column clockwork.vendors.last_failure_at is 'When the vendor last did not reply, or asked us to slow down.';
comment on column clockwork.vendors.leased_by is 'The drain that works on this queue now.';
comment on column clockwork.vendors.leased_until is 'When that drain''s lease ends by itself.';

-- A person sets and ends a pause by editing one cell.
create function clockwork.guard_vendor() returns trigger
language plpgsql set search_path = ''
as $$
begin
  if new.paused_until is null then
    new.paused_reason := null;
  else
    new.paused_reason := coalesce(new.paused_reason, 'paused by a person');
  end if;
  return new;
end
$$;
create trigger guard_vendor before insert or update on clockwork.vendors
  for each row execute function clockwork.guard_vendor();
create trigger refuse_delete before delete on clockwork.vendors
  for each statement execute function clockwork.refuse_removal('To hold a vendor''s work, set paused_until.');
create trigger refuse_truncate before truncate on clockwork.vendors
  for each statement execute function clockwork.refuse_removal('To hold a vendor''s work, set paused_until.');

insert into clockwork.vendors (vendor, rate_per_second, concurrency) values
  ('stripe', 20, 8),
  ('health', 50, 8),
  ('pharmacy', 10, 4),
  ('crm', 50, 8),
  ('login', 10, 2),
  ('internal', 1000, 8);
