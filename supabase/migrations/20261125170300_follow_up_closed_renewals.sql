-- Purpose: a renewal that a person stops ends its campaign too.
-- Touches: tracker.follow_up_closed_renewal(), tracker.renewals.
-- Watch: machinery makes these tasks itself. Billing that a lapse paused stays paused: nothing can ship yet.

create function tracker.follow_up_closed_renewal() returns trigger
language plpgsql set search_path = ''
as $$
begin
  if clockwork.actor() like 'clockwork:%' or new.contacted_at is null then
    return null;
  end if;
  insert into clockwork.tasks (step, key, vendor, data, customer_id)
  values ('renewal.tell_crm', 'closed by a person:' || new.id, 'crm',
    pg_catalog.jsonb_build_object('renewal_id', new.id, 'fact', 'renewal_cancelled'), new.customer_id)
  on conflict on constraint tasks_step_key_is_unique do nothing;
  return null;
end
$$;
create trigger follow_up_closed_renewal after update of state on tracker.renewals
  for each row when (new.closed_at is not null and old.closed_at is null)
  execute function tracker.follow_up_closed_renewal();
