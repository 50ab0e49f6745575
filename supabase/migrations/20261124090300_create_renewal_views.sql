-- Purpose: what people look at: renewals, and prescriptions that need somebody.
-- Touches: ops.renewals, ops.prescription_issues.

create view ops.renewals with (security_invoker = on) as
select
  customers.email as customer,
  products.name as product,
  case when renewals.id is null then 'no' else lower(renewals.state) end as in_renewal,
  case
    when renewals.state = 'SCHEDULED' and refills.finding = 'PAUSED'
      then 'The customer paused it, so nobody is asked. The renewal goes on when the customer resumes.'
    when renewals.state = 'CONTACTED' and refills.finding = 'PAUSED'
      then format('The customer was asked on %s and paused since; nothing is sent until it is resumed.', renewals.contacted_at::date)
    when renewals.state = 'SCHEDULED'
      then format('%s Without a new one the refills end on %s; the customer is asked on %s.', findings.meaning, renewals.due_on::date, renewals.start_on::date)
    when renewals.state = 'CONTACTED'
      then format('The customer was asked on %s and reminded %s times. Without a new prescription the refills end on %s.',
        renewals.contacted_at::date, renewals.reminders, renewals.due_on::date)
    when renewals.state = 'LAPSED'
      then format('Not renewed by %s.%s A person sees to it.', renewals.due_on::date,
        case when renewals.billing_paused_at is not null then ' Billing is paused.' else '' end)
    when refills.finding = 'COVERED'
      then format('%s It lasts until %s; the customer is asked on %s.', findings.meaning, refills.due_on::date, refills.start_on::date)
    when refills.finding in ('EXPIRES', 'RUNS_OUT')
      then format('%s It lasts until %s; its renewal opens by itself.', findings.meaning, refills.due_on::date)
    else findings.meaning || coalesce(' Missing or unclear: ' || refills.what || '.', '')
  end as why,
  refills.due_on::date as covered_until,
  coalesce(renewals.start_on, refills.start_on)::date as customer_is_asked_on,
  renewals.contacted_at,
  renewals.reminders,
  renewals.lapsed_at,
  renewals.billing_paused_at,
  refills.looked_at,
  refills.finding,
  renewals.id as renewal_id,
  refills.subscription_id,
  refills.customer_id,
  refills.product_id
from tracker.refills
join tracker.refill_findings as findings on findings.finding = refills.finding
left join registry.customers on customers.id = refills.customer_id
left join registry.products on products.id = refills.product_id
left join tracker.renewals on renewals.customer_id = refills.customer_id and renewals.product_id = refills.product_id
  and renewals.subscription_item_id = refills.subscription_item_id and renewals.closed_at is null
where refills.finding <> 'INACTIVE'
order by refills.due_on nulls first;

comment on view ops.renewals is 'Every active refill, and why it is or is not in renewal. First what has no date, then what ends soonest.';
comment on column ops.renewals.in_renewal is 'no, or where its renewal stands: scheduled, contacted, lapsed.';
comment on column ops.renewals.why is 'In plain words.';
comment on column ops.renewals.covered_until is 'The first day without a fill.';
comment on column ops.renewals.customer_is_asked_on is 'When the campaign starts or started.';
comment on column ops.renewals.looked_at is 'When Stripe and the health record were asked.';

create view ops.prescription_issues with (security_invoker = on) as
select issues.issue, issues.what, customers.email as customer, products.name as product, issues.since,
  issues.task_id, issues.order_id, issues.subscription_id, issues.customer_id, issues.product_id
from (
  select
    case refills.finding
      when 'NO_PRESCRIPTION' then 'no prescription'
      when 'EXPIRED' then 'expired'
      when 'NO_FILLS_LEFT' then 'zero fills'
      when 'WRONG_PRODUCT' then 'wrong product'
      when 'DATES_UNKNOWN' then 'unknown dates'
      when 'PAUSED_FOR_RENEWAL' then 'lapsed'
      when 'UNKNOWN_STATUS' then 'unknown status'
      when 'UNKNOWN_PRODUCT' then 'unknown product'
      when 'UNKNOWN_CUSTOMER' then 'unknown customer'
    end as issue,
    findings.meaning || coalesce(' Missing or unclear: ' || refills.what || '.', '') as what,
    refills.looked_at as since, asked.task_id, null::bigint as order_id,
    refills.subscription_id, refills.customer_id, refills.product_id
  from tracker.refills
  join tracker.refill_findings as findings on findings.finding = refills.finding and findings.is_issue
  left join lateral (
    select min(tasks.id) as task_id from clockwork.tasks
    where tasks.step = 'renewal.check' and tasks.status = 'MANUAL_INTERVENTION'
      and tasks.data ->> 'subscription_id' = refills.subscription_id
  ) as asked on true
  union all
  select 'two prescriptions',
    format('%s more active prescription(s) for the same product. The one that expires first is used first; have the others ended if they are a mistake.', refills.other_prescriptions),
    refills.looked_at, null, null, refills.subscription_id, refills.customer_id, refills.product_id
  from tracker.refills
  -- After a renewal the old one's last fills are used beside the new one: that is as it should be.
  where refills.other_prescriptions > 0 and refills.finding <> 'INACTIVE'
    and not exists (
      select from tracker.renewals
      where renewals.customer_id = refills.customer_id and renewals.product_id = refills.product_id
        and renewals.state = 'RENEWED' and renewals.closed_at > clockwork.now() - interval '180 days')
  union all
  select 'waiting order', coalesce(waits.reason, 'Paid for, but there is no valid prescription.'), orders.created_at, waits.task_id,
    orders.id, orders.subscription_id, orders.customer_id, orders.product_id
  from tracker.orders
  left join lateral (
    select tasks.id as task_id, tasks.reason from clockwork.tasks
    where tasks.step = 'order.place' and tasks.status in ('PENDING', 'QUEUED', 'MANUAL_INTERVENTION')
      and tasks.data ->> 'order_id' = orders.id::text
    order by tasks.id desc limit 1
  ) as waits on true
  where orders.state = 'AWAITING_PRESCRIPTION' and orders.cancel_requested_at is null
) as issues
left join registry.customers on customers.id = issues.customer_id
left join registry.products on products.id = issues.product_id
order by issues.since;

comment on view ops.prescription_issues is 'Refills and orders whose prescription needs somebody: none, expired, zero fills, wrong product, unknown dates, two at once, lapsed, orders that wait.';
comment on column ops.prescription_issues.since is 'When it was last looked at; for an order, when it was paid for.';
comment on column ops.prescription_issues.task_id is 'The task that waits for it, if there is one.';
