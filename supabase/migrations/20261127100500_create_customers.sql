-- Purpose: the keys by which each system knows a customer, live and former. The company's own sign-up makes a customer
--   known by a function. One key leads to one customer.
-- Touches: registry.customers, registry.former_keys, registry.customer_keys, registry.lock_keys(), registry.customer_of(),
--   registry.register_customer().
-- Watch: each change of keys locks all of them until the end of the transaction, so keep such transactions short.
--   A former key still leads to its customer, so that its late events find that customer. An email never finds one.

create table registry.customers (
  id bigint generated always as identity primary key,
  email text,
  stripe_customer_id text unique,
  health_patient_id text unique,
  pharmacy_patient_id text unique,
  crm_person_id text unique,
  created_at timestamptz not null default clockwork.now(),
  login_user_id uuid unique,
  merged_into bigint references registry.customers (id),
  constraint a_merged_customer_has_no_keys check (merged_into is null
    or num_nonnulls(stripe_customer_id, health_patient_id, pharmacy_patient_id, crm_person_id, login_user_id) = 0),
  constraint nobody_is_merged_into_themselves check (merged_into <> id)
);
alter table registry.customers enable row level security;
create index customers_merged_into on registry.customers (merged_into);
create index customers_email on registry.customers (lower(email));

comment on table registry.customers is 'A row per customer: the key of each system. Addresses, prescriptions and payments stay with their owners.';
comment on column registry.customers.email is 'The email by which people recognise the customer. It is a clue for linking keys, and never a proof. Its owner is the CRM.';
comment on column registry.customers.stripe_customer_id is 'Stripe: cus_…';
comment on column registry.customers.health_patient_id is 'Health record: the id of the FHIR Patient.';
comment on column registry.customers.pharmacy_patient_id is 'Pharmacy: pat_…';
comment on column registry.customers.crm_person_id is 'CRM: the person''s id.';
comment on column registry.customers.login_user_id is 'Supabase Auth: the user''s id.';
comment on column registry.customers.merged_into is 'The row of the same person that has all the keys now (registry.customers). Set by a merge.';

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

comment on table registry.former_keys is 'Former keys of customers. A late event that names one still finds its customer.';
comment on column registry.former_keys.customer_id is 'The customer of the former key (registry.customers).';
comment on column registry.former_keys.system is 'stripe, health, pharmacy, crm or login.';
comment on column registry.former_keys.key is 'The id in that system.';
comment on column registry.former_keys.why is 'merged (two records became one there), deleted (there), or replaced (by a person here).';

create trigger refuse_truncate before truncate on registry.former_keys
  for each statement execute function clockwork.refuse_removal('Late events would no longer find their customer.');

-- No unique constraint spans two tables, and a query before an insert sees no row that is being written. The lock keeps
-- "nobody has this key" true until the end.
create function registry.lock_keys() returns void
language sql volatile set search_path = ''
as $$
  select pg_advisory_xact_lock(hashtextextended('registry.customers', 0))
$$;
comment on function registry.lock_keys() is 'Until the end of the transaction, nobody else changes a customer''s keys. Every change takes this lock by itself. Take it before reading keys.';

create function registry.lock_keys_first() returns trigger
language plpgsql set search_path = ''
as $$
begin
  perform registry.lock_keys();
  return null;
end
$$;
-- By statement, so that it is taken before any row is locked. Locks in another order would be a deadlock.
create trigger lock_keys_first
  before insert or update of stripe_customer_id, health_patient_id, pharmacy_patient_id, crm_person_id, login_user_id, merged_into
  on registry.customers for each statement execute function registry.lock_keys_first();
create trigger lock_keys_first before insert or update or delete on registry.former_keys
  for each statement execute function registry.lock_keys_first();

create view registry.customer_keys with (security_invoker = on) as
select customers.id as customer_id, 'stripe' as system, customers.stripe_customer_id as key, null as why
from registry.customers where customers.stripe_customer_id is not null
union all
select customers.id, 'health', customers.health_patient_id, null
from registry.customers where customers.health_patient_id is not null
union all
select customers.id, 'pharmacy', customers.pharmacy_patient_id, null
from registry.customers where customers.pharmacy_patient_id is not null
union all
select customers.id, 'crm', customers.crm_person_id, null
from registry.customers where customers.crm_person_id is not null
union all
select customers.id, 'login', customers.login_user_id::text, null
from registry.customers where customers.login_user_id is not null
union all
select coalesce(customers.merged_into, customers.id), former_keys.system, former_keys.key, former_keys.why
from registry.former_keys join registry.customers on customers.id = former_keys.customer_id;

comment on view registry.customer_keys is 'Every key that leads to a customer, live or former. Find an id''s customer here.';
comment on column registry.customer_keys.customer_id is 'The customer of the key (registry.customers). A merged customer''s keys lead to the row that stayed.';
comment on column registry.customer_keys.system is 'stripe, health, pharmacy, crm or login.';
comment on column registry.customer_keys.key is 'The id in that system.';
comment on column registry.customer_keys.why is 'Empty for a live key; merged, deleted or replaced for a former one.';

create function registry.customer_of(system text, key text) returns bigint
language sql stable set search_path = ''
as $$
  select customer_keys.customer_id from registry.customer_keys
  where customer_keys.system = customer_of.system and customer_keys.key = customer_of.key
  -- A former key of a customer that is live again is in both.
  order by (customer_keys.why is not null) limit 1
$$;
comment on function registry.customer_of(text, text) is 'The customer of a live or former key of a system (stripe, health, pharmacy, crm, login). Null for nobody.';

create function registry.guard_customer() returns trigger
language plpgsql set search_path = ''
as $$
declare
  former record;
begin
  if new.merged_into is not null then
    if exists (select from registry.customers where customers.id = new.merged_into and customers.merged_into is not null) then
      raise exception 'Customer % was merged into another one, so nobody can be merged into it.', new.merged_into
        using errcode = 'check_violation';
    end if;
    if exists (select from registry.customers where customers.merged_into = new.id) then
      raise exception 'Others were merged into customer %, so it must stay. Merge with a task customer.merge.', new.id
        using errcode = 'check_violation';
    end if;
  end if;
  select keys.system, keys.key, former_keys.customer_id into former
  from (values ('stripe', new.stripe_customer_id), ('health', new.health_patient_id), ('pharmacy', new.pharmacy_patient_id),
    ('crm', new.crm_person_id), ('login', new.login_user_id::text)) as keys (system, key)
  join registry.former_keys on former_keys.system = keys.system and former_keys.key = keys.key
  join registry.customers on customers.id = former_keys.customer_id
  where coalesce(customers.merged_into, customers.id) <> new.id
  limit 1;
  if found then
    raise exception '% is a former % key of customer %, so it cannot be one of customer %. If that is wrong, delete its row in registry.former_keys first.',
      former.key, former.system, former.customer_id, new.id
      using errcode = 'check_violation';
  end if;
  return new;
end
$$;
create trigger guard_customer
  before insert or update of stripe_customer_id, health_patient_id, pharmacy_patient_id, crm_person_id, login_user_id, merged_into
  on registry.customers for each row execute function registry.guard_customer();

create function registry.guard_former_key() returns trigger
language plpgsql set search_path = ''
as $$
declare
  holder bigint;
begin
  select customer_keys.customer_id into holder from registry.customer_keys
  where customer_keys.system = new.system and customer_keys.key = new.key and customer_keys.why is null;
  if holder <> (select coalesce(customers.merged_into, customers.id) from registry.customers where customers.id = new.customer_id) then
    raise exception '% is the % key of customer % now, so it cannot be a former one of customer %.',
      new.key, new.system, holder, new.customer_id
      using errcode = 'check_violation';
  end if;
  return new;
end
$$;
create trigger guard_former_key before insert or update on registry.former_keys
  for each row execute function registry.guard_former_key();

-- Keys that contradict each other are refused with a sentence, and nothing is written. One case is no contradiction:
-- Stripe's event of a new customer may be faster than the sign-up that names the customer.
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
  given jsonb := jsonb_strip_nulls(jsonb_build_object(
    'stripe', nullif(btrim(register_customer.stripe_customer_id), ''),
    'health', nullif(btrim(register_customer.health_patient_id), ''),
    'pharmacy', nullif(btrim(register_customer.pharmacy_patient_id), ''),
    'crm', nullif(btrim(register_customer.crm_person_id), ''),
    'login', register_customer.login_user_id::text));
  address text := nullif(btrim(register_customer.email), '');
  holders bigint[];
  known_keys text;
  existing registry.customers;
  new_keys jsonb;
  clash record;
begin
  if given = '{}' then
    raise exception 'A customer needs at least one key of a system. An email alone proves nothing.'
      using errcode = 'check_violation';
  end if;
  perform registry.lock_keys();

  select array_agg(distinct known.customer_id),
    string_agg(format('%s %s is customer %s', known.system, known.key, known.customer_id), ', ' order by known.system)
  into holders, known_keys
  from (
    select keys.key as system, keys.value as key, registry.customer_of(keys.key, keys.value) as customer_id
    from jsonb_each_text(given) as keys
  ) as known
  where known.customer_id is not null;

  if cardinality(holders) = 2 then
    -- A row that was made of this Stripe customer alone has no other key. The sign-up says that it is the other customer.
    perform registry.merge_rows(made.id, other.id)
    from registry.customers as made
    join registry.customers as other on other.id = any (holders) and other.id <> made.id
    where made.id = any (holders) and made.stripe_customer_id = given ->> 'stripe' and other.stripe_customer_id is null
      and num_nonnulls(made.health_patient_id, made.pharmacy_patient_id, made.crm_person_id, made.login_user_id) = 0
      and not exists (select from registry.former_keys where former_keys.customer_id = made.id)
      and registry.colliding_renewal(made.id, other.id) is null;
    if found then
      select array_agg(distinct registry.customer_of(keys.key, keys.value)) into holders
      from jsonb_each_text(given) as keys
      where registry.customer_of(keys.key, keys.value) is not null;
    end if;
  end if;
  if cardinality(holders) > 1 then
    raise exception 'These keys lead to more than one customer: %.', known_keys
      using errcode = 'check_violation', hint = 'If they are one person, add a task with the step customer.merge.';
  end if;

  if holders is null then
    insert into registry.customers (email, stripe_customer_id, health_patient_id, pharmacy_patient_id, crm_person_id, login_user_id)
    values (address, given ->> 'stripe', given ->> 'health', given ->> 'pharmacy', given ->> 'crm', (given ->> 'login')::uuid)
    returning * into existing;
    return existing.id;
  end if;

  select customers.* into strict existing from registry.customers where customers.id = holders[1];
  -- The keys that the row does not have yet. A former key of it is not new.
  select coalesce(jsonb_object_agg(keys.key, keys.value), '{}') into new_keys
  from jsonb_each_text(given) as keys
  where registry.customer_of(keys.key, keys.value) is null;

  select keys.system, keys.has, new_keys ->> keys.system as gets into clash
  from (values ('stripe', existing.stripe_customer_id), ('health', existing.health_patient_id), ('pharmacy', existing.pharmacy_patient_id),
    ('crm', existing.crm_person_id), ('login', existing.login_user_id::text)) as keys (system, has)
  where keys.has is not null and new_keys ? keys.system
  limit 1;
  if found then
    raise exception 'Customer % has the % key %, so % cannot be it too (%).', existing.id, clash.system, clash.has, clash.gets, known_keys
      using errcode = 'check_violation';
  end if;

  if new_keys <> '{}' and not exists (
    select from registry.customer_keys
    where customer_keys.customer_id = existing.id and customer_keys.why is null and given ->> customer_keys.system = customer_keys.key)
  then
    raise exception 'Only a former key leads to customer % (%), so nothing can be added to that customer by it.', existing.id, known_keys
      using errcode = 'check_violation', hint = 'If it is the same person, add a task with the step customer.link.';
  end if;

  update registry.customers set
    email = coalesce(customers.email, address),
    stripe_customer_id = coalesce(customers.stripe_customer_id, new_keys ->> 'stripe'),
    health_patient_id = coalesce(customers.health_patient_id, new_keys ->> 'health'),
    pharmacy_patient_id = coalesce(customers.pharmacy_patient_id, new_keys ->> 'pharmacy'),
    crm_person_id = coalesce(customers.crm_person_id, new_keys ->> 'crm'),
    login_user_id = coalesce(customers.login_user_id, (new_keys ->> 'login')::uuid)
  where customers.id = existing.id
    and (new_keys <> '{}' or (customers.email is null and address is not null));
  return existing.id;
end
$$;
comment on function registry.register_customer(text, text, text, text, text, uuid) is 'Makes a customer known by the given keys, and returns the row''s number. A later call adds its keys. The same call twice is the same as once. Keys that contradict each other are refused.';
