-- Purpose: what is no longer sold, and what it is replaced by.
-- Touches: registry.products, registry.product_keys.
-- Watch: retired means no new subscriptions. What is paid for under a retired key still ships, and its prescriptions still count.

alter table registry.products
  add column replaced_by bigint references registry.products (id),
  add constraint only_a_retired_product_is_replaced check (replaced_by is null or status = 'retired'),
  add constraint no_product_replaces_itself check (replaced_by <> id);
create index products_replaced_by on registry.products (replaced_by);

comment on column registry.products.status is 'active, or retired: no longer sold. Those who are subscribed to it are still served.';
comment on column registry.products.replaced_by is 'The product that is sold in its place (registry.products). Nobody is moved to it: another medicine needs another prescription.';

alter table registry.product_keys
  add column status registry.product_status not null default 'active',
  add column replaced_by text,
  add constraint a_key_is_replaced_by_one_of_its_system
    foreign key (system, replaced_by) references registry.product_keys (system, key),
  add constraint only_a_retired_key_is_replaced check (replaced_by is null or status = 'retired'),
  add constraint no_key_replaces_itself check (replaced_by <> key);
create index product_keys_replaced_by on registry.product_keys (system, replaced_by);

comment on column registry.product_keys.status is 'active, or retired: not for new subscriptions. What is paid for under it still ships.';
comment on column registry.product_keys.replaced_by is 'The key of the same system and product that is used in its place. npm run product:retire sets it for Stripe prices and moves the subscribers.';

-- Walks on from what replaces the row, and locks what it comes by, so that two edits at once cannot close a circle.
create function registry.guard_replaced_key() returns trigger
language plpgsql set search_path = ''
as $$
declare
  next_key text := new.replaced_by;
  next_product bigint;
begin
  while next_key is not null loop
    if next_key = new.key then
      raise exception 'The % % would replace itself in the end: follow replaced_by from % on.', new.system, new.key, new.replaced_by
        using errcode = 'check_violation';
    end if;
    select product_keys.product_id, product_keys.replaced_by into next_product, next_key
    from registry.product_keys
    where product_keys.system = new.system and product_keys.key = next_key
    for update;
    exit when not found;
    if next_product <> new.product_id then
      raise exception 'The % % cannot be replaced by a key of another product: another medicine needs another prescription.', new.system, new.key
        using errcode = 'check_violation';
    end if;
  end loop;
  return new;
end
$$;
create trigger guard_replaced_key before insert or update of replaced_by, product_id, key, system on registry.product_keys
  for each row when (new.replaced_by is not null)
  execute function registry.guard_replaced_key();

-- The key that replaces another one cannot move to another product either.
create function registry.guard_replacing_key() returns trigger
language plpgsql set search_path = ''
as $$
begin
  if exists (
    select from registry.product_keys
    where product_keys.system = new.system and product_keys.replaced_by = new.key and product_keys.product_id <> new.product_id
  ) then
    raise exception 'The % % replaces a key of its product, so it cannot be moved to another product.', new.system, new.key
      using errcode = 'check_violation';
  end if;
  return new;
end
$$;
create trigger guard_replacing_key before update of product_id on registry.product_keys
  for each row when (new.product_id <> old.product_id)
  execute function registry.guard_replacing_key();

create function registry.guard_replaced_product() returns trigger
language plpgsql set search_path = ''
as $$
declare
  next_id bigint := new.replaced_by;
begin
  while next_id is not null loop
    if next_id = new.id then
      raise exception 'The product % would replace itself in the end: follow replaced_by from % on.', new.id, new.replaced_by
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
