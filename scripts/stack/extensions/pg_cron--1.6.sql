\echo Use "CREATE EXTENSION pg_cron" to load this file. \quit

-- The part of pg_cron 1.6 that this project uses, for a server without its background worker.
-- The objects belong to the bootstrap superuser, as on a hosted project: `postgres` may read cron.job and
-- change it through these functions only.

create schema cron;

create sequence cron.jobid_seq;
create table cron.job (
  jobid bigint primary key default nextval('cron.jobid_seq'),
  schedule text not null,
  command text not null,
  nodename text not null default 'localhost',
  nodeport integer not null default inet_server_port(),
  database text not null default current_database(),
  username text not null default current_user,
  active boolean not null default true,
  jobname text,
  constraint jobname_username_uniq unique (jobname, username)
);
alter table cron.job enable row level security;
create policy cron_job_policy on cron.job using (username = current_user);

create sequence cron.runid_seq;
create table cron.job_run_details (
  jobid bigint,
  runid bigint primary key default nextval('cron.runid_seq'),
  job_pid integer,
  database text,
  username text,
  command text,
  status text,
  return_message text,
  start_time timestamptz,
  end_time timestamptz
);
alter table cron.job_run_details enable row level security;
create policy cron_job_run_details_policy on cron.job_run_details using (username = current_user);

-- One field of a schedule: numbers or names, ranges, steps (after a range or * only), lists.
create function cron._valid_field(field text, lowest integer, highest integer, names text[])
returns boolean
language plpgsql
immutable
set search_path = ''
as $$
declare
  part text;
  bounds text[];
  numbers integer[];
begin
  foreach part in array string_to_array(lower(field), ',') loop
    if part ~ '/' then
      if part !~ '^[^/]+/0*[1-9][0-9]{0,3}$' or part !~ '^([*]|.+-.+)/' then
        return false;
      end if;
      part := split_part(part, '/', 1);
    end if;
    continue when part = '*';
    bounds := string_to_array(part, '-');
    if cardinality(bounds) not in (1, 2) then
      return false;
    end if;
    select array_agg(
        case
          when bound ~ '^[0-9]{1,2}$' then bound::integer
          else array_position(names, bound) - 1 + lowest
        end
        order by position)
      into numbers
      from unnest(bounds) with ordinality as given(bound, position);
    if array_position(numbers, null) is not null
      or numbers[1] < lowest
      or numbers[cardinality(numbers)] > highest
      or numbers[1] > numbers[cardinality(numbers)]
    then
      return false;
    end if;
  end loop;
  return cardinality(string_to_array(field, ',')) > 0;
end
$$;

create function cron._check_schedule(schedule text)
returns void
language plpgsql
immutable
set search_path = ''
as $$
declare
  fields text[] := regexp_split_to_array(btrim(schedule), '\s+');
begin
  if btrim(schedule) ~* '^([1-9]|[1-5][0-9])\s+seconds?$' then
    return;
  end if;
  if cardinality(fields) = 5
    and cron._valid_field(fields[1], 0, 59, '{}')
    and cron._valid_field(fields[2], 0, 23, '{}')
    and (fields[3] = '$' or cron._valid_field(fields[3], 1, 31, '{}'))
    and cron._valid_field(fields[4], 1, 12, '{jan,feb,mar,apr,may,jun,jul,aug,sep,oct,nov,dec}')
    and cron._valid_field(fields[5], 0, 7, '{sun,mon,tue,wed,thu,fri,sat}')
  then
    return;
  end if;
  raise exception 'invalid schedule: %', schedule
    using errcode = 'invalid_parameter_value',
      hint = 'Use cron format (e.g. 5 4 * * *), or interval format ''[1-59] seconds''';
end
$$;

-- The real functions are C and know their caller. A security definer function does not, so it is told, and
-- believes only a role that the session may act as.
create function cron._check_caller(caller text)
returns void
language plpgsql
set search_path = ''
as $$
begin
  if not pg_has_role(session_user, caller, 'member') then
    raise exception 'permission denied to act as %', caller using errcode = 'insufficient_privilege';
  end if;
end
$$;

create function cron._put(caller text, job_name text, schedule text, command text)
returns bigint
language plpgsql
security definer
set search_path = ''
as $$
declare
  id bigint;
begin
  perform cron._check_caller(_put.caller);
  perform cron._check_schedule(_put.schedule);
  insert into cron.job (jobname, schedule, command, username)
  values (_put.job_name, _put.schedule, _put.command, _put.caller)
  on conflict on constraint jobname_username_uniq do update
    set schedule = excluded.schedule, command = excluded.command
  returning jobid into id;
  return id;
end
$$;

create function cron._remove(caller text, job_id bigint, job_name text)
returns boolean
language plpgsql
security definer
set search_path = ''
as $$
begin
  perform cron._check_caller(_remove.caller);
  delete from cron.job
  where username = _remove.caller
    and (jobid = _remove.job_id or jobname = _remove.job_name);
  if not found then
    raise exception 'could not find valid entry for job ''%''', coalesce(_remove.job_name, _remove.job_id::text);
  end if;
  return true;
end
$$;

create function cron._alter(
  caller text, job_id bigint, schedule text, command text, database text, username text, active boolean
)
returns void
language plpgsql
security definer
set search_path = ''
as $$
begin
  perform cron._check_caller(_alter.caller);
  if _alter.username is not null then
    perform cron._check_caller(_alter.username);
  end if;
  if _alter.schedule is not null then
    perform cron._check_schedule(_alter.schedule);
  end if;
  update cron.job
  set schedule = coalesce(_alter.schedule, job.schedule),
    command = coalesce(_alter.command, job.command),
    database = coalesce(_alter.database, job.database),
    username = coalesce(_alter.username, job.username),
    active = coalesce(_alter.active, job.active)
  where job.jobid = _alter.job_id and job.username = _alter.caller;
  if not found then
    raise exception 'Job % does not exist or you don''t own it', _alter.job_id;
  end if;
end
$$;

create function cron.schedule(schedule text, command text)
returns bigint
language sql
as $$ select cron._put(current_user::text, null, schedule, command) $$;

create function cron.schedule(job_name text, schedule text, command text)
returns bigint
language plpgsql
as $$
begin
  if schedule.job_name is null then
    raise exception 'job_name can not be NULL';
  end if;
  return cron._put(current_user::text, schedule.job_name, schedule.schedule, schedule.command);
end
$$;

create function cron.unschedule(job_id bigint)
returns boolean
language sql
as $$ select cron._remove(current_user::text, job_id, null) $$;

create function cron.unschedule(job_name text)
returns boolean
language sql
as $$ select cron._remove(current_user::text, null, job_name) $$;

create function cron.alter_job(
  job_id bigint,
  schedule text default null,
  command text default null,
  database text default null,
  username text default null,
  active boolean default null
)
returns void
language sql
as $$ select cron._alter(current_user::text, job_id, schedule, command, database, username, active) $$;

grant select on cron.job, cron.job_run_details to public;
grant usage on schema cron to postgres with grant option;
grant select on cron.job to postgres with grant option;
grant all on cron.job_run_details to postgres with grant option;
revoke trigger on cron.job_run_details from postgres;
grant all on all sequences in schema cron to postgres with grant option;
grant all on all functions in schema cron to postgres with grant option;
