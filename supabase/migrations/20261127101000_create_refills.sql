-- Purpose: the last look at each active refill, and at each customer's first prescription of a product. A first
--   prescription that started nothing has a row too.
-- Touches: tracker.refill_findings, tracker.refills, tracker.first_prescriptions.
-- Watch: keys, findings and forecasts of our own, as of looked_at. The health record owns prescriptions and Stripe owns
--   subscriptions. Both are read anew each time.

create table tracker.refill_findings (
  finding text primary key,
  is_issue boolean not null,
  meaning text not null
);
alter table tracker.refill_findings enable row level security;

comment on table tracker.refill_findings is 'The findings of a look at a refill.';

create trigger refuse_delete before delete on tracker.refill_findings
  for each statement execute function clockwork.refuse_removal('Refills name these findings.');
create trigger refuse_truncate before truncate on tracker.refill_findings
  for each statement execute function clockwork.refuse_removal('Refills name these findings.');

insert into tracker.refill_findings (finding, is_issue, meaning) values
  ('COVERED', false, 'A valid prescription covers it.'),
  ('EXPIRES', false, 'Its prescription expires soon.'),
  ('RUNS_OUT', false, 'The fills of its prescription will be used up soon.'),
  ('NO_FILLS_LEFT', true, 'Its prescription has zero fills left.'),
  ('EXPIRED', true, 'Its prescription has expired.'),
  ('NO_PRESCRIPTION', true, 'There is no active prescription on file.'),
  ('WRONG_PRODUCT', true, 'There are prescriptions on file, but none for this product.'),
  ('DATES_UNKNOWN', true, 'A prescription is on file, but its expiry, its fills or its days'' supply are missing or unclear.'),
  ('PAUSED', false, 'The customer paused it.'),
  ('PAUSED_FOR_RENEWAL', true, 'The prescription lapsed, so billing is paused until it is renewed.'),
  ('ENDING', false, 'The customer cancelled it; it ends with the period that is paid for.'),
  ('INACTIVE', false, 'It is not active at Stripe.'),
  ('UNKNOWN_STATUS', true, 'Stripe gives it a status that Clockwork does not know.'),
  ('UNCLEAR', true, 'Its refills or their days are unknown.'),
  ('UNKNOWN_PRODUCT', true, 'Its price belongs to no product.'),
  ('UNKNOWN_CUSTOMER', true, 'Its customer is not in the registry, or has no patient in the health record.');

create table tracker.refills (
  subscription_item_id text primary key,
  subscription_id text not null,
  customer_id bigint references registry.customers (id),
  product_id bigint references registry.products (id),
  prescription_id text,
  finding text not null references tracker.refill_findings (finding),
  what text,
  other_prescriptions integer not null default 0,
  due_on timestamptz,
  start_on timestamptz,
  looked_at timestamptz not null default clockwork.now(),
  last_fill_on timestamptz,
  fillable_until timestamptz,
  runs_out_on timestamptz,
  other_refills integer not null default 0,
  constraint a_campaign_starts_before_it_is_due check (start_on <= due_on),
  constraint a_covered_refill_knows_until_when check (finding not in ('COVERED', 'EXPIRES', 'RUNS_OUT') or due_on is not null)
);
alter table tracker.refills enable row level security;
create index refills_subscription on tracker.refills (subscription_id);
create index refills_customer on tracker.refills (customer_id);
create index refills_product on tracker.refills (product_id);
create index refills_finding on tracker.refills (finding);

comment on table tracker.refills is 'A row per active refill: the finding of the last look at it, and our own dates. Read ops.renewals instead.';
comment on column tracker.refills.subscription_item_id is 'Stripe: si_…';
comment on column tracker.refills.subscription_id is 'Stripe: sub_…';
comment on column tracker.refills.customer_id is 'The customer of the refill (registry.customers).';
comment on column tracker.refills.product_id is 'The product of the refill (registry.products).';
comment on column tracker.refills.prescription_id is 'The prescription that covers the refill longest, or the last one that did (health record).';
comment on column tracker.refills.finding is 'The finding of the last look (tracker.refill_findings).';
comment on column tracker.refills.what is 'The thing that is missing or unclear, if there is one.';
comment on column tracker.refills.other_prescriptions is 'The number of further active prescriptions for the same product.';
comment on column tracker.refills.due_on is 'The first day without a fill. The prescription must be renewed before it.';
comment on column tracker.refills.start_on is 'When the customer is asked to renew: due_on less the product''s lead time.';
comment on column tracker.refills.looked_at is 'When the owners were last read.';
comment on column tracker.refills.last_fill_on is 'The day on which the last remaining fill will be used, or was used.';
comment on column tracker.refills.fillable_until is 'The last moment at which the prescription may be filled, by the health record as of looked_at.';
comment on column tracker.refills.runs_out_on is 'When the drug of the last fill is used up.';
comment on column tracker.refills.other_refills is 'The number of further active refills of the customer for the same product. They use the same fills.';

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

comment on table tracker.first_prescriptions is 'A row per customer and prescribed product: did a subscription start? Read ops.prescribed_without_subscription instead.';
comment on column tracker.first_prescriptions.customer_id is 'The customer with the prescription (registry.customers).';
comment on column tracker.first_prescriptions.product_id is 'The product of the prescription (registry.products).';
comment on column tracker.first_prescriptions.finding is 'NO_PRICE: there is no price to start at. STARTING: a task starts it. STARTED: started by us. SUBSCRIBED: there is or was a subscription already. ENDED: the prescription ended before a start.';
comment on column tracker.first_prescriptions.prescription_id is 'Health record: the MedicationRequest of the last look.';
comment on column tracker.first_prescriptions.subscription_id is 'Stripe: sub_…, the subscription that was started or found.';
comment on column tracker.first_prescriptions.looked_at is 'When the last look was.';
