-- What a hosted project does around pg_cron: whoever makes the extension, role postgres may use it and not write cron.job.
-- Run by supabase_admin in the database that has pg_cron.

create function extensions.grant_pg_cron_access() returns event_trigger
language plpgsql security definer set search_path = ''
as $$
begin
  if exists (
    select from pg_catalog.pg_event_trigger_ddl_commands() as made
    join pg_catalog.pg_extension on pg_extension.oid = made.objid and made.classid = 'pg_catalog.pg_extension'::regclass
    where pg_extension.extname = 'pg_cron'
  ) then
    grant usage on schema cron to postgres with grant option;
    grant all on all tables in schema cron to postgres with grant option;
    grant all on all sequences in schema cron to postgres with grant option;
    grant all on all functions in schema cron to postgres with grant option;
    revoke all on cron.job from postgres;
    grant select on cron.job to postgres with grant option;
  end if;
end
$$;
create event trigger grant_pg_cron_access on ddl_command_end when tag in ('CREATE EXTENSION')
  execute function extensions.grant_pg_cron_access();
