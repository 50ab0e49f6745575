-- Purpose: what became of each customer's first prescription of a product, so that nothing started is not nothing seen.
-- Touches: tracker.first_prescriptions, ops.prescribed_without_subscription.
-- Watch: keys and our own findings only. What a prescription says is the health record's, what a subscription does Stripe's.

create table tracker.first_prescriptions (
  customer_id bigint not null references registry.customers (id),
  product_id bigint not null references registry.products (id),
  finding text not null,
  prescription_id text not null,
  subscription_id text,
  looked_at timestamptz not null default clockwork.now(),
  primary key (customer_id, product_id),
  constraint first_prescription_finding_is_known
    check (finding in ('NO_PRICE', 'STARTING', 'STARTED', 'SUBSCRIBED', 'ENDED')),
  constraint only_a_subscribed_customer_has_a_subscription
    check ((finding in ('STARTED', 'SUBSCRIBED')) = (subscription_id is not null))
);
alter table tracker.first_prescriptions enable row level security;
create index first_prescriptions_product on tracker.first_prescriptions (product_id);

comment on table tracker.first_prescriptions is 'A row per customer and product that was prescribed: did a subscription begin? Read ops.prescribed_without_subscription instead.';
comment on column tracker.first_prescriptions.customer_id is 'Who has the prescription (registry.customers).';
comment on column tracker.first_prescriptions.product_id is 'What it is for (registry.products).';
comment on column tracker.first_prescriptions.finding is 'NO_PRICE: nothing says at which price. STARTING: a task is at it. STARTED: by us. SUBSCRIBED: there is or was a subscription already. ENDED: the prescription ended before one began.';
comment on column tracker.first_prescriptions.prescription_id is 'Health record: the MedicationRequest that was looked at last.';
comment on column tracker.first_prescriptions.subscription_id is 'Stripe: sub_…, the one that was started or found.';
comment on column tracker.first_prescriptions.looked_at is 'When it was looked at last.';

create view ops.prescribed_without_subscription with (security_invoker = on) as
select
  customers.email as customer,
  products.name as product,
  case
    when start.status = 'MANUAL_INTERVENTION' then start.reason
    when start.status in ('PENDING', 'QUEUED') then coalesce(start.reason, 'Its subscription is being started.')
    when firsts.finding = 'NO_PRICE'
      then 'The customer chose no price and the product has no default, so nothing is started. As it should be where the product is sold by Checkout.'
    when firsts.finding = 'ENDED' then 'The prescription ended before a subscription began.'
    when start.status = 'CANCELLED' then 'A person decided to leave it.'
    else 'Nothing is at it. To look again add a task with the step subscription.look.'
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
  -- What is open says more than what was left.
  order by tasks.status = 'CANCELLED', tasks.status = 'MANUAL_INTERVENTION' desc, tasks.id desc limit 1
) as start on true
where firsts.finding not in ('STARTED', 'SUBSCRIBED')
  -- Whoever subscribed by Checkout needs no start.
  and not exists (
    select from tracker.refills
    where refills.customer_id = firsts.customer_id and refills.product_id = firsts.product_id)
order by firsts.looked_at;

comment on view ops.prescribed_without_subscription is 'Customers with a prescription and no subscription for its product, and why. A prescription on file does not mean that the customer wants it filled.';
comment on column ops.prescribed_without_subscription.why is 'In plain words.';
comment on column ops.prescribed_without_subscription.since is 'When it was looked at last.';
comment on column ops.prescribed_without_subscription.task_id is 'The task that starts it or asks about it, if there is one.';
