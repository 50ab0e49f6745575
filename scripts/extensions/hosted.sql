-- What a hosted project does when a migration asks for pg_cron: its superuser makes the extension (and owns it: pg_cron
-- writes cron.job as the extension's owner), then role postgres may use it, but not write cron.job itself.
-- Debian's server knows no such delegation, so it is done beforehand; `create extension if not exists` then finds it.
-- Run by supabase_admin in the database that has pg_cron.

create extension pg_cron;
grant usage on schema cron to postgres with grant option;
grant all on all tables in schema cron to postgres with grant option;
grant all on all sequences in schema cron to postgres with grant option;
grant all on all functions in schema cron to postgres with grant option;
revoke all on cron.job from postgres;
grant select on cron.job to postgres with grant option;
