-- Purpose: the login's key, and what becomes of a key that its system gave up: merged into another, or deleted.
-- Touches: registry.customers, registry.former_keys.
-- Watch: a former key still leads to its customer, so that late news of it is nobody else's.

alter table registry.customers
  add column login_user_id uuid unique,
  add column merged_into bigint references registry.customers (id),
  add constraint a_merged_customer_has_no_keys check (
    merged_into is null or num_nonnulls(stripe_customer_id, health_patient_id, pharmacy_patient_id, crm_person_id, login_user_id) = 0),
  add constraint nobody_is_merged_into_themselves check (merged_into <> id);
create index customers_merged_into on registry.customers (merged_into);
create index customers_email on registry.customers (lower(email));

comment on column registry.customers.email is 'For people to recognise the customer by, and a hint when keys are linked; never proof. The CRM owns it.';
comment on column registry.customers.login_user_id is 'Supabase Auth: the user''s id.';
comment on column registry.customers.merged_into is 'Set when this row turned out to be the same person as another: that row has all the keys.';

create table registry.former_keys (
  id bigint generated always as identity primary key,
  customer_id bigint not null references registry.customers (id),
  system text not null,
  key text not null,
  why text not null,
  created_at timestamptz not null default clockwork.now(),
  constraint a_former_key_belongs_to_one_customer unique (system, key),
  constraint former_key_system_is_known check (system in ('stripe', 'health', 'pharmacy', 'crm', 'login')),
  constraint former_key_says_why check (why in ('merged', 'deleted', 'replaced'))
);
alter table registry.former_keys enable row level security;
create index former_keys_customer on registry.former_keys (customer_id);

comment on table registry.former_keys is 'Keys by which a system knew a customer once. Late news that names one still finds its customer.';
comment on column registry.former_keys.customer_id is 'Whose key it was (registry.customers).';
comment on column registry.former_keys.system is 'stripe, health, pharmacy, crm or login.';
comment on column registry.former_keys.key is 'The id in that system.';
comment on column registry.former_keys.why is 'merged (two became one there), deleted (there), or replaced (by a person here).';
