-- Purpose: the extensions that Clockwork needs, its schemas, and the rule that nothing is open by default.
-- Touches: extensions, schemas, default privileges.
-- Watch: only the global form of `alter default privileges ... revoke` works. The `in schema` form does nothing.

create extension if not exists pg_cron;
create extension if not exists pg_net with schema extensions;
create extension if not exists supabase_vault with schema vault cascade;

alter default privileges revoke execute on functions from public;

create schema registry;
create schema clockwork;
create schema tracker;
create schema ops;

comment on schema registry is 'Customers and products, with the keys by which each system knows them. No vendor''s facts.';
comment on schema clockwork is 'The queue that people see (tasks), its history (task_history), the acts outside (effects), and the vendors.';
comment on schema tracker is 'The state of each order, parcel, refill, renewal and check. Keys, states and dates of our own process.';
comment on schema ops is 'Views for people: stuck work, waiting work, and the story behind each.';
