-- Purpose: a renewal ends by a prescription, never by a date that moved, and one that a person stopped stays stopped.
-- Touches: tracker.renewals, tracker.renewal_states, tracker.renewal_moves, tracker.guard_renewal(), ops.renewals.
-- Watch: opened_under is a mark, written once and compared with; no code and no view reads it as a prescription's terms.

alter table tracker.renewals
  add column opened_under jsonb not null default '{}',
  add column reminders_before integer not null default 0,
  add column closed_by text;

-- Of a renewal that was opened before, only the prescription is known: without limits, so that only another one renews it.
-- Its author is told by the machinery's own sentences.
update tracker.renewals set
  opened_under = jsonb_build_object(renewals.prescription_id, '{}'::jsonb),
  closed_by = case
    when renewals.closed_at is null then null
    when renewals.closed_because like any (array['the customer ended the subscription',
      'the subscription is for another product', 'a new prescription covers it%', 'the prescription covers it until % again'])
      then 'clockwork:drain'
    else 'table editor'
  end;

alter table tracker.renewals
  add constraint opened_under_is_by_prescription check (jsonb_typeof(opened_under) = 'object'),
  add constraint reminders_before_were_sent check (reminders_before between 0 and reminders),
  add constraint only_a_closed_renewal_says_by_whom check (closed_by is null or closed_at is not null);

comment on table tracker.renewals is 'A row per prescription and cycle that must be renewed, with its dates and mails. To end a renewal, set state to CANCELLED. It stays ended until its due day.';
comment on column tracker.renewals.opened_under is 'For comparison only: the fills and the last day of the product''s prescriptions when the renewal was opened. It never changes, so it says nothing about today.';
comment on column tracker.renewals.reminders_before is 'The number of reminders about a former due day, before a pause or an early refill put it off.';
comment on column tracker.renewals.closed_by is 'The author of the closing: clockwork:<part> for the machinery, otherwise a person.';

update tracker.renewal_states set meaning = 'a prescription covers the refill: a new one, or one that got fills or time'
where renewal_states.state = 'RENEWED';
update tracker.renewal_states set meaning = 'the customer ended the subscription, or a person ended the renewal'
where renewal_states.state = 'CANCELLED';

-- A lapse can end without a prescription: a fill comes back, or another refill of the product ends.
insert into tracker.renewal_moves (from_state, to_state) values ('LAPSED', 'CONTACTED'), ('LAPSED', 'SCHEDULED');

create or replace function tracker.guard_renewal() returns trigger
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
  if (new.product_id, new.prescription_id, new.cycle, new.opened_under)
      is distinct from (old.product_id, old.prescription_id, old.cycle, old.opened_under)
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
    -- The author tells a person's stop, not the words.
    new.closed_by := case when old.closed_at is null then clockwork.actor() else old.closed_by end;
    new.next_on := null;
  end if;
  return new;
end
$$;

create or replace view ops.renewals with (security_invoker = on) as
select
  customers.email as customer,
  products.name as product,
  case when renewals.id is null then 'no' else lower(renewals.state) end as in_renewal,
  case
    when renewals.state = 'SCHEDULED' and refills.finding = 'PAUSED'
      then 'The customer paused it, so nobody is asked. The renewal goes on when the customer resumes.'
    when renewals.state = 'CONTACTED' and refills.finding = 'PAUSED'
      then format('The customer was asked on %s and has paused since. Nothing is sent until the customer resumes.', days.contacted_on)
    when renewals.id is not null and refills.finding = 'UNKNOWN_STATUS'
      then findings.meaning || ' Nothing is sent until a person has resolved it.'
    when renewals.state = 'SCHEDULED'
      then format('%s Without a new one, the refills end on %s. The customer is asked on %s.', findings.meaning, days.renewal_due_on, days.renewal_starts_on)
    when renewals.state = 'CONTACTED'
      then format('The customer was asked on %s and reminded %s times. Without a new prescription, the refills end on %s.',
        days.contacted_on, renewals.reminders, days.renewal_due_on)
    when renewals.state = 'LAPSED'
      then format('It was not renewed by %s.%s A person is asked.', days.renewal_due_on,
        case when renewals.billing_paused_at is not null then ' Billing is paused.' else '' end)
    when refills.finding = 'COVERED'
      then format('%s It lasts until %s. The customer is asked on %s.', findings.meaning, days.covered_until, days.starts_on)
    when refills.finding in ('EXPIRES', 'RUNS_OUT', 'NO_FILLS_LEFT', 'EXPIRED') and stopped.at is not null and refills.due_on > clockwork.now()
      then format('%s It lasts until %s. A person cancelled its renewal on %s. The renewal opens again on its due day, unless a new prescription is written.',
        findings.meaning, days.covered_until, days.stopped_on)
    when refills.finding in ('EXPIRES', 'RUNS_OUT')
      then format('%s It lasts until %s. Its renewal opens by itself.', findings.meaning, days.covered_until)
    when refills.finding = 'UNCLEAR' then findings.meaning || coalesce(' The subscription is active, but ' || refills.what || '.', '')
    else findings.meaning || coalesce(' Missing or unclear: ' || refills.what || '.', '')
  end as why,
  days.covered_until,
  coalesce(days.renewal_starts_on, days.starts_on) as customer_is_asked_on,
  renewals.contacted_at,
  renewals.reminders,
  renewals.lapsed_at,
  renewals.billing_paused_at,
  refills.looked_at,
  refills.finding,
  renewals.id as renewal_id,
  refills.subscription_id,
  refills.customer_id,
  refills.product_id,
  days.last_fill_on,
  days.fillable_until,
  days.drug_runs_out_on,
  refills.other_refills
from tracker.refills
join tracker.refill_findings as findings on findings.finding = refills.finding
cross join clockwork.settings
left join registry.customers on customers.id = refills.customer_id
left join registry.products on products.id = refills.product_id
-- One renewal serves all of a customer's refills of the product.
left join tracker.renewals on renewals.customer_id = refills.customer_id and renewals.product_id = refills.product_id
  and renewals.closed_at is null
-- The last renewal, where a person closed it.
left join lateral (
  select case when former.closed_by not like 'clockwork:%' then former.closed_at end as at from tracker.renewals as former
  where former.customer_id = refills.customer_id and former.product_id = refills.product_id
  order by former.id desc limit 1
) as stopped on true
-- A day belongs to the pharmacy's zone.
cross join lateral (
  select
    (refills.due_on at time zone settings.pharmacy_time_zone)::date as covered_until,
    (refills.start_on at time zone settings.pharmacy_time_zone)::date as starts_on,
    (renewals.due_on at time zone settings.pharmacy_time_zone)::date as renewal_due_on,
    (renewals.start_on at time zone settings.pharmacy_time_zone)::date as renewal_starts_on,
    (renewals.contacted_at at time zone settings.pharmacy_time_zone)::date as contacted_on,
    (stopped.at at time zone settings.pharmacy_time_zone)::date as stopped_on,
    (refills.last_fill_on at time zone settings.pharmacy_time_zone)::date as last_fill_on,
    (refills.fillable_until at time zone settings.pharmacy_time_zone)::date as fillable_until,
    (refills.runs_out_on at time zone settings.pharmacy_time_zone)::date as drug_runs_out_on
) as days
where refills.finding <> 'INACTIVE'
order by refills.due_on nulls first;
