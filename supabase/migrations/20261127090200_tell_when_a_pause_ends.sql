-- Purpose: what waits for a paused vendor is tried when the pause ends, and says so.
-- Touches: view ops.waiting.

create or replace view ops.waiting with (security_invoker = on) as
select
  tasks.id as task_id,
  case
    when tasks.status = 'QUEUED' then coalesce(tasks.reason, 'A drain has it; if that one died, it comes back by itself.')
    when tasks.run_after <= clockwork.now() and settings.maintenance then 'Maintenance is on.'
    when tasks.run_after <= clockwork.now() and vendors.paused_until > clockwork.now()
      then format('%s is paused: %s', vendors.vendor, vendors.paused_reason)
    else tasks.reason
  end as why,
  tasks.attempts as tries,
  case when tasks.status = 'PENDING' then greatest(tasks.run_after, vendors.paused_until) else tasks.run_after end as next_try,
  clockwork.now() - tasks.created_at as age,
  customers.email as customer,
  tasks.step,
  tasks.vendor,
  tasks.status,
  tasks.customer_id,
  tasks.invoice_id
from clockwork.tasks
join clockwork.vendors on vendors.vendor = tasks.vendor
cross join clockwork.settings
left join registry.customers on customers.id = tasks.customer_id
where (tasks.status = 'QUEUED' and (tasks.attempts > 0 or tasks.updated_at < clockwork.now() - interval '2 minutes'))
   or (tasks.status = 'PENDING' and (
     tasks.reason is not null or tasks.run_after > clockwork.now()
     or settings.maintenance or vendors.paused_until > clockwork.now()))
order by next_try;
