-- Purpose: the keys by which each system knows a customer and a product. Nothing else about them is kept.
-- Touches: registry.customers, registry.products, registry.product_keys.

create table registry.customers (
  id bigint generated always as identity primary key,
  email text,
  stripe_customer_id text unique,
  health_patient_id text unique,
  pharmacy_patient_id text unique,
  crm_person_id text unique,
  created_at timestamptz not null default clockwork.now()
);
alter table registry.customers enable row level security;

comment on table registry.customers is 'A row per customer: the keys of each system. Addresses, prescriptions and payments live with their owners.';
comment on column registry.customers.email is 'For people to recognise the customer by. The CRM owns it.';
comment on column registry.customers.stripe_customer_id is 'Stripe: cus_…';
comment on column registry.customers.health_patient_id is 'Health record: the id of the FHIR Patient.';
comment on column registry.customers.pharmacy_patient_id is 'Pharmacy: pat_…';
comment on column registry.customers.crm_person_id is 'CRM: the person''s id.';

create type registry.product_status as enum ('active', 'retired');

create table registry.products (
  id bigint generated always as identity primary key,
  name text not null unique,
  status registry.product_status not null default 'active',
  created_at timestamptz not null default clockwork.now()
);
alter table registry.products enable row level security;

comment on table registry.products is 'What the company sells. Its keys in the other systems are in product_keys.';
comment on column registry.products.name is 'Our own name for it. Never sent to Stripe or the CRM.';

comment on column registry.products.status is 'active, or retired: no longer sold.';

create type registry.key_system as enum ('stripe_price', 'rxnorm', 'pharmacy_treatment', 'crm');

create table registry.product_keys (
  system registry.key_system not null,
  key text not null,
  product_id bigint not null references registry.products (id),
  fills_per_charge integer,
  created_at timestamptz not null default clockwork.now(),
  primary key (system, key),
  constraint a_stripe_price_says_how_many_fills_it_pays_for
    check ((system = 'stripe_price') = (fills_per_charge is not null)),
  constraint fills_per_charge_is_not_negative check (fills_per_charge >= 0)
);
alter table registry.product_keys enable row level security;
create index product_keys_product on registry.product_keys (product_id);

comment on table registry.product_keys is 'Which product a Stripe price, an RxNorm code or a pharmacy treatment stands for.';
comment on column registry.product_keys.system is 'Whose id the key is.';
comment on column registry.product_keys.product_id is 'The product it stands for (registry.products).';
comment on column registry.product_keys.key is 'The other system''s id: price_…, an RxNorm code, a treatment id.';
comment on column registry.product_keys.fills_per_charge is 'Stripe prices only: the fills one charge of one unit pays for. 0 for what is not shipped.';
