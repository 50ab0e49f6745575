-- Purpose: how the company's own sign-up makes a customer known, and adds the keys of each system as they come to be.
-- Touches: registry.register_customer().
-- Watch: an email never finds a customer. What contradicts itself is refused with a sentence; nothing is written then.
--   One thing is no contradiction: Stripe's news of a new customer may be faster than the sign-up that tells whose it is.

create function registry.register_customer(
  email text default null,
  stripe_customer_id text default null,
  health_patient_id text default null,
  pharmacy_patient_id text default null,
  crm_person_id text default null,
  login_user_id uuid default null
) returns bigint
language plpgsql set search_path = ''
as $$
declare
  given jsonb := pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object(
    'stripe', nullif(pg_catalog.btrim(register_customer.stripe_customer_id), ''),
    'health', nullif(pg_catalog.btrim(register_customer.health_patient_id), ''),
    'pharmacy', nullif(pg_catalog.btrim(register_customer.pharmacy_patient_id), ''),
    'crm', nullif(pg_catalog.btrim(register_customer.crm_person_id), ''),
    'login', register_customer.login_user_id::text));
  address text := nullif(pg_catalog.btrim(register_customer.email), '');
  holders bigint[];
  told text;
  held registry.customers;
  new_keys jsonb;
  clash record;
begin
  if given = '{}' then
    raise exception 'A customer needs at least one key of a system: an email alone proves nothing.'
      using errcode = 'check_violation';
  end if;
  perform registry.lock_keys();

  select pg_catalog.array_agg(distinct known.customer_id),
    pg_catalog.string_agg(pg_catalog.format('%s %s is customer %s', known.system, known.key, known.customer_id), ', ' order by known.system)
  into holders, told
  from (
    select keys.key as system, keys.value as key, registry.customer_of(keys.key, keys.value) as customer_id
    from pg_catalog.jsonb_each_text(given) as keys
  ) as known
  where known.customer_id is not null;

  if pg_catalog.cardinality(holders) = 2 then
    -- A row made of this very Stripe customer alone knows nothing else: it is the other one's, by the sign-up's word.
    perform registry.merge_rows(made.id, other.id)
    from registry.customers as made
    join registry.customers as other on other.id = any (holders) and other.id <> made.id
    where made.id = any (holders) and made.stripe_customer_id = given ->> 'stripe' and other.stripe_customer_id is null
      and num_nonnulls(made.health_patient_id, made.pharmacy_patient_id, made.crm_person_id, made.login_user_id) = 0
      and not exists (select from registry.former_keys where former_keys.customer_id = made.id)
      and registry.colliding_renewal(made.id, other.id) is null;
    if found then
      select pg_catalog.array_agg(distinct registry.customer_of(keys.key, keys.value)) into holders
      from pg_catalog.jsonb_each_text(given) as keys
      where registry.customer_of(keys.key, keys.value) is not null;
    end if;
  end if;
  if pg_catalog.cardinality(holders) > 1 then
    raise exception 'These keys lead to more than one customer: %.', told
      using errcode = 'check_violation', hint = 'If they are one person, add a task with the step customer.merge.';
  end if;

  if holders is null then
    insert into registry.customers (email, stripe_customer_id, health_patient_id, pharmacy_patient_id, crm_person_id, login_user_id)
    values (address, given ->> 'stripe', given ->> 'health', given ->> 'pharmacy', given ->> 'crm', (given ->> 'login')::uuid)
    returning * into held;
    return held.id;
  end if;

  select customers.* into strict held from registry.customers where customers.id = holders[1];
  -- What the row does not know yet; a key that it had once is no news.
  select coalesce(pg_catalog.jsonb_object_agg(keys.key, keys.value), '{}') into new_keys
  from pg_catalog.jsonb_each_text(given) as keys
  where registry.customer_of(keys.key, keys.value) is null;

  select keys.system, keys.has, new_keys ->> keys.system as gets into clash
  from (values ('stripe', held.stripe_customer_id), ('health', held.health_patient_id), ('pharmacy', held.pharmacy_patient_id),
    ('crm', held.crm_person_id), ('login', held.login_user_id::text)) as keys (system, has)
  where keys.has is not null and new_keys ? keys.system
  limit 1;
  if found then
    raise exception 'Customer % has the % key %, so % cannot be it too (%).', held.id, clash.system, clash.has, clash.gets, told
      using errcode = 'check_violation';
  end if;

  if new_keys <> '{}' and not exists (
    select from registry.customer_keys
    where customer_keys.customer_id = held.id and customer_keys.why is null and given ->> customer_keys.system = customer_keys.key)
  then
    raise exception 'Only a former key leads to customer % (%), so nothing can be added to that customer by it.', held.id, told
      using errcode = 'check_violation', hint = 'If it is the same person, add a task with the step customer.link.';
  end if;

  update registry.customers set
    email = coalesce(customers.email, address),
    stripe_customer_id = coalesce(customers.stripe_customer_id, new_keys ->> 'stripe'),
    health_patient_id = coalesce(customers.health_patient_id, new_keys ->> 'health'),
    pharmacy_patient_id = coalesce(customers.pharmacy_patient_id, new_keys ->> 'pharmacy'),
    crm_person_id = coalesce(customers.crm_person_id, new_keys ->> 'crm'),
    login_user_id = coalesce(customers.login_user_id, (new_keys ->> 'login')::uuid)
  where customers.id = held.id
    and (new_keys <> '{}' or (customers.email is null and address is not null));
  return held.id;
end
$$;
comment on function registry.register_customer(text, text, text, text, text, uuid) is 'Makes a customer known by whatever keys there are, and returns the row''s number. Called again with more keys it adds them; the same call twice is the same as once. Keys that contradict each other are refused.';
