-- Purpose: which price a first prescription begins with: what the customer chose, else the product's default.
-- Touches: registry.product_keys, registry.price_choices, registry.choose_price(), registry.customers (a trigger),
--   clockwork.settings, clockwork.tasks (an index).
-- Watch: a product without a default price, for a customer without a choice, starts nothing: it is sold by Checkout only.

alter table registry.product_keys
  add column is_default boolean not null default false,
  add constraint only_a_stripe_price_is_a_default check (system = 'stripe_price' or not is_default),
  add constraint a_default_price_pays_for_fills check (not is_default or fills_per_charge > 0),
  add constraint a_key_of_a_product unique (system, key, product_id);
create unique index one_default_price_a_product on registry.product_keys (product_id) where is_default;
comment on column registry.product_keys.is_default is 'Stripe prices only, one a product: the price of a customer who chose none. With it, a first prescription written from now on starts a subscription by itself. A product without one is sold by Checkout only.';

create table registry.price_choices (
  customer_id bigint not null references registry.customers (id),
  product_id bigint not null references registry.products (id),
  price text not null,
  system registry.key_system not null default 'stripe_price',
  chosen_at timestamptz not null default clockwork.now(),
  primary key (customer_id, product_id),
  constraint a_choice_is_of_a_stripe_price check (system = 'stripe_price'),
  constraint a_chosen_price_is_one_of_that_product foreign key (system, price, product_id)
    references registry.product_keys (system, key, product_id) on update cascade
);
alter table registry.price_choices enable row level security;
create index price_choices_product on registry.price_choices (product_id);
create index price_choices_price on registry.price_choices (system, price, product_id);

comment on table registry.price_choices is 'Which price a customer chose for a product at sign-up: their first prescription begins a subscription at it. It changes no subscription that exists.';
comment on column registry.price_choices.customer_id is 'Who chose (registry.customers).';
comment on column registry.price_choices.product_id is 'For which product (registry.products).';
comment on column registry.price_choices.price is 'Stripe: price_…, one of that product in registry.product_keys.';
comment on column registry.price_choices.system is 'Always stripe_price: it ties the price to registry.product_keys.';
comment on column registry.price_choices.chosen_at is 'When it was chosen last.';

create function registry.choose_price(customer bigint, price text) returns registry.price_choices
language plpgsql set search_path = ''
as $$
declare
  chosen registry.product_keys;
  result registry.price_choices;
begin
  select product_keys.* into chosen from registry.product_keys
  where product_keys.system = 'stripe_price' and product_keys.key = choose_price.price;
  if chosen.key is null then
    raise exception 'No product has the stripe_price %.', choose_price.price using errcode = 'foreign_key_violation';
  end if;
  if chosen.fills_per_charge = 0 then
    raise exception 'The stripe_price % pays for no fills, so no prescription can begin with it.', choose_price.price
      using errcode = 'check_violation';
  end if;
  insert into registry.price_choices (customer_id, product_id, price)
  values (choose_price.customer, chosen.product_id, choose_price.price)
  on conflict (customer_id, product_id) do update set price = excluded.price, chosen_at = clockwork.now()
  returning * into result;
  return result;
end
$$;
comment on function registry.choose_price(bigint, text) is 'For the company''s sign-up: the customer chose this Stripe price for its product. A later choice replaces it.';

alter table clockwork.settings
  add column subscription_wait interval not null default interval '15 minutes',
  add constraint subscription_wait_is_sane check (subscription_wait between interval '0' and interval '7 days');
comment on column clockwork.settings.subscription_wait is 'So long a first prescription waits before its subscription is started: a Checkout that is under way, or the prescriber''s correction, comes first.';

-- Each asks for the customer's prescriptions to be looked at (step subscription.look). One that is there already may
-- have read the row as it was before, so there is no looking whether one is.
create function registry.look_at_linked_patient() returns trigger
language plpgsql set search_path = ''
as $$
begin
  if exists (select from registry.product_keys where product_keys.is_default)
    or exists (select from registry.price_choices where price_choices.customer_id = new.id)
  then
    insert into clockwork.tasks (step, vendor, customer_id, data)
    values ('subscription.look', 'health', new.id, pg_catalog.jsonb_build_object('customer_id', new.id));
  end if;
  return null;
end
$$;
-- A prescription that came before the customer was linked is not forgotten, whoever links them.
create trigger look_at_linked_patient after insert on registry.customers
  for each row when (new.health_patient_id is not null)
  execute function registry.look_at_linked_patient();
create trigger look_at_relinked_patient after update of health_patient_id on registry.customers
  for each row when (new.health_patient_id is not null and new.health_patient_id is distinct from old.health_patient_id)
  execute function registry.look_at_linked_patient();

create function registry.look_at_chosen_price() returns trigger
language plpgsql set search_path = ''
as $$
begin
  insert into clockwork.tasks (step, vendor, customer_id, data)
  values ('subscription.look', 'health', new.customer_id, pg_catalog.jsonb_build_object('customer_id', new.customer_id));
  return null;
end
$$;
-- A choice may come after the prescription.
create trigger look_at_chosen_price after insert on registry.price_choices
  for each row execute function registry.look_at_chosen_price();
create trigger look_at_changed_choice after update of price on registry.price_choices
  for each row when (new.price is distinct from old.price) execute function registry.look_at_chosen_price();

create index tasks_first_prescription on clockwork.tasks (step, (data ->> 'customer_id'))
  where step in ('subscription.look', 'subscription.start');
