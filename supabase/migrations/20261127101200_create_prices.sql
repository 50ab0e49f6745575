-- Purpose: the price at which a first prescription starts a subscription: the customer's choice, else the product's
--   default. The moves of subscriptions from a retired Stripe price to the one that replaces it.
-- Touches: registry.price_choices, registry.choose_price(), tracker.move_findings, tracker.price_retirements,
--   tracker.price_moves; triggers on registry.customers.
-- Watch: a product without a default price, for a customer without a choice, starts nothing. It is sold by Checkout only.
--   npm run product:retire makes and resumes moves. Their effects at Stripe are in clockwork.effects (move price).

create table registry.price_choices (
  customer_id bigint not null references registry.customers (id),
  product_id bigint not null references registry.products (id),
  price text not null,
  system registry.key_system not null default 'stripe_price',
  chosen_at timestamptz not null default clockwork.now(),
  primary key (customer_id, product_id),
  constraint a_choice_is_of_a_stripe_price check (system = 'stripe_price'),
  constraint a_chosen_price_is_one_of_that_product foreign key (system, price, product_id)
    references registry.product_keys (system, key, product_id) on update cascade
);
alter table registry.price_choices enable row level security;
create index price_choices_product on registry.price_choices (product_id);
create index price_choices_price on registry.price_choices (system, price, product_id);

comment on table registry.price_choices is 'The price that a customer chose for a product at sign-up. Their first prescription starts a subscription at it. It changes no subscription that exists.';
comment on column registry.price_choices.customer_id is 'The customer who chose (registry.customers).';
comment on column registry.price_choices.product_id is 'The product of the price (registry.products).';
comment on column registry.price_choices.price is 'Stripe: price_…, a price of that product in registry.product_keys.';
comment on column registry.price_choices.system is 'Always stripe_price. It ties the price to registry.product_keys.';
comment on column registry.price_choices.chosen_at is 'When the customer last chose.';

create function registry.choose_price(customer bigint, price text) returns registry.price_choices
language plpgsql set search_path = ''
as $$
declare
  chosen registry.product_keys;
  result registry.price_choices;
begin
  select product_keys.* into chosen from registry.product_keys
  where product_keys.system = 'stripe_price' and product_keys.key = choose_price.price;
  if chosen.key is null then
    raise exception 'No product has the stripe_price %.', choose_price.price using errcode = 'foreign_key_violation';
  end if;
  if chosen.fills_per_charge = 0 then
    raise exception 'The stripe_price % pays for no fills, so no prescription can start a subscription at it.', choose_price.price
      using errcode = 'check_violation';
  end if;
  insert into registry.price_choices (customer_id, product_id, price)
  values (choose_price.customer, chosen.product_id, choose_price.price)
  on conflict (customer_id, product_id) do update set price = excluded.price, chosen_at = clockwork.now()
  returning * into result;
  return result;
end
$$;
comment on function registry.choose_price(bigint, text) is 'Records the Stripe price that a customer chose, for the company''s sign-up. A later choice for the same product replaces it.';

-- Each trigger adds a task for a look at the customer's prescriptions (step subscription.look). A task that is under way
-- may have read the former row, so a new one is added all the same.
create function registry.look_at_linked_patient() returns trigger
language plpgsql set search_path = ''
as $$
begin
  if exists (select from registry.product_keys where product_keys.is_default)
    or exists (select from registry.price_choices where price_choices.customer_id = new.id)
  then
    insert into clockwork.tasks (step, vendor, customer_id, data)
    values ('subscription.look', 'health', new.id, jsonb_build_object('customer_id', new.id));
  end if;
  return null;
end
$$;
-- A prescription may come before its patient is linked to a customer. It is looked at when that happens.
create trigger look_at_linked_patient after insert on registry.customers
  for each row when (new.health_patient_id is not null)
  execute function registry.look_at_linked_patient();
create trigger look_at_relinked_patient after update of health_patient_id on registry.customers
  for each row when (new.health_patient_id is not null and new.health_patient_id is distinct from old.health_patient_id)
  execute function registry.look_at_linked_patient();

create function registry.look_at_chosen_price() returns trigger
language plpgsql set search_path = ''
as $$
begin
  insert into clockwork.tasks (step, vendor, customer_id, data)
  values ('subscription.look', 'health', new.customer_id, jsonb_build_object('customer_id', new.customer_id));
  return null;
end
$$;
-- A choice may come after the prescription.
create trigger look_at_chosen_price after insert on registry.price_choices
  for each row execute function registry.look_at_chosen_price();
create trigger look_at_changed_choice after update of price on registry.price_choices
  for each row when (new.price is distinct from old.price) execute function registry.look_at_chosen_price();

create table tracker.move_findings (
  finding text primary key,
  meaning text not null
);
alter table tracker.move_findings enable row level security;

comment on table tracker.move_findings is 'The causes for which a subscription is not moved to another price, in plain words.';
comment on column tracker.move_findings.meaning is 'The cause, and the usual repair.';

create trigger refuse_delete before delete on tracker.move_findings
  for each statement execute function clockwork.refuse_removal('Moves name these findings.');
create trigger refuse_truncate before truncate on tracker.move_findings
  for each statement execute function clockwork.refuse_removal('Moves name these findings.');

insert into tracker.move_findings (finding, meaning) values
  ('OTHER_INTERVAL', 'The new price has another interval. Stripe would charge at once and change the billing date. Agree it with the customer, then change it at Stripe.'),
  ('OTHER_CURRENCY', 'The new price is in another currency. The customer needs a new subscription.'),
  ('FREE_TO_PAID', 'The old price is free and the new one is not. Stripe would charge at once. Agree it with the customer, then change it at Stripe.'),
  ('ENDED', 'The subscription has ended.'),
  ('INCOMPLETE', 'Its first payment was never made, so Stripe allows no change. It ends by itself within a day.'),
  ('UNKNOWN_STATUS', 'It has a status that Clockwork does not know. Ask engineering.'),
  ('SCHEDULED', 'A schedule at Stripe decides its price. Change the schedule at Stripe.'),
  ('PENDING_UPDATE', 'A change at Stripe waits for its payment. Run the command again after that payment.'),
  ('PRICE_TWICE', 'It has the old price twice, or both prices. Correct it at Stripe.'),
  ('OTHER_ITEMS', 'It pays for something else too. Change it at Stripe.'),
  ('METERED', 'It is charged by use and not by quantity. Change it at Stripe.'),
  ('ELSEWHERE', 'It has neither of the two prices any more.'),
  ('MOVED_BACK', 'It was moved, and somebody moved it back at Stripe. To move it once more, run the command again.'),
  ('CALLED_OFF', 'The old price is no longer marked as replaced by the new one (registry.product_keys).');

create table tracker.price_retirements (
  id bigint generated always as identity primary key,
  from_price text not null,
  to_price text not null,
  pass integer not null default 1,
  page integer not null default 0,
  listed_at timestamptz,
  at_most integer,
  queued integer not null default 0,
  moves_per_second numeric not null,
  next_move_at timestamptz,
  created_at timestamptz not null default clockwork.now(),
  constraint one_retirement_for_two_prices unique (from_price, to_price),
  constraint a_price_does_not_replace_itself check (from_price <> to_price),
  constraint moves_are_slower_than_stripe_allows check (moves_per_second > 0 and moves_per_second <= 20),
  constraint counts_are_not_negative check (least(pass, page, queued) >= 0 and at_most > 0)
);
alter table tracker.price_retirements enable row level security;
create unique index one_listing_of_a_price_at_a_time on tracker.price_retirements (from_price) where listed_at is null;

comment on table tracker.price_retirements is 'A row per retired Stripe price and the price that replaces it. Each further run of the command makes a new pass over the remaining subscribers.';
comment on column tracker.price_retirements.from_price is 'The retired price.';
comment on column tracker.price_retirements.to_price is 'The price that replaces it.';
comment on column tracker.price_retirements.pass is 'The number of the current pass over its subscribers.';
comment on column tracker.price_retirements.page is 'The number of pages read in this pass.';
comment on column tracker.price_retirements.listed_at is 'When this pass had read all pages. Empty while it is under way.';
comment on column tracker.price_retirements.at_most is 'The most subscriptions in this pass. Empty: all.';
comment on column tracker.price_retirements.queued is 'The number of subscriptions that this pass put into the queue.';
comment on column tracker.price_retirements.moves_per_second is 'The number of moves a second.';
comment on column tracker.price_retirements.next_move_at is 'When the next subscription is moved.';

create trigger refuse_delete before delete on tracker.price_retirements
  for each statement execute function clockwork.refuse_removal('To end a retirement, change replaced_by in registry.product_keys.');
create trigger refuse_truncate before truncate on tracker.price_retirements
  for each statement execute function clockwork.refuse_removal('To end a retirement, change replaced_by in registry.product_keys.');

create table tracker.price_moves (
  id bigint generated always as identity primary key,
  retirement_id bigint not null references tracker.price_retirements (id),
  subscription_id text not null,
  subscription_item_id text not null,
  state text not null,
  finding text references tracker.move_findings (finding),
  times integer not null default 1,
  refusals integer not null default 0,
  anchor_before timestamptz,
  due_before timestamptz,
  paused_before boolean,
  due_after timestamptz,
  settled_at timestamptz,
  created_at timestamptz not null default clockwork.now(),
  constraint an_item_has_one_move_in_a_retirement unique (retirement_id, subscription_item_id),
  constraint move_state_is_known check (state in ('WAITING', 'MOVED', 'ALREADY_THERE', 'NOT_MOVED')),
  constraint only_what_is_not_moved_has_a_finding check ((state = 'NOT_MOVED') = (finding is not null)),
  constraint only_what_does_not_wait_is_settled check ((state = 'WAITING') = (settled_at is null)),
  constraint what_was_before_is_told_whole check (num_nulls(anchor_before, due_before, paused_before) in (0, 3)),
  constraint counts_are_not_negative check (times > 0 and refusals >= 0)
);
alter table tracker.price_moves enable row level security;
create index price_moves_finding on tracker.price_moves (finding);

comment on table tracker.price_moves is 'A row per subscription item of a retired price: moved, or not moved and the cause. ops.price_moves shows them with their tasks.';
comment on column tracker.price_moves.retirement_id is 'The two prices of the move (tracker.price_retirements).';
comment on column tracker.price_moves.subscription_id is 'Stripe: sub_…';
comment on column tracker.price_moves.subscription_item_id is 'Stripe: si_…';
comment on column tracker.price_moves.state is 'WAITING, MOVED, ALREADY_THERE (somebody else moved it) or NOT_MOVED (see finding).';
comment on column tracker.price_moves.finding is 'The cause for which it is not moved (tracker.move_findings).';
comment on column tracker.price_moves.times is 'The number of the move. It rises if somebody moved it back and the command is run again.';
comment on column tracker.price_moves.refusals is 'The number of refusals by Stripe. Each try after a refusal is a new request to Stripe.';
comment on column tracker.price_moves.anchor_before is 'The anchor of its billing dates right before the move.';
comment on column tracker.price_moves.due_before is 'The next billing date right before the move.';
comment on column tracker.price_moves.paused_before is 'Whether it was paused right before the move.';
comment on column tracker.price_moves.due_after is 'The next billing date after the move.';
comment on column tracker.price_moves.settled_at is 'When it was moved, or when the cause against a move was found.';

create trigger refuse_delete before delete on tracker.price_moves
  for each statement execute function clockwork.refuse_removal('They are the report of the move.');
create trigger refuse_truncate before truncate on tracker.price_moves
  for each statement execute function clockwork.refuse_removal('They are the report of the move.');
