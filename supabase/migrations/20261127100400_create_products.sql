-- Purpose: the products of the company, and the keys by which each system knows them. Nothing else about them is kept.
-- Touches: registry.products, registry.product_keys.
-- Watch: retired means no new subscriptions. Fills that are paid for under a retired key still ship, and its
--   prescriptions still count.

create type registry.product_status as enum ('active', 'retired');
create type registry.key_system as enum ('stripe_price', 'rxnorm', 'pharmacy_treatment', 'crm');

create table registry.products (
  id bigint generated always as identity primary key,
  name text not null unique,
  status registry.product_status not null default 'active',
  created_at timestamptz not null default clockwork.now(),
  renewal_lead_days integer not null default 30,
  replaced_by bigint references registry.products (id),
  constraint renewal_lead_is_sane check (renewal_lead_days between 1 and 180),
  constraint only_a_retired_product_is_replaced check (replaced_by is null or status = 'retired'),
  constraint no_product_replaces_itself check (replaced_by <> id)
);
alter table registry.products enable row level security;
create index products_replaced_by on registry.products (replaced_by);

comment on table registry.products is 'The products of the company. Their keys in the other systems are in product_keys.';
comment on column registry.products.name is 'Our own name for the product. It is never sent to Stripe or the CRM.';
comment on column registry.products.status is 'active, or retired: no longer sold. Its subscribers still get their refills.';
comment on column registry.products.renewal_lead_days is 'The lead time: the days between the first mail of a renewal and the due day.';
comment on column registry.products.replaced_by is 'The product that is sold in its place (registry.products). Nobody is moved to it, because another medicine needs another prescription.';

-- Each guard of replaced_by follows the chain of replacements and locks each row of it. Two edits at once cannot close a
-- circle.
create function registry.guard_replaced_product() returns trigger
language plpgsql set search_path = ''
as $$
declare
  next_id bigint := new.replaced_by;
begin
  while next_id is not null loop
    if next_id = new.id then
      raise exception 'The product % would replace itself in the end. Follow replaced_by from % on.', new.id, new.replaced_by
        using errcode = 'check_violation';
    end if;
    select products.replaced_by into next_id from registry.products where products.id = next_id for update;
    exit when not found;
  end loop;
  return new;
end
$$;
create trigger guard_replaced_product before insert or update of replaced_by on registry.products
  for each row when (new.replaced_by is not null)
  execute function registry.guard_replaced_product();

create table registry.product_keys (
  system registry.key_system not null,
  key text not null,
  product_id bigint not null references registry.products (id),
  fills_per_charge integer,
  created_at timestamptz not null default clockwork.now(),
  status registry.product_status not null default 'active',
  replaced_by text,
  is_default boolean not null default false,
  primary key (system, key),
  constraint a_key_of_a_product unique (system, key, product_id),
  constraint a_key_is_replaced_by_one_of_its_system
    foreign key (system, replaced_by) references registry.product_keys (system, key),
  constraint a_stripe_price_says_how_many_fills_it_pays_for
    check ((system = 'stripe_price') = (fills_per_charge is not null)),
  constraint fills_per_charge_is_not_negative check (fills_per_charge >= 0),
  constraint only_a_retired_key_is_replaced check (replaced_by is null or status = 'retired'),
  constraint no_key_replaces_itself check (replaced_by <> key),
  constraint only_a_stripe_price_is_a_default check (system = 'stripe_price' or not is_default),
  constraint a_default_price_pays_for_fills check (not is_default or fills_per_charge > 0)
);
alter table registry.product_keys enable row level security;
create index product_keys_product on registry.product_keys (product_id);
create index product_keys_replaced_by on registry.product_keys (system, replaced_by);
create unique index one_default_price_a_product on registry.product_keys (product_id) where is_default;

comment on table registry.product_keys is 'The product of each Stripe price, RxNorm code, pharmacy treatment and CRM key.';
comment on column registry.product_keys.system is 'The system whose id the key is: stripe_price, rxnorm, pharmacy_treatment or crm.';
comment on column registry.product_keys.key is 'The id in that system: price_…, an RxNorm code, a treatment id.';
comment on column registry.product_keys.product_id is 'The product of the key (registry.products).';
comment on column registry.product_keys.fills_per_charge is 'Stripe prices only: the fills that one charge of one unit pays for. 0 if nothing is shipped for it.';
comment on column registry.product_keys.status is 'active, or retired: not for new subscriptions. Fills that are paid for under it still ship.';
comment on column registry.product_keys.replaced_by is 'The key of the same system and product that is used in its place. For Stripe prices, npm run product:retire sets it and moves the subscribers.';
comment on column registry.product_keys.is_default is 'Stripe prices only, one a product: the price of a customer who chose none. With a default, each first prescription from now on starts a subscription by itself. A product without one is sold by Checkout only.';

create function registry.guard_replaced_key() returns trigger
language plpgsql set search_path = ''
as $$
declare
  next_key text := new.replaced_by;
  next_product bigint;
begin
  while next_key is not null loop
    if next_key = new.key then
      raise exception 'The % % would replace itself in the end. Follow replaced_by from % on.', new.system, new.key, new.replaced_by
        using errcode = 'check_violation';
    end if;
    select product_keys.product_id, product_keys.replaced_by into next_product, next_key
    from registry.product_keys
    where product_keys.system = new.system and product_keys.key = next_key
    for update;
    exit when not found;
    if next_product <> new.product_id then
      raise exception 'The % % cannot be replaced by a key of another product, because another medicine needs another prescription.', new.system, new.key
        using errcode = 'check_violation';
    end if;
  end loop;
  return new;
end
$$;
create trigger guard_replaced_key before insert or update of replaced_by, product_id, key, system on registry.product_keys
  for each row when (new.replaced_by is not null)
  execute function registry.guard_replaced_key();

-- The key that replaces another one cannot get another product either.
create function registry.guard_replacing_key() returns trigger
language plpgsql set search_path = ''
as $$
begin
  if exists (
    select from registry.product_keys
    where product_keys.system = new.system and product_keys.replaced_by = new.key and product_keys.product_id <> new.product_id
  ) then
    raise exception 'The % % replaces a key of its product, so it cannot get another product.', new.system, new.key
      using errcode = 'check_violation';
  end if;
  return new;
end
$$;
create trigger guard_replacing_key before update of product_id on registry.product_keys
  for each row when (new.product_id <> old.product_id)
  execute function registry.guard_replacing_key();
