-- Purpose: the state of each paid fill and of its parcel.
-- Touches: tracker.order_states, tracker.orders, tracker.shipments.
-- Watch: an order's rank never falls, so late and repeated events change nothing. The transaction that sets a readdressed
--   order to CANCELLED also asks for its replacement.

create table tracker.order_states (
  state text primary key,
  rank integer not null,
  meaning text not null
);
alter table tracker.order_states enable row level security;

comment on table tracker.order_states is 'The states of an order. Its rank never falls. Between states of rank 10 an order may go back and forth.';

create trigger refuse_delete before delete on tracker.order_states
  for each statement execute function clockwork.refuse_removal('Orders name these states.');
create trigger refuse_truncate before truncate on tracker.order_states
  for each statement execute function clockwork.refuse_removal('Orders name these states.');

insert into tracker.order_states (state, rank, meaning) values
  ('READY', 10, 'paid for; it is placed when its day has come'),
  ('AWAITING_PRESCRIPTION', 10, 'paid for, but there is no valid prescription; it is checked again and again'),
  ('AWAITING_SUBSCRIPTION', 10, 'paid for, but the customer paused; it ships when the customer resumes'),
  ('PLACED', 20, 'the pharmacy has the order'),
  ('FILLING', 30, 'the pharmacy is filling it'),
  ('FAILED', 33, 'the pharmacy could not fill it'),
  ('CANCELLED', 35, 'cancelled; nothing ships'),
  ('SHIPPED', 40, 'on its way'),
  ('OUT_FOR_DELIVERY', 45, 'arrives today'),
  ('DELIVERED', 50, 'arrived'),
  ('RETURNED', 60, 'came back');

create table tracker.orders (
  id bigint generated always as identity primary key,
  state text not null default 'READY' references tracker.order_states (state),
  customer_id bigint not null references registry.customers (id),
  product_id bigint not null references registry.products (id),
  invoice_id text not null,
  invoice_line_id text not null,
  subscription_id text not null,
  fill_number integer not null,
  attempt integer not null default 1,
  reference text not null generated always as (invoice_line_id || ':' || fill_number::text || ':' || attempt::text) stored unique,
  fill_on timestamptz not null,
  prescription_id text,
  pharmacy_order_id text unique,
  released_at timestamptz,
  cancel_requested_at timestamptz,
  cancel_cause text,
  created_at timestamptz not null default clockwork.now(),
  placed_at timestamptz,
  shipped_at timestamptz,
  delivered_at timestamptz,
  ended_at timestamptz,
  constraint one_order_per_paid_fill_and_attempt unique (invoice_line_id, fill_number, attempt),
  constraint fill_number_counts_from_one check (fill_number > 0),
  constraint attempt_counts_from_one check (attempt > 0),
  constraint a_wanted_cancel_has_a_cause check ((cancel_requested_at is null) = (cancel_cause is null)),
  constraint cancel_cause_is_known check (cancel_cause in ('refunded', 'disputed', 'voided', 'person', 'readdressed'))
);
alter table tracker.orders enable row level security;
create index orders_invoice on tracker.orders (invoice_id);
create index orders_customer on tracker.orders (customer_id);
create index orders_product on tracker.orders (product_id);
create index orders_state on tracker.orders (state);

comment on table tracker.orders is 'A row per paid fill, and one per replacement. Only the machinery changes it.';
comment on column tracker.orders.state is 'The state of the order (tracker.order_states).';
comment on column tracker.orders.customer_id is 'The customer of the order (registry.customers).';
comment on column tracker.orders.product_id is 'The product of the fill (registry.products).';
comment on column tracker.orders.invoice_id is 'The Stripe invoice that paid for it.';
comment on column tracker.orders.invoice_line_id is 'The line of the invoice that paid for it.';
comment on column tracker.orders.subscription_id is 'The Stripe subscription that wants it.';
comment on column tracker.orders.fill_number is 'The number of the fill among those that the invoice line pays for.';
comment on column tracker.orders.attempt is '1 for the first order of the fill, higher for a replacement.';
comment on column tracker.orders.reference is 'The reference by which the pharmacy knows the order: <invoice line>:<fill>:<attempt>.';
comment on column tracker.orders.fill_on is 'The day of the fill. The order is not placed before it.';
comment on column tracker.orders.prescription_id is 'The health record''s id of the prescription under which the order was placed.';
comment on column tracker.orders.pharmacy_order_id is 'The pharmacy''s id of the order. The first known id stays.';
comment on column tracker.orders.released_at is 'The last moment at which something happened that may end the order''s wait.';
comment on column tracker.orders.cancel_requested_at is 'From this moment on the order must not ship.';
comment on column tracker.orders.cancel_cause is 'refunded, disputed, voided, person, or readdressed (replaced by an order to another address).';
comment on column tracker.orders.placed_at is 'When the pharmacy had the order, as far as Clockwork knows.';
comment on column tracker.orders.shipped_at is 'When the parcel left the pharmacy, as far as Clockwork knows.';
comment on column tracker.orders.delivered_at is 'When the parcel arrived, as far as Clockwork knows.';
comment on column tracker.orders.ended_at is 'When the order was cancelled, failed or came back.';

create function tracker.guard_order() returns trigger
language plpgsql set search_path = ''
as $$
declare
  old_rank integer := (select order_states.rank from tracker.order_states where order_states.state = old.state);
  new_rank integer := (select order_states.rank from tracker.order_states where order_states.state = new.state);
begin
  if new_rank < old_rank or (new_rank = old_rank and new.state <> old.state and new_rank <> 10) then
    raise exception 'Order % is %. Orders only go forward, never back to %.', old.id, old.state, new.state
      using errcode = 'check_violation';
  end if;
  if old.pharmacy_order_id is not null and new.pharmacy_order_id is distinct from old.pharmacy_order_id then
    raise exception 'Order % is the pharmacy''s order %. That never changes.', old.id, old.pharmacy_order_id
      using errcode = 'check_violation';
  end if;
  if new.state <> old.state then
    if new_rank >= 20 and new.state not in ('FAILED', 'CANCELLED') then
      new.placed_at := coalesce(new.placed_at, clockwork.now());
    end if;
    if new_rank >= 40 then
      new.shipped_at := coalesce(new.shipped_at, clockwork.now());
    end if;
    if new.state = 'DELIVERED' then
      new.delivered_at := coalesce(new.delivered_at, clockwork.now());
    end if;
    new.ended_at := case when new.state in ('FAILED', 'CANCELLED', 'RETURNED') then clockwork.now() end;
  end if;
  return new;
end
$$;
create trigger guard_order before update on tracker.orders
  for each row execute function tracker.guard_order();
create trigger refuse_delete before delete on tracker.orders
  for each statement execute function clockwork.refuse_removal('To cancel an order, add a task with the step order.cancel.');
create trigger refuse_truncate before truncate on tracker.orders
  for each statement execute function clockwork.refuse_removal('To cancel an order, add a task with the step order.cancel.');

create table tracker.shipments (
  id bigint generated always as identity primary key,
  order_id bigint not null references tracker.orders (id),
  state text not null,
  carrier text not null,
  tracking_number text not null,
  created_at timestamptz not null default clockwork.now(),
  delivered_at timestamptz,
  constraint one_row_per_parcel unique (order_id, carrier, tracking_number),
  constraint shipment_state_is_known check (state in ('SHIPPED', 'OUT_FOR_DELIVERY', 'DELIVERED', 'RETURNED')),
  constraint a_delivered_parcel_has_delivered_at check (state <> 'DELIVERED' or delivered_at is not null)
);
alter table tracker.shipments enable row level security;

comment on table tracker.shipments is 'A row per parcel, as the pharmacy reports it.';
comment on column tracker.shipments.state is 'SHIPPED, OUT_FOR_DELIVERY, DELIVERED or RETURNED. It only goes forward.';

create function tracker.guard_shipment() returns trigger
language plpgsql set search_path = ''
as $$
begin
  if (select order_states.rank from tracker.order_states where order_states.state = new.state)
    < (select order_states.rank from tracker.order_states where order_states.state = old.state)
  then
    raise exception 'Parcel % is %. Parcels only go forward, never back to %.', old.id, old.state, new.state
      using errcode = 'check_violation';
  end if;
  return new;
end
$$;
create trigger guard_shipment before update on tracker.shipments
  for each row execute function tracker.guard_shipment();
create trigger refuse_delete before delete on tracker.shipments
  for each statement execute function clockwork.refuse_removal('');
create trigger refuse_truncate before truncate on tracker.shipments
  for each statement execute function clockwork.refuse_removal('');
