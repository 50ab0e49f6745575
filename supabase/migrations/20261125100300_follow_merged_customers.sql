-- Purpose: nothing is ever written to a customer who was merged into another: a step that read the old row a moment ago
--   settles with the one who stayed.
-- Touches: registry.follow_merge(), tracker.orders, tracker.renewals, tracker.guard_renewal().
-- Watch: the key share lock waits for a merge that is under way, which locks both rows for update.

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

create or replace function tracker.guard_renewal() returns trigger
language plpgsql set search_path = ''
as $$
begin
  if new.state <> old.state and not exists (
    select from tracker.renewal_moves
    where renewal_moves.from_state = old.state and renewal_moves.to_state = new.state
  ) then
    raise exception 'Renewal % is %, so it cannot become %.', old.id, old.state, new.state
      using errcode = 'check_violation';
  end if;
  if (new.product_id, new.prescription_id, new.cycle) is distinct from (old.product_id, old.prescription_id, old.cycle)
    or (new.customer_id <> old.customer_id and not exists (
      select from registry.customers where customers.id = old.customer_id and customers.merged_into = new.customer_id))
  then
    raise exception 'Renewal % is about one prescription of one customer; that never changes.', old.id
      using errcode = 'check_violation';
  end if;
  if old.contacted_at is not null and new.contacted_at is distinct from old.contacted_at then
    raise exception 'The customer of renewal % was asked already; that stays.', old.id
      using errcode = 'check_violation';
  end if;
  if new.state in ('RENEWED', 'CANCELLED') then
    new.closed_at := coalesce(new.closed_at, clockwork.now());
    new.closed_because := coalesce(new.closed_because, 'closed by a person');
    new.next_on := null;
  end if;
  return new;
end
$$;
