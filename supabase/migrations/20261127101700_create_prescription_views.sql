-- Purpose: views for people: renewals, prescriptions that need somebody, and prescriptions without a subscription.
-- Touches: ops.renewals, ops.prescription_issues, ops.prescribed_without_subscription.
-- Watch: views only. Nothing is stored here.

create view ops.renewals with (security_invoker = on) as
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
left join lateral (
  select max(former.closed_at) as at from tracker.renewals as former
  where former.customer_id = refills.customer_id and former.product_id = refills.product_id
    and former.prescription_id = refills.prescription_id and former.closed_because = 'closed by a person'
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

comment on view ops.renewals is 'Every active refill, with the cause for its renewal or for none. Refills without a due day come first, then the earliest.';
comment on column ops.renewals.in_renewal is 'The state of its renewal: scheduled, contacted or lapsed. no: it has none.';
comment on column ops.renewals.why is 'The cause, in plain words.';
comment on column ops.renewals.covered_until is 'The first day without a fill.';
comment on column ops.renewals.customer_is_asked_on is 'When the campaign begins or began.';
comment on column ops.renewals.looked_at is 'When Stripe and the health record were last read.';
comment on column ops.renewals.last_fill_on is 'The first of three dates: the last remaining fill is used.';
comment on column ops.renewals.fillable_until is 'The second date: the last day on which the prescription may be filled, in the pharmacy''s zone.';
comment on column ops.renewals.drug_runs_out_on is 'The third date: the drug of the last fill is used up. The earliest end of the three is covered_until.';
comment on column ops.renewals.other_refills is 'The number of further refills of the customer for the same product.';

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
      when 'UNCLEAR' then 'unclear subscription'
    end as issue,
    findings.meaning || case when refills.finding = 'UNCLEAR'
      then coalesce(' It is active, but ' || refills.what || '.', '')
      else coalesce(' Missing or unclear: ' || refills.what || '.', '') end as what,
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
  select 'two subscriptions',
    format('%s more active subscription(s) of the customer for the same product. They use the same fills.', refills.other_refills),
    refills.looked_at, null, null, refills.subscription_id, refills.customer_id, refills.product_id
  from tracker.refills
  where refills.other_refills > 0 and refills.finding not in ('INACTIVE', 'PAUSED', 'ENDING')
  union all
  select 'two prescriptions',
    format('%s more active prescription(s) for the same product. The one that expires first is used first. If the others are a mistake, have them ended.', refills.other_prescriptions),
    refills.looked_at, null, null, refills.subscription_id, refills.customer_id, refills.product_id
  from tracker.refills
  -- After a renewal, the last fills of the old prescription are used beside the new one. That is right.
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

comment on view ops.prescription_issues is 'Refills and orders whose prescription needs somebody: none, expired, zero fills, wrong product, unknown dates, two at once, lapsed, or an order that waits.';
comment on column ops.prescription_issues.since is 'When the last look was. For an order, when it was paid for.';
comment on column ops.prescription_issues.task_id is 'The task that waits for the repair, if there is one.';

create view ops.prescribed_without_subscription with (security_invoker = on) as
select
  customers.email as customer,
  products.name as product,
  case
    when start.status = 'MANUAL_INTERVENTION' then start.reason
    when start.status in ('PENDING', 'QUEUED') then coalesce(start.reason, 'Its subscription is being started.')
    when firsts.finding = 'NO_PRICE'
      then 'The customer chose no price and the product has no default, so nothing is started. That is right for a product that is sold by Checkout.'
    when firsts.finding = 'ENDED' then 'The prescription ended before a subscription started.'
    when start.status = 'CANCELLED' then 'A person decided against a subscription.'
    else 'No task is under way. For a new look, add a task with the step subscription.look.'
  end as why,
  firsts.looked_at as since,
  case when start.status in ('PENDING', 'QUEUED', 'MANUAL_INTERVENTION') then start.task_id end as task_id,
  firsts.prescription_id,
  firsts.customer_id,
  firsts.product_id
from tracker.first_prescriptions as firsts
join registry.customers on customers.id = firsts.customer_id
join registry.products on products.id = firsts.product_id
left join lateral (
  select tasks.id as task_id, tasks.status, tasks.reason
  from clockwork.tasks
  where tasks.step = 'subscription.start' and tasks.data ->> 'customer_id' = firsts.customer_id::text
    and tasks.data ->> 'product_id' = firsts.product_id::text
    and tasks.status in ('PENDING', 'QUEUED', 'MANUAL_INTERVENTION', 'CANCELLED')
  -- An open task says more than a cancelled one.
  order by tasks.status = 'CANCELLED', tasks.status = 'MANUAL_INTERVENTION' desc, tasks.id desc limit 1
) as start on true
where firsts.finding not in ('STARTED', 'SUBSCRIBED')
  -- A subscription by Checkout needs no start.
  and not exists (
    select from tracker.refills
    where refills.customer_id = firsts.customer_id and refills.product_id = firsts.product_id)
order by firsts.looked_at;

comment on view ops.prescribed_without_subscription is 'Customers with a prescription and no subscription for its product, and the cause. A prescription on file does not mean that the customer wants it filled.';
comment on column ops.prescribed_without_subscription.why is 'The cause, in plain words.';
comment on column ops.prescribed_without_subscription.since is 'When the last look was.';
comment on column ops.prescribed_without_subscription.task_id is 'The task that starts the subscription or asks about it, if there is one.';
