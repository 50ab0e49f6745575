-- Purpose: cron winds the nights' work and the renewals whose day has come.
-- Touches: cron jobs clockwork-nightly-work and clockwork-due-renewals.

do $$
declare
  job record;
begin
  for job in select jobname from cron.job where jobname in ('clockwork-nightly-work', 'clockwork-due-renewals') loop
    perform cron.unschedule(job.jobname);
  end loop;
  perform cron.schedule('clockwork-nightly-work', '*/5 * * * *', 'select clockwork.start_nightly_work()');
  perform cron.schedule('clockwork-due-renewals', '*/5 * * * *', 'select clockwork.start_due_renewals()');
end
$$;
