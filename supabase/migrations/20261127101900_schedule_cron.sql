-- Purpose: the cron jobs: the tick that calls the drain, the nights' work, the due renewals, and the cleaning of cron's
--   own log.
-- Touches: clockwork.call_function(), clockwork.tick(), clockwork.clean_cron_log(), cron jobs.
-- Watch: URL and secret come from Vault (clockwork_functions_url, clockwork_cron_secret). A missing one raises, so it
--   shows in cron.job_run_details. No call ever goes out without its secret.

create function clockwork.call_function(name text) returns bigint
language plpgsql set search_path = ''
as $$
declare
  url text := (select decrypted_secrets.decrypted_secret from vault.decrypted_secrets where decrypted_secrets.name = 'clockwork_functions_url');
  secret text := (select decrypted_secrets.decrypted_secret from vault.decrypted_secrets where decrypted_secrets.name = 'clockwork_cron_secret');
begin
  if btrim(coalesce(url, '')) = '' then
    raise exception 'Vault has no secret clockwork_functions_url, so % was not called.', call_function.name;
  end if;
  if btrim(coalesce(secret, '')) = '' then
    raise exception 'Vault has no secret clockwork_cron_secret, so % was not called.', call_function.name;
  end if;
  return net.http_post(
    url := rtrim(url, '/') || '/' || call_function.name,
    body := '{}'::jsonb,
    headers := jsonb_build_object('Content-Type', 'application/json', 'Authorization', 'Bearer ' || secret),
    timeout_milliseconds := 5000
  );
end
$$;
comment on function clockwork.call_function(text) is 'Calls an edge function with the cron secret. Raises when Vault lacks the URL or the secret.';

-- A tick reads the tasks that are there, so a lost, doubled or overlapping tick changes nothing.
create function clockwork.tick() returns bigint
language plpgsql set search_path = ''
as $$
begin
  if (select settings.maintenance from clockwork.settings) then
    return null;
  end if;
  if exists (select from clockwork.tasks where tasks.status = 'PENDING' and tasks.run_after <= clockwork.now())
    or exists (select from clockwork.tasks where tasks.status = 'QUEUED')
  then
    return clockwork.call_function('drain');
  end if;
  return null;
end
$$;
comment on function clockwork.tick() is 'Calls the drain when there is work. pg_cron runs it.';

create function clockwork.clean_cron_log() returns bigint
language sql set search_path = ''
as $$
  with gone as (
    delete from cron.job_run_details
    -- A run that a crash cut off has no end.
    where coalesce(job_run_details.end_time, job_run_details.start_time) < now() - interval '7 days'
    returning 1
  )
  select count(*) from gone
$$;
comment on function clockwork.clean_cron_log() is 'Keeps the last week of pg_cron''s log, which pg_cron itself never cleans.';

do $$
declare
  version text := (select pg_extension.extversion from pg_extension where pg_extension.extname = 'pg_cron');
  job record;
begin
  for job in
    select jobname from cron.job
    where jobname in ('clockwork-tick', 'clockwork-clean-cron-log', 'clockwork-nightly-work', 'clockwork-due-renewals')
  loop
    perform cron.unschedule(job.jobname);
  end loop;
  -- pg_cron knows seconds since 1.5.
  perform cron.schedule(
    'clockwork-tick',
    case when string_to_array(regexp_replace(version, '[^0-9.].*$', ''), '.')::int[] >= array[1, 5] then '10 seconds' else '* * * * *' end,
    'select clockwork.tick()'
  );
  perform cron.schedule('clockwork-clean-cron-log', '17 3 * * *', 'select clockwork.clean_cron_log()');
  perform cron.schedule('clockwork-nightly-work', '*/5 * * * *', 'select clockwork.start_nightly_work()');
  perform cron.schedule('clockwork-due-renewals', '*/5 * * * *', 'select clockwork.start_due_renewals()');
end
$$;
