-- Purpose: the subscribers of a retired Stripe price on their way to the supported one.
-- Touches: tracker.move_findings, tracker.price_retirements, tracker.price_moves; an index on clockwork.tasks.
-- Watch: made and resumed by npm run product:retire. What was done at Stripe is in clockwork.effects (move price).

create table tracker.move_findings (
  finding text primary key,
  meaning text not null
);
alter table tracker.move_findings enable row level security;
comment on table tracker.move_findings is 'Why a subscription is not moved to another price, in plain words. The code knows the same list; a test compares.';
comment on column tracker.move_findings.meaning is 'What is the matter, and what can be done.';

insert into tracker.move_findings (finding, meaning) values
  ('OTHER_INTERVAL', 'The new price is charged in another rhythm. Stripe would charge at once and move the billing date: agree it with the customer, then change it at Stripe.'),
  ('OTHER_CURRENCY', 'The new price is in another currency. The customer needs a new subscription.'),
  ('FREE_TO_PAID', 'The old price is free and the new one is not. Stripe would charge at once: agree it with the customer, then change it at Stripe.'),
  ('ENDED', 'The subscription has ended.'),
  ('INCOMPLETE', 'Its first payment was never made, so Stripe lets nothing be changed. It ends by itself within a day.'),
  ('UNKNOWN_STATUS', 'It has a status that nothing here understands. Ask engineering.'),
  ('SCHEDULED', 'A schedule at Stripe decides its price. Change the schedule at Stripe.'),
  ('PENDING_UPDATE', 'A change at Stripe waits for its payment. Run the command again once it is settled.'),
  ('PRICE_TWICE', 'It has the old price twice, or both prices. Put it in order at Stripe.'),
  ('OTHER_ITEMS', 'It pays for something else too. Change it at Stripe.'),
  ('METERED', 'It is charged by use and not by quantity. Change it at Stripe.'),
  ('ELSEWHERE', 'It has neither price any more.'),
  ('MOVED_BACK', 'It was moved, and somebody moved it back at Stripe. Run the command again to move it once more.'),
  ('CALLED_OFF', 'The old price is no longer marked as replaced by the new one (registry.product_keys).');
create trigger refuse_delete before delete on tracker.move_findings
  for each statement execute function clockwork.refuse_removal('Moves name them.');
create trigger refuse_truncate before truncate on tracker.move_findings
  for each statement execute function clockwork.refuse_removal('Moves name them.');

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

comment on table tracker.price_retirements is 'A row per retired Stripe price and the one its subscribers are moved to. Running the command again makes a new pass over whoever is left.';
comment on column tracker.price_retirements.from_price is 'The retired price.';
comment on column tracker.price_retirements.to_price is 'The supported price.';
comment on column tracker.price_retirements.pass is 'How often its subscribers were gone through.';
comment on column tracker.price_retirements.page is 'Pages of this pass that were gone through.';
comment on column tracker.price_retirements.listed_at is 'When this pass had gone through all. Empty while it is under way.';
comment on column tracker.price_retirements.at_most is 'So many subscriptions at most in this pass. Empty: all.';
comment on column tracker.price_retirements.queued is 'Subscriptions of this pass that were put in the queue.';
comment on column tracker.price_retirements.moves_per_second is 'How fast they are moved.';
comment on column tracker.price_retirements.next_move_at is 'When the next one''s turn is.';

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

comment on table tracker.price_moves is 'A row per subscription item of a retired price: moved, or why not. ops.price_moves shows them with their tasks.';
comment on column tracker.price_moves.retirement_id is 'From which price to which (tracker.price_retirements).';
comment on column tracker.price_moves.subscription_id is 'Stripe: sub_…';
comment on column tracker.price_moves.subscription_item_id is 'Stripe: si_…';
comment on column tracker.price_moves.state is 'WAITING, MOVED, ALREADY_THERE (somebody else moved it) or NOT_MOVED (see finding).';
comment on column tracker.price_moves.finding is 'Why it is not moved (tracker.move_findings).';
comment on column tracker.price_moves.times is 'How often it is moved. It rises when somebody moved it back and the command is run again.';
comment on column tracker.price_moves.refusals is 'How often Stripe refused it. Each try after one is a new request to Stripe.';
comment on column tracker.price_moves.anchor_before is 'What its billing dates were counted from, right before the move.';
comment on column tracker.price_moves.due_before is 'The next billing date right before the move.';
comment on column tracker.price_moves.paused_before is 'Whether it was paused right before the move.';
comment on column tracker.price_moves.due_after is 'The next billing date after it.';
comment on column tracker.price_moves.settled_at is 'When it was moved, or found not to be.';
create trigger refuse_delete before delete on tracker.price_moves
  for each statement execute function clockwork.refuse_removal('They are the report of the move.');
create trigger refuse_truncate before truncate on tracker.price_moves
  for each statement execute function clockwork.refuse_removal('They are the report of the move.');
create trigger refuse_delete before delete on tracker.price_retirements
  for each statement execute function clockwork.refuse_removal('To end one, change replaced_by in registry.product_keys.');
create trigger refuse_truncate before truncate on tracker.price_retirements
  for each statement execute function clockwork.refuse_removal('To end one, change replaced_by in registry.product_keys.');

-- A move's tasks are looked up by its number, a key's question by its key.
create index tasks_price_move on clockwork.tasks ((data ->> 'move_id')) where step = 'product.move_subscription';
create index tasks_key_question on clockwork.tasks ((data ->> 'key')) where step = 'product.check_key';
