-- Purpose: two customers become one. Nothing is written to the merged row after that. A step that read it a moment ago
--   settles with the row that stays.
-- Touches: registry.merge_rows(), registry.colliding_renewal(), registry.follow_merge(); triggers on tracker.orders,
--   tracker.renewals; every table that names a customer.
-- Watch: merge_rows must handle each new table that names a customer, and a test checks it. The key share lock waits for
--   a merge under way, which locks both rows for update.

-- The second customer gets everything of the first. The first row stays and points to the second.
create function registry.merge_rows(from_customer bigint, into_customer bigint) returns void
language plpgsql set search_path = ''
as $$
declare
  moves registry.customers;
  actor text := current_setting('clockwork.actor', true);
begin
  perform registry.lock_keys();
  perform from registry.customers where customers.id in (from_customer, into_customer) order by customers.id for update;
  select customers.* into strict moves from registry.customers where customers.id = from_customer;
  -- A key that both have must be given up before, because a merge drops no key in silence.
  if exists (
    select from registry.customers as stays
    where stays.id = into_customer and (
      (stays.stripe_customer_id is not null and moves.stripe_customer_id is not null)
      or (stays.health_patient_id is not null and moves.health_patient_id is not null)
      or (stays.pharmacy_patient_id is not null and moves.pharmacy_patient_id is not null)
      or (stays.crm_person_id is not null and moves.crm_person_id is not null)
      or (stays.login_user_id is not null and moves.login_user_id is not null)))
  then
    raise exception 'Customers % and % both have a live key in one system.', from_customer, into_customer
      using errcode = 'check_violation';
  end if;
  update registry.customers set merged_into = into_customer where customers.merged_into = from_customer;
  update registry.customers set stripe_customer_id = null, health_patient_id = null, pharmacy_patient_id = null,
    crm_person_id = null, login_user_id = null, email = null, merged_into = into_customer
  where customers.id = from_customer;
  update registry.customers set
    stripe_customer_id = coalesce(customers.stripe_customer_id, moves.stripe_customer_id),
    health_patient_id = coalesce(customers.health_patient_id, moves.health_patient_id),
    pharmacy_patient_id = coalesce(customers.pharmacy_patient_id, moves.pharmacy_patient_id),
    crm_person_id = coalesce(customers.crm_person_id, moves.crm_person_id),
    login_user_id = coalesce(customers.login_user_id, moves.login_user_id),
    email = coalesce(customers.email, moves.email)
  where customers.id = into_customer;
  update registry.former_keys set customer_id = into_customer where former_keys.customer_id = from_customer;
  update tracker.orders set customer_id = into_customer where orders.customer_id = from_customer;
  update tracker.refills set customer_id = into_customer where refills.customer_id = from_customer;
  -- A closed renewal of the same prescription and cycle stays behind as history.
  update tracker.renewals set customer_id = into_customer
  where renewals.customer_id = from_customer and not exists (
    select from tracker.renewals as stays
    where stays.customer_id = into_customer and stays.product_id = renewals.product_id
      and stays.prescription_id = renewals.prescription_id and stays.cycle = renewals.cycle);
  -- The second row's own choice for the same product stays. So does its first prescription.
  update registry.price_choices set customer_id = into_customer
  where price_choices.customer_id = from_customer and not exists (
    select from registry.price_choices as stays
    where stays.customer_id = into_customer and stays.product_id = price_choices.product_id);
  delete from registry.price_choices where price_choices.customer_id = from_customer;
  update tracker.first_prescriptions set customer_id = into_customer
  where first_prescriptions.customer_id = from_customer and not exists (
    select from tracker.first_prescriptions as stays
    where stays.customer_id = into_customer and stays.product_id = first_prescriptions.product_id);
  delete from tracker.first_prescriptions where first_prescriptions.customer_id = from_customer;
  -- A mirror that differed now belongs to the other customer, and gets a new look.
  update tracker.drift set repaired_at = clockwork.now() where drift.customer_id = from_customer and drift.repaired_at is null;
  update tracker.drift set customer_id = into_customer where drift.customer_id = from_customer;
  delete from tracker.drift_looks where drift_looks.customer_id = from_customer;
  -- Tasks that are locked are left. They follow by themselves where it matters.
  perform set_config('clockwork.actor', 'clockwork:registry', true);
  update clockwork.tasks set customer_id = into_customer
  where tasks.id in (select mine.id from clockwork.tasks as mine where mine.customer_id = from_customer for update skip locked);
  perform set_config('clockwork.actor', coalesce(actor, ''), true);
end
$$;
comment on function registry.merge_rows(bigint, bigint) is 'Merges one customer into another. Add a task customer.merge instead of calling this. That task reads the owners first.';

create function registry.colliding_renewal(from_customer bigint, into_customer bigint) returns bigint
language sql stable set search_path = ''
as $$
  select moves.product_id from tracker.renewals as moves
  join tracker.renewals as stays on stays.customer_id = into_customer and stays.product_id = moves.product_id
  where moves.customer_id = from_customer and moves.closed_at is null
    and (stays.closed_at is null or (stays.prescription_id = moves.prescription_id and stays.cycle = moves.cycle))
  limit 1
$$;
comment on function registry.colliding_renewal(bigint, bigint) is 'A product for which the first customer''s open renewal collides with one of the second. Null if none prevents a merge.';

create function registry.follow_merge() returns trigger
language plpgsql set search_path = ''
as $$
declare
  stays bigint;
begin
  select customers.merged_into into stays from registry.customers where customers.id = new.customer_id for key share;
  new.customer_id := coalesce(stays, new.customer_id);
  return new;
end
$$;
create trigger follow_merge before insert on tracker.orders
  for each row execute function registry.follow_merge();
create trigger follow_merge before insert on tracker.renewals
  for each row execute function registry.follow_merge();
