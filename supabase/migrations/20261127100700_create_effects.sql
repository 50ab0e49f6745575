-- Purpose: the ledger of acts outside, each done once. It survives every retry and resend.
-- Touches: clockwork.effects.
-- Watch: a CONFIRMED effect stays CONFIRMED. An INTENT may or may not have been done.

create table clockwork.effects (
  id bigint generated always as identity primary key,
  vendor text not null references clockwork.vendors (vendor),
  operation text not null,
  key text not null,
  state text not null default 'INTENT',
  reference text,
  task_id bigint not null references clockwork.tasks (id),
  attempt integer not null default 1,
  sent_at timestamptz not null default clockwork.now(),
  leased_until timestamptz,
  settled_at timestamptz,
  created_at timestamptz not null default clockwork.now(),
  refusals integer not null default 0,
  constraint effects_business_key_is_unique unique (vendor, operation, key),
  constraint effect_state_is_known check (state in ('INTENT', 'CONFIRMED', 'REFUSED')),
  constraint only_an_open_effect_is_leased check (state = 'INTENT' or leased_until is null),
  constraint only_a_settled_effect_has_settled_at check ((state = 'INTENT') = (settled_at is null)),
  constraint refusals_are_not_negative check (refusals >= 0)
);
alter table clockwork.effects enable row level security;
create index effects_reference on clockwork.effects (reference);
create index effects_task on clockwork.effects (task_id);

comment on table clockwork.effects is 'The acts of Clockwork at vendors, each done once by its business key.';
comment on column clockwork.effects.vendor is 'The vendor of the act (clockwork.vendors).';
comment on column clockwork.effects.operation is 'The act in words, such as create order.';
comment on column clockwork.effects.key is 'The key in our business, such as the order''s reference. Unique with vendor and operation.';
comment on column clockwork.effects.state is 'INTENT: sent, outcome not known yet. CONFIRMED: done, and never sent again. REFUSED: surely not done.';
comment on column clockwork.effects.reference is 'The vendor''s id of the result.';
comment on column clockwork.effects.task_id is 'The task that did it last.';
comment on column clockwork.effects.attempt is 'The number of claims. A claim that only checked whether it was done counts too.';
comment on column clockwork.effects.sent_at is 'When the act was last sent.';
comment on column clockwork.effects.leased_until is 'Until this moment only the run with the claim may send.';
comment on column clockwork.effects.settled_at is 'When the outcome became known.';
comment on column clockwork.effects.refusals is 'How often the vendor refused. The number is part of the idempotency key, where the vendor has such keys, so that a resend is a new request.';

create function clockwork.guard_effect() returns trigger
language plpgsql set search_path = ''
as $$
begin
  if old.state = 'CONFIRMED' and new.state <> 'CONFIRMED' then
    raise exception 'Effect % is CONFIRMED. It was done outside and cannot be undone here.', old.id
      using errcode = 'check_violation';
  end if;
  if old.state = 'CONFIRMED' and (new.vendor, new.operation, new.key, new.reference, new.settled_at)
    is distinct from (old.vendor, old.operation, old.key, old.reference, old.settled_at)
  then
    raise exception 'Effect % is CONFIRMED. Its record stays as it is.', old.id
      using errcode = 'check_violation';
  end if;
  return new;
end
$$;
create trigger guard_effect before update on clockwork.effects
  for each row execute function clockwork.guard_effect();
create trigger refuse_delete before delete on clockwork.effects
  for each statement execute function clockwork.refuse_removal('They prevent that an act is done twice.');
create trigger refuse_truncate before truncate on clockwork.effects
  for each statement execute function clockwork.refuse_removal('They prevent that an act is done twice.');
