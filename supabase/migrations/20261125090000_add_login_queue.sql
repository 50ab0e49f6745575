-- Purpose: the queue of calls to Supabase Auth, which keeps the logins.
-- Touches: clockwork.vendors.

insert into clockwork.vendors (vendor, rate_per_second, concurrency) values ('login', 10, 2);

comment on column clockwork.vendors.vendor is 'stripe, health (the health record), pharmacy, crm, login (Supabase Auth), or internal (work that calls nobody).';
