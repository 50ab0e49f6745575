-- Purpose: one key leads to one customer, whoever writes it: live keys, former ones, and rows that were merged.
-- Touches: registry.customers, registry.former_keys, registry.customer_keys, registry.lock_keys(), registry.customer_of().
-- Watch: whoever changes keys holds one lock until the end of the transaction, so keep such transactions short.

alter table registry.customers
  drop constraint a_merged_customer_has_no_keys,
  add constraint a_merged_customer_has_no_keys check (merged_into is null
    or num_nonnulls(stripe_customer_id, health_patient_id, pharmacy_patient_id, crm_person_id, login_user_id) = 0);

-- A plain insert into two tables has no unique constraint over both, and a look before it sees no row that is being
-- written: the lock is what makes "nobody has this key" true until the end.
create function registry.lock_keys() returns void
language sql volatile set search_path = ''
as $$
  select pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('registry.customers', 0))
$$;
comment on function registry.lock_keys() is 'From here to the end of the transaction nobody else changes a customer''s keys. Taken by itself at every change; take it before looking.';

create function registry.lock_keys_first() returns trigger
language plpgsql set search_path = ''
as $$
begin
  perform registry.lock_keys();
  return null;
end
$$;
-- By statement, so that it is taken before any row is locked: two who lock in another order would wait for each other.
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

comment on view registry.customer_keys is 'Every key that leads to a customer, live or former. Look here for whose an id is.';
comment on column registry.customer_keys.customer_id is 'Whose it is. A merged customer''s keys lead to the one who stayed.';
comment on column registry.customer_keys.system is 'stripe, health, pharmacy, crm or login.';
comment on column registry.customer_keys.key is 'The id in that system.';
comment on column registry.customer_keys.why is 'Empty for a live key; merged, deleted or replaced for a former one.';

create function registry.customer_of(system text, key text) returns bigint
language sql stable set search_path = ''
as $$
  select customer_keys.customer_id from registry.customer_keys
  where customer_keys.system = customer_of.system and customer_keys.key = customer_of.key
  -- A former key that was given to the same customer again is both.
  order by (customer_keys.why is not null) limit 1
$$;
comment on function registry.customer_of(text, text) is 'The customer whom a system (stripe, health, pharmacy, crm, login) knows by this key, or did once; null for nobody.';

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
    raise exception '% is a former % key of customer %, so it cannot be one of customer %. If it was never theirs, delete its row in registry.former_keys first.',
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
create trigger refuse_truncate before truncate on registry.former_keys
  for each statement execute function clockwork.refuse_removal('Late news would no longer find its customer.');
