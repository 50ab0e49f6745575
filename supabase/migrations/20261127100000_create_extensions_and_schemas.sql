-- Purpose: the extensions Clockwork stands on, its schemas, and the rule that nothing is open by default.
-- Touches: extensions, schemas, default privileges.
-- Watch: only the global form of `alter default privileges ... revoke` works; the `in schema` form does nothing.

create extension if not exists pg_cron;
create extension if not exists pg_net with schema extensions;
create extension if not exists supabase_vault with schema vault cascade;

alter default privileges revoke execute on functions from public;

create schema registry;
create schema clockwork;
create schema tracker;
create schema ops;

comment on schema registry is 'Who and what: customers and products with the keys each system knows them by. No vendor''s facts.';
comment on schema clockwork is 'The queue people see (tasks), what was done outside (effects), who changed what (task_history), and the vendors.';
comment on schema tracker is 'Where each thing stands: orders and shipments. Keys, states and dates of our own process.';
comment on schema ops is 'Views for people: what is stuck, what is waiting, and the story behind it.';
