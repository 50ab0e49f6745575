-- Purpose: the catalogue of reasons: the sentence a person reads, the usual repair, and what a resend does.
-- Touches: clockwork.reasons, clockwork.reason_text().
-- Watch: codes are known to TypeScript too (src/shared/queue/reasons.ts); a test compares the two.

create table clockwork.reasons (
  code text primary key,
  sentence text not null,
  repair text not null,
  on_resend text not null
);
alter table clockwork.reasons enable row level security;

comment on table clockwork.reasons is 'Every reason a task can give, in plain words.';
comment on column clockwork.reasons.sentence is 'What is wrong. {name} is filled in from the task.';
comment on column clockwork.reasons.repair is 'The usual way to set it right.';
comment on column clockwork.reasons.on_resend is 'What setting the task to PENDING will do.';

insert into clockwork.reasons (code, sentence, repair, on_resend) values
  ('UNKNOWN_EVENT', 'No step handles {step} yet.', 'Nothing to do, unless this event should do something: then ask engineering for a step.', 'Runs the step, once there is one.'),
  ('UNREADABLE_EVENT', '{source} sent a signed message that cannot be read ({bytes} bytes, SHA-256 {sha256}).', 'Ask engineering to compare it with the vendor''s own delivery log, then set this task to CANCELLED.', 'Nothing: the message was not kept.'),
  ('NOT_OURS', 'The pharmacy order {order} was not made by Clockwork.', 'Nothing to do.', 'Looks at the pharmacy order again.'),
  ('INVALID_DATA', 'The data of this task is not what its step needs: {problem}.', 'Correct data, then set status to PENDING.', 'Runs the step with the corrected data.'),
  ('UNKNOWN_STEP', 'No step is called {step}.', 'If the name was mistyped, cancel this task and add one with the right name. Otherwise ask engineering.', 'Runs the step, once there is one.'),
  ('UNKNOWN_CUSTOMER', 'No customer has {column} {key}.', 'Put the key into the customer''s row in registry.customers, or add a row for a new customer. Then set status to PENDING.', 'Looks the customer up again and goes on.'),
  ('MISSING_CUSTOMER_KEY', 'Customer {customer} has no {column}.', 'Fill in that cell in registry.customers, then set status to PENDING.', 'Reads the key again and goes on.'),
  ('UNKNOWN_PRODUCT', 'No product has the {system} {key}.', 'Add the key to registry.product_keys, then set status to PENDING.', 'Looks the product up again and goes on.'),
  ('PRODUCT_HAS_NO_CODE', 'Product {product} has no rxnorm key, so no prescription can be for it.', 'Add its RxNorm codes to registry.product_keys, then set status to PENDING.', 'Checks the prescriptions again.'),
  ('INVOICE_NOT_FOUND', 'Stripe does not know the invoice {invoice}.', 'Check that the webhook and the API key belong to the same Stripe account.', 'Asks Stripe again.'),
  ('CHARGE_NOT_FOUND', 'Stripe does not know the charge {charge}.', 'Check that the webhook and the API key belong to the same Stripe account.', 'Asks Stripe again.'),
  ('CHARGE_REFUNDED', 'The charge was refunded, so nothing is shipped for it.', 'Nothing to do.', 'Asks Stripe again; ships only if the refund is gone.'),
  ('CHARGE_DISPUTED', 'The charge is disputed, so nothing is shipped for it.', 'Nothing to do. If the dispute is won, set status to PENDING.', 'Asks Stripe again; ships only if the dispute is over.'),
  ('INVOICE_NOT_PAID', 'The invoice {invoice} is {status} at Stripe, so nothing is shipped for it.', 'Nothing to do.', 'Asks Stripe again.'),
  ('PARTIAL_REFUND', 'Part of the charge was refunded, and Stripe does not say for which line.', 'Set status to PENDING to cancel this order, or to CANCELLED to let it ship.', 'Cancels this order at the pharmacy.'),
  ('ALREADY_SHIPPED', 'Order {order} should be cancelled ({cause}), but it has already shipped.', 'Decide with the customer, then set status to CANCELLED.', 'Looks at the order again; a shipped parcel cannot be called back.'),
  ('NOT_DUE_YET', 'This fill is due on {day}.', 'Nothing to do.', 'Looks whether the day has come.'),
  ('NO_VALID_PRESCRIPTION', 'No valid prescription for this product: {why}. The order waits.', 'Get a prescription written. The order goes on by itself.', 'Checks the prescriptions now.'),
  ('PRESCRIPTION_UNCLEAR', 'A prescription is on file, but {what} is missing or unclear, so it cannot count as valid.', 'Have the prescription completed in the health record, then set status to PENDING.', 'Checks the prescriptions again.'),
  ('PRESCRIPTION_NOT_AT_PHARMACY', 'The prescription is on file, but the pharmacy does not have it with a fill left. The order waits.', 'Usually nothing. After a day: ask the prescriber to send it to the pharmacy.', 'Asks the pharmacy now.'),
  ('SUBSCRIPTION_PAUSED', 'The customer paused the subscription. The order waits.', 'Nothing to do: it ships when the customer resumes.', 'Asks Stripe now.'),
  ('SUBSCRIPTION_NOT_ACTIVE', 'The subscription is {status} at Stripe, though this fill is paid for.', 'Refund it at Stripe; or, to ship all the same, add "ship_despite_subscription": true to data and set status to PENDING.', 'Asks Stripe again; ships only if the subscription is active or data says to.'),
  ('NO_SHIPPING_ADDRESS', 'The health record has no complete shipping address for customer {customer}.', 'Have the address completed in the health record, then set status to PENDING.', 'Reads the address again and goes on.'),
  ('PHARMACY_CANCELLED', 'The pharmacy cancelled order {order}; we had not asked for it.', 'Call the pharmacy. Set status to PENDING for a replacement, or to CANCELLED after a refund.', 'Places a replacement order, once.'),
  ('PHARMACY_FAILED', 'The pharmacy could not fill order {order}.', 'Call the pharmacy. Set status to PENDING for a replacement, or to CANCELLED after a refund.', 'Places a replacement order, once.'),
  ('PHARMACY_NEEDS_ATTENTION', 'The pharmacy holds order {order} and waits for an answer.', 'Look at the order in the pharmacy''s portal and settle it there. Then set status to PENDING.', 'Looks at the pharmacy order again.'),
  ('PARCEL_RETURNED', 'The parcel of order {order} came back.', 'Check the address with the customer. Set status to PENDING for a replacement, or to CANCELLED after a refund.', 'Places a replacement order, once.'),
  ('DUPLICATE_SHIPPED', 'The pharmacy shipped a second order {pharmacy_order} for order {order}.', 'Tell the customer and the pharmacy, then set status to CANCELLED.', 'Looks at the second order again.'),
  ('SHIPPED_AFTER_CANCEL', 'Order {order} was cancelled, but the pharmacy shipped it.', 'Tell the customer and the pharmacy, then set status to CANCELLED.', 'Looks at the order again.'),
  ('UNKNOWN_ORDER', 'The pharmacy tells of an order with our reference {reference}, which is in no row of tracker.orders.', 'Ask engineering: the database may have been restored to an earlier moment.', 'Looks for the order again.'),
  ('ORDER_STILL_LIVE', 'Order {order} is {state}, so it is not replaced.', 'Wait until it ended. If the parcel is lost, add "lost": true to data and set status to PENDING.', 'Looks at the order again.'),
  ('ORDER_ALREADY_REPLACED', 'Order {order} was replaced by order {replacement} already.', 'If that parcel is lost too, put {replacement} into order_id in data and set status to PENDING. Otherwise set it to CANCELLED.', 'Looks at the order again.'),
  ('ORDER_CALLED_OFF', 'Order {order} was called off before it was placed, because {why}.', 'Nothing to do. If it should ship after all (a dispute was won), add a task with the step order.replace and {"order_id": {order}} as its data.', 'Looks at the order again; it stays called off.'),
  ('ORDER_NOT_FOUND', 'There is no order {order}.', 'Correct order_id in data, then set status to PENDING.', 'Looks for the order again.'),
  ('FACT_IS_PAST', 'The order has moved past {fact}, so the CRM is told what came after it instead.', 'Nothing to do.', 'Looks at the order again.'),
  ('FACT_IS_TOO_OLD', 'The CRM was never told {fact}: it is over 72 hours old, and the CRM starts nothing for so old an event.', 'If the customer should know, tell them another way.', 'Looks at its age again; it is not told.'),
  ('VENDOR_REFUSED', '{vendor} refused: {operation} (status {status}, code {code}).', 'Look the matter up in the vendor''s own dashboard, settle it, then set status to PENDING.', 'Asks the vendor again. What is already confirmed is not sent again.'),
  ('VENDOR_UNANSWERED', '{vendor} did not answer: {operation}.', 'While it is retried: nothing. Once it stopped: check the vendor''s status page, then set status to PENDING.', 'Asks the vendor whether it was done, and does it only if it was not.'),
  ('VENDOR_PAUSED', '{vendor} is paused.', 'Nothing to do. To go on at once, clear paused_until in clockwork.vendors.', 'Waits for the pause to end.'),
  ('EFFECT_HELD', 'Another run is doing this right now: {operation}.', 'Nothing to do.', 'Looks whether it was done.'),
  ('EFFECT_SETTLING', '{vendor} did not say whether it was done: {operation}. We ask again after a moment.', 'Nothing to do.', 'Asks the vendor whether it was done.'),
  ('OUTCOME_UNKNOWN', '{vendor} never said whether it was done, and cannot be asked: {operation}.', 'Look it up in the vendor''s dashboard. If it was not done, set status to PENDING.', 'Does it again.'),
  ('NOT_YET_VISIBLE', '{vendor} does not show what its own message says.', 'While it is retried: nothing. Once it stopped: look the matter up in the vendor''s own dashboard, then set status to PENDING, or to CANCELLED if there is nothing to it.', 'Looks again.'),
  ('DRAIN_DIED', 'The work was cut off on its last try.', 'Set status to PENDING. If it happens again, ask engineering.', 'Runs the step again. What is already confirmed is not sent again.'),
  ('INTERNAL_ERROR', 'Clockwork itself failed in this step ({error}).', 'Ask engineering, then set status to PENDING.', 'Runs the step again. What is already confirmed is not sent again.');

create function clockwork.reason_text(code text, details jsonb) returns text
language plpgsql stable set search_path = ''
as $$
declare
  result text := (select reasons.sentence from clockwork.reasons where reasons.code = reason_text.code);
  detail record;
begin
  for detail in select * from pg_catalog.jsonb_each_text(coalesce(reason_text.details, '{}')) loop
    result := pg_catalog.replace(result, '{' || detail.key || '}', coalesce(detail.value, '-'));
  end loop;
  return pg_catalog.regexp_replace(result, '\{[a-z0-9_]+\}', '-', 'g');
end
$$;
comment on function clockwork.reason_text(text, jsonb) is 'A reason''s sentence with its details filled in; null for a code that is not in the catalogue.';
