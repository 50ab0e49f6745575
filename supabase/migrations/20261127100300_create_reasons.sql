-- Purpose: the catalogue of reasons: the sentence a person reads, the usual repair, and what a resend does.
-- Touches: clockwork.reasons, clockwork.reason_text().
-- Watch: `npm run types` makes a type of the codes (src/shared/queue/reasons.ts: ReasonCode).

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

create trigger refuse_delete before delete on clockwork.reasons
  for each statement execute function clockwork.refuse_removal('Tasks name them.');
create trigger refuse_truncate before truncate on clockwork.reasons
  for each statement execute function clockwork.refuse_removal('Tasks name them.');

create function clockwork.reason_text(code text, details jsonb) returns text
language plpgsql stable set search_path = ''
as $$
declare
  result text := (select reasons.sentence from clockwork.reasons where reasons.code = reason_text.code);
  detail record;
begin
  for detail in select * from jsonb_each_text(coalesce(reason_text.details, '{}')) loop
    result := replace(result, '{' || detail.key || '}', coalesce(detail.value, '-'));
  end loop;
  return regexp_replace(result, '\{[a-z0-9_]+\}', '-', 'g');
end
$$;
comment on function clockwork.reason_text(text, jsonb) is 'A reason''s sentence with its details filled in; null for a code that is not in the catalogue.';

insert into clockwork.reasons (code, sentence, repair, on_resend) values
  -- Events and tasks that cannot be read.
  ('UNKNOWN_EVENT', 'No step handles {step} yet.', 'Nothing to do, unless this event should do something: then ask engineering for a step.', 'Runs the step, once there is one.'),
  ('UNREADABLE_EVENT', '{source} sent a signed message that cannot be read ({bytes} bytes, SHA-256 {sha256}).', 'Ask engineering to compare it with the vendor''s own delivery log, then set this task to CANCELLED.', 'Nothing: the message was not kept.'),
  ('NOT_OURS', 'The pharmacy order {order} was not made by Clockwork.', 'Nothing to do.', 'Looks at the pharmacy order again.'),
  ('INVALID_DATA', 'The data of this task is not what its step needs: {problem}.', 'Correct data, then set status to PENDING.', 'Runs the step with the corrected data.'),
  ('UNKNOWN_STEP', 'No step is called {step}.', 'If the name was mistyped, cancel this task and add one with the right name. Otherwise ask engineering.', 'Runs the step, once there is one.'),
  -- What the registry lacks.
  ('UNKNOWN_CUSTOMER', 'No customer has {column} {key}.', 'Put the key into the customer''s row in registry.customers, or add a row for a new customer. Then set status to PENDING.', 'Looks the customer up again and goes on.'),
  ('MISSING_CUSTOMER_KEY', 'Customer {customer} has no {column}.', 'Fill in that cell in registry.customers, then set status to PENDING.', 'Reads the key again and goes on.'),
  ('UNKNOWN_PRODUCT', 'No product has the {system} {key}.', 'Add the key to registry.product_keys, then set status to PENDING.', 'Looks the product up again and goes on.'),
  ('PRODUCT_HAS_NO_CODE', 'Product {product} has no rxnorm key, so no prescription can be for it.', 'Add its RxNorm codes to registry.product_keys, then set status to PENDING.', 'Checks the prescriptions again.'),
  ('STRIPE_CUSTOMER_UNKNOWN', 'Stripe has no customer {key}, by which the registry knows customer {customer}.', 'Correct stripe_customer_id in registry.customers, or empty it if the customer was deleted at Stripe on purpose; then set status to PENDING.', 'Looks again.'),
  ('HEALTH_PATIENT_UNKNOWN', 'The health record has no patient {patient} (customer {customer}).', 'Correct health_patient_id in registry.customers, then set status to PENDING.', 'Asks the health record again.'),
  ('HEALTH_PATIENT_UNANSWERED', 'The health record answers about other patients, but not about patient {patient} (customer {customer}).', 'Open the patient in the health record; if that fails too, ask its vendor. It closes by itself when an answer comes.', 'Asks the health record again.'),
  ('CRM_PERSON_UNKNOWN', 'The CRM has no person {person} (customer {customer}).', 'Correct crm_person_id in registry.customers, or have the person made in the CRM; then set status to PENDING.', 'Reads the owner and writes again.'),
  ('CRM_PERSON_UNREACHABLE', 'The CRM has neither an email nor a phone of person {person} (customer {customer}), so nobody is reached.', 'Have an email or a phone put into the CRM, then set status to PENDING. Or call the customer another way, and set it to CANCELLED.', 'Reads the person in the CRM again, and writes.'),
  -- Who is who: keys that nobody can place by themselves, and merges.
  ('EMAIL_IS_NO_PROOF', '{what} is in no row. Its email is that of customer {customers}, which proves nothing: families share one.', 'Find out whose it is. If it is one of them, put that number into customer_id in data; to make a new customer leave it null. Then set status to PENDING.', 'Links the key to customer_id; where that is null, makes a new customer.'),
  ('PATIENT_OF_NOBODY', '{what} is in no row and names no customer.', 'Find out whose it is and put that number into customer_id in data; to make a new customer leave it null. Then set status to PENDING. If it is no customer of ours, set status to CANCELLED: it is not asked again.', 'Links the patient to customer_id; where that is null, makes a new customer.'),
  ('REFERENCE_LEADS_NOWHERE', '{what} names a customer who is not here ({reference}).', 'Find out whose it is and put that number into customer_id in data; to make a new customer leave it null. Then set status to PENDING.', 'Links the key to customer_id; where that is null, makes a new customer.'),
  ('REFERENCES_DIFFER', '{what} leads to more than one customer: {customers}.', 'If they are one person, add a task with the step customer.merge. If not, put the right number into customer_id in data. Then set status to PENDING.', 'Links the key to customer_id; where that is null, makes a new customer.'),
  ('KEY_AND_REFERENCE_DIFFER', '{what} is in the row of customer {customer}, but names customer {other}.', 'If they are one person, add a task with the step customer.merge. If the key is in the wrong row, move it in registry.customers. Then set status to CANCELLED.', 'Nothing, while the key is in a row.'),
  ('CUSTOMER_HAS_ANOTHER_KEY', '{what} leads to customer {customer}, who has another one there: {other}.', 'If it replaces the other one, put the number into customer_id in data and add "replace": true. If it is somebody else, put their number there; to make a new customer leave it null. Then set status to PENDING.', 'Links the key to customer_id, if that customer has no other or data says to replace it; where customer_id is null, makes a new customer.'),
  ('KEY_CAME_BACK', '{what} was a key of customer {customer} once ({why}), and is in use again.', 'If it is that customer''s again, put the number into customer_id in data and set status to PENDING. Otherwise set status to CANCELLED.', 'Links the key to customer_id; a key of somebody''s past never makes a new customer.'),
  ('KEY_IS_ANOTHERS', '{what} belongs to customer {customer}.', 'If that is right, set status to CANCELLED. If it is in the wrong row, move it in registry.customers, then set status to PENDING.', 'Looks again whose it is.'),
  ('KEY_IS_GONE', '{what} is there no more, so it is nobody''s.', 'Nothing to do.', 'Asks again whether it is there.'),
  ('CUSTOMER_NOT_THERE', 'There is no customer {customer}.', 'Correct the number in data, then set status to PENDING.', 'Looks for the customer again.'),
  ('PATIENT_MERGE_UNCLEAR', 'The health record says that {what} was replaced, but not clearly by whom: {problem}.', 'Have the patient''s record put right in the health record; news of it settles this. If this task is still here then, set status to CANCELLED.', 'Asks the health record again.'),
  ('CUSTOMERS_ARE_ONE', 'The health record says that customers {from} and {into} are one person ({old} was replaced by {new}).', 'Check it, then set status to PENDING. If they are not, have the health record put right and set status to CANCELLED.', 'Moves every key, order and renewal of the first to the second.'),
  ('MERGE_KEYS_DIFFER', 'Customers {from} and {into} are both known in {system}: as {one} and {other}.', 'Stripe, health record: merge or delete one of the two there, then set status to PENDING. Pharmacy, crm, login: to give up the key of the first, add "give_up": ["pharmacy"] (or crm, login) to data, then set status to PENDING.', 'Asks the owners again, and merges the two when nothing stands in the way.'),
  ('MERGE_RENEWALS_COLLIDE', 'Customers {from} and {into} both have an open renewal of product {product}.', 'Set the state of one of them to CANCELLED in tracker.renewals, then set status to PENDING.', 'Merges the two when nothing stands in the way.'),
  ('ALREADY_MERGED', 'Customer {from} was merged into customer {into} already.', 'Nothing to do, if that is right.', 'Looks again.'),
  -- Money.
  ('INVOICE_NOT_FOUND', 'Stripe does not know the invoice {invoice}.', 'Check that the webhook and the API key belong to the same Stripe account.', 'Asks Stripe again.'),
  ('CHARGE_NOT_FOUND', 'Stripe does not know the charge {charge}.', 'Check that the webhook and the API key belong to the same Stripe account.', 'Asks Stripe again.'),
  ('CHARGE_REFUNDED', 'The charge was refunded, so nothing is shipped for it.', 'Nothing to do.', 'Asks Stripe again; ships only if the refund is gone.'),
  ('CHARGE_DISPUTED', 'The charge is disputed, so nothing is shipped for it.', 'Nothing to do. If the dispute is won, set status to PENDING.', 'Asks Stripe again; ships only if the dispute is over.'),
  ('INVOICE_NOT_PAID', 'The invoice {invoice} is {status} at Stripe, so nothing is shipped for it.', 'Nothing to do.', 'Asks Stripe again.'),
  ('PARTIAL_REFUND', 'Part of the charge was refunded, and Stripe does not say for which line.', 'Set status to PENDING to cancel this order, or to CANCELLED to let it ship.', 'Cancels this order at the pharmacy.'),
  ('PAYMENT_NOT_TOLD', 'The customer is not told that a payment failed, because {why}.', 'Nothing to do.', 'Asks Stripe again.'),
  -- Orders and parcels.
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
  ('ALREADY_SHIPPED', 'Order {order} should be cancelled ({cause}), but it has already shipped.', 'Decide with the customer, then set status to CANCELLED.', 'Looks at the order again; a shipped parcel cannot be called back.'),
  ('DUPLICATE_SHIPPED', 'The pharmacy shipped a second order {pharmacy_order} for order {order}.', 'Tell the customer and the pharmacy, then set status to CANCELLED.', 'Looks at the second order again.'),
  ('SHIPPED_AFTER_CANCEL', 'Order {order} was cancelled, but the pharmacy shipped it.', 'Tell the customer and the pharmacy, then set status to CANCELLED.', 'Looks at the order again.'),
  ('UNKNOWN_ORDER', 'The pharmacy tells of an order with our reference {reference}, which is in no row of tracker.orders.', 'Ask engineering: the database may have been restored to an earlier moment.', 'Looks for the order again.'),
  ('ORDER_STILL_LIVE', 'Order {order} is {state}, so it is not replaced.', 'Wait until it ended. If the parcel is lost, add "lost": true to data and set status to PENDING.', 'Looks at the order again.'),
  ('ORDER_ALREADY_REPLACED', 'Order {order} was replaced by order {replacement} already.', 'If that parcel is lost too, put {replacement} into order_id in data and set status to PENDING. Otherwise set it to CANCELLED.', 'Looks at the order again.'),
  ('ORDER_CALLED_OFF', 'Order {order} was called off before it was placed, because {why}.', 'Nothing to do. If it should ship after all (a dispute was won), add a task with the step order.replace and {"order_id": {order}} as its data.', 'Looks at the order again; it stays called off.'),
  ('ORDER_NOT_FOUND', 'There is no order {order}.', 'Correct order_id in data, then set status to PENDING.', 'Looks for the order again.'),
  ('ADDRESS_CHANGED', 'Order {order} was placed before the address of customer {customer} changed, and the pharmacy would still send it to the former one.', 'Set status to PENDING to have it placed anew to the address in the health record, or to CANCELLED if the parcel may go to the former one.', 'Compares the addresses again. If they differ, cancels the order at the pharmacy and places it anew, once.'),
  ('ADDRESS_INCOMPLETE', 'The address of customer {customer} in the health record is no longer complete, and the pharmacy would send order {order} to the former one.', 'Have the address completed in the health record, then set status to PENDING. Set it to CANCELLED if the parcel may go to the former one.', 'Compares the addresses again. If they differ, cancels the order at the pharmacy and places it anew, once.'),
  -- Subscriptions that a first prescription starts.
  ('SUBSCRIPTION_STARTS_LATER', 'A first prescription of product {product}: its subscription is started at {time}, unless there is one by then.', 'Nothing to do. To prevent it, set status to CANCELLED.', 'Looks at Stripe and the prescription now, and starts it, once.'),
  ('PRESCRIPTION_NOT_VALID_YET', 'Prescription {prescription} is valid from {day} on; the subscription is started then.', 'Nothing to do.', 'Looks whether the day has come.'),
  ('NO_PAYMENT_METHOD', 'Customer {customer} has no payment method at Stripe, so no subscription for product {product} was started.', 'Ask the customer to add one: the subscription is then started by itself. Set status to PENDING to look now, or to CANCELLED if the customer does not want the product.', 'Looks at Stripe and the prescription again, and starts the subscription, once.'),
  ('CARD_DECLINED', 'The first charge for product {product} of customer {customer} was declined (code {code}). No subscription was made and nothing was charged.', 'Ask the customer for another card, with which it is tried by itself. After a call to the bank set status to PENDING; or to CANCELLED if the customer does not want the product.', 'Looks at Stripe and the prescription again, and tries the charge once more.'),
  ('FIRST_CHARGE_OPEN', 'Subscription {subscription} was started for the first prescription of customer {customer}, but its first charge is not paid (status {status}).', 'Have the invoice paid or the subscription ended at Stripe, then set status to PENDING.', 'Looks at the subscription again. No other one is started.'),
  ('NOT_THE_FIRST_PRESCRIPTION', 'Customer {customer} has a valid prescription {prescription} for product {product} and never had a subscription for it, but {why}.', 'Ask the customer. Set status to PENDING to start the subscription and charge for it, or to CANCELLED to leave it.', 'Looks at Stripe and the prescription again, and starts the subscription, once.'),
  ('PRESCRIPTION_FOR_UNKNOWN_PRODUCT', 'Prescription {prescription} of customer {customer} is for none of our products: {why}.', 'Open it in the health record. If we sell it, add its RxNorm code to registry.product_keys and set status to PENDING. If not, set status to CANCELLED.', 'Looks at the customer''s prescriptions again, and starts what there is to start.'),
  ('PRODUCT_NOT_SOLD', 'Customer {customer} has a first prescription for product {product}, which is retired in registry.products, so no subscription was started.', 'If it is sold after all, set the product to active and this task to PENDING. Otherwise have another product prescribed and set this task to CANCELLED.', 'Looks again, and starts the subscription if the product is sold.'),
  ('SUBSCRIBED_TWICE', 'Customer {customer} has two subscriptions for product {product} at Stripe: {first} and {second}.', 'Ask the customer, cancel one of them at Stripe and give its money back. Then set status to PENDING.', 'Looks again whether there are two.'),
  -- Refills and renewals.
  ('REFILL_WITHOUT_PRESCRIPTION', 'Subscription {subscription} is active, but {why}.', 'Have a prescription written for the product, or end the subscription at Stripe. Both close this by themselves.', 'Looks at the prescriptions again.'),
  ('REFILL_DATES_UNKNOWN', 'Nobody can tell when the prescription behind subscription {subscription} must be renewed: {what} is missing or unclear.', 'Have prescription {prescription} completed in the health record. That closes this by itself.', 'Looks at the prescription again.'),
  ('REFILL_UNCLEAR', 'Subscription {subscription} is active, but {what}, so nobody can tell what it refills, or when.', 'Correct the subscription at Stripe (or its price), or end it. Both close this by themselves.', 'Looks at the subscription again.'),
  ('REFILL_TWICE', 'Customer {customer} pays twice for the same product: by subscription {other} and by subscription {subscription}.', 'Ask the customer, and end one of them at Stripe: that closes this by itself. If both are wanted, make them one with a quantity of 2.', 'Looks at the subscriptions again.'),
  ('SUBSCRIPTION_STATUS_UNKNOWN', 'Subscription {subscription} has the status {status} at Stripe, which nothing here understands.', 'Ask engineering what it means for refills.', 'Asks Stripe again.'),
  ('RENEWAL_LAPSED', 'The prescription behind subscription {subscription} was not renewed in time.', 'Talk to the customer and the prescriber. A new prescription closes this by itself; the end of the subscription does too.', 'Looks again whether it was renewed.'),
  ('BILLING_NOT_PAUSED', 'Subscription {subscription} has lapsed without a prescription, but bills other products too, so billing was not paused.', 'At Stripe take the product out of the subscription or give the money back; then set status to CANCELLED.', 'Looks again, and pauses billing if the subscription bills this product alone.'),
  ('RENEWAL_NOT_NEEDED', 'The renewal is over, or the subscription no longer active, so the customer is not written to.', 'Nothing to do.', 'Looks again.'),
  ('CUSTOMER_ON_HOLD', 'The customer paused the subscription, so nothing is sent.', 'Nothing to do: it goes on when the customer resumes.', 'Asks Stripe now.'),
  -- Products that are in use and should not be, and price moves.
  ('KEY_UNREGISTERED', 'No product has the {system} {key}, though it was in use {used} times when last counted.', 'Add it to registry.product_keys, then set status to PENDING. If it is nothing that the company ships, set status to CANCELLED: it is not asked about again.', 'Looks at the registry and at the last count again.'),
  ('KEY_RETIRED_IN_USE', 'The {system} {key} is retired, but was still in use {used} times when last counted.', 'For a Stripe price run npm run product:retire with it and the price that replaces it; for a treatment have new prescriptions written under the new one. Then set status to PENDING. To leave it as it is, set status to CANCELLED: what is paid for still ships.', 'Looks at the registry and at the last count again.'),
  ('PRICE_NOT_SOLD', 'Stripe no longer sells at the price {price}, so nobody can be moved to it.', 'Activate the price at Stripe, then set status to PENDING.', 'Asks Stripe again and goes on.'),
  ('MOVE_CHANGED_BILLING', 'Subscription {subscription} was moved to the price {price}, but afterwards {what} was not as before.', 'Look at the subscription''s events at Stripe. If the customer or a colleague changed it meanwhile, set status to CANCELLED. Otherwise set it right at Stripe and tell engineering.', 'Looks at the subscription again; it is not moved a second time.'),
  -- Facts on their way to the CRM, to Stripe and to the login.
  ('FACT_IS_PAST', 'The order has moved past {fact}, so the CRM is told what came after it instead.', 'Nothing to do.', 'Looks at the order again.'),
  ('FACT_IS_TOO_OLD', 'The CRM was never told {fact}: it is over 72 hours old, and the CRM starts nothing for so old an event.', 'If the customer should know, tell them another way.', 'Looks at its age again; it is not told.'),
  ('CRM_EMAIL_MISSING', 'The CRM has no email for customer {customer}, who has one elsewhere.', 'Give the person their email in the CRM. That runs this again by itself.', 'Reads the CRM again. An empty email is never copied anywhere.'),
  ('LOGIN_UNKNOWN', 'Supabase Auth has no user {login} (customer {customer}).', 'Correct login_user_id in registry.customers, or empty it if the login was deleted. Then set status to PENDING.', 'Looks the login up again.'),
  ('LOGIN_MAIL_LIMIT', 'Supabase Auth sends no more mails for now. The customer is asked a little later whether the login''s email may change.', 'Usually nothing. If it lasts: raise the limit of emails in the Supabase dashboard (Authentication, Rate Limits).', 'Has Supabase Auth ask the customer now.'),
  ('LOGIN_NEEDS_CUSTOMER', 'The login of customer {customer} is protected by a second factor, so only they can change its email.', 'Ask the customer to sign in and to change the login''s email to the one in the CRM. Then set status to PENDING.', 'Compares the login with the CRM again.'),
  ('LOGIN_CONFIRMATION_OFF', 'Supabase Auth takes a new email without asking whoever has it, so no login''s email is changed.', 'In the Supabase dashboard turn on "Confirm email" (Authentication, Providers, Email). Then set status to PENDING.', 'Looks at the setting again, then has Supabase Auth ask the customer.'),
  ('LOGIN_CHANGE_REFUSED', 'Supabase Auth did not ask customer {customer} whether the login''s email may change (code {code}).', 'Look the user up in the Supabase dashboard (Authentication) and settle it there, or ask the customer to change the email in the app. Then set status to PENDING.', 'Compares the login with the CRM again, and has Supabase Auth ask the customer if they still differ.'),
  ('LOGIN_EMAIL_NOT_FREE', 'Customer {customer} is to get an email that another login (customer: {other}) still has. It waits until that one has moved to its new address.', 'Nothing to do: the other customer was asked to confirm.', 'Looks whether the email is free.'),
  ('LOGIN_EMAIL_TAKEN', 'The email that the CRM gives customer {customer} belongs to another login (customer: {other}).', 'Find out whose address it is and correct the email in the CRM; that runs this again by itself. If the other login is nobody''s, delete it in the Supabase dashboard (Authentication) and set status to PENDING.', 'Looks whether the email is free.'),
  ('LOGIN_EMAILS_SWAPPED', 'The logins of customers {customer} and {other} (perhaps with others between them) each have the email that the next one is to get, so Supabase Auth can begin with none.', 'Agree with customer {customer} on another address for the time being, put it into the CRM, and have them confirm it. Then the others move by themselves; put the right address back into the CRM after that.', 'Looks whether one of them has moved.'),
  ('LOGIN_NOT_CONFIRMED', 'Supabase Auth asked customer {customer} {times} times by mail whether the login''s email may change, and nobody answered.', 'Ask the customer whether the email in the CRM is right and correct it there; that runs this again by itself. If it is right: have them change the login''s email in the app, then set status to PENDING.', 'Compares the login with the CRM again.'),
  -- The nights' work.
  ('ENDPOINT_SILENT', '{missing} of {total} messages of {vendor} ({kind}) never reached us; the nightly check found and took them up.', 'Look at the webhook endpoint in the vendor''s dashboard: is it switched on and subscribed to {kind}, is its address right, is its signing secret the one of our environment? This closes by itself after a night in which most messages came.', 'Looks whether most messages came since.'),
  ('EVENTS_OUT_OF_REACH', 'Clockwork did not hear what happened at Stripe between {from} and {until}, and Stripe lists only its last {days} days.', 'Look in Stripe''s dashboard for refunds and disputes of that time, and act on them there and with the customers. Then set status to PENDING for the invoices that were paid, or to CANCELLED if all of them are settled.', 'Goes through the invoices paid in that time. Each that Clockwork has never seen becomes an order, unless its money was given back; what needs no order any more must be refunded before.'),
  ('CHECK_OVERTAKEN', 'A later check went on from where the last complete one ended, so this page of an earlier one is not needed.', 'Nothing to do.', 'Looks whether its check is still under way.'),
  ('DRIFTS_AGAIN', '{attribute} of customer {customer} differed from {owner} in {mirror} {times} times within {days} days. Likely cause: {cause}.', 'Find what writes there, or why events do not come (ops.vendors, ops.drift); every night it is put right meanwhile. Then set status to PENDING.', 'Looks again: if all is right this is done, if not it is put right and this stays.'),
  ('CHANGE_UNDER_WAY', 'News of it may still be on its way, so it is looked at again later.', 'Nothing to do.', 'Looks now.'),
  ('NIGHT_UNFINISHED', 'The nightly work {step} of {day} has not come to its end.', 'Look in ops.waiting for what it waits for, and in ops.vendors for a vendor that is paused or fails. It goes on by itself, and each night begins anew; once one came to its end, set this to CANCELLED.', 'Does the work anew, now.'),
  -- Vendors, and Clockwork itself.
  ('VENDOR_REFUSED', '{vendor} refused: {operation} (status {status}, code {code}).', 'Look the matter up in the vendor''s own dashboard, settle it, then set status to PENDING.', 'Asks the vendor again. What is already confirmed is not sent again.'),
  ('VENDOR_UNANSWERED', '{vendor} did not answer: {operation}.', 'While it is retried: nothing. Once it stopped: check the vendor''s status page, then set status to PENDING.', 'Asks the vendor whether it was done, and does it only if it was not.'),
  ('VENDOR_PAUSED', '{vendor} is paused.', 'Nothing to do. To go on at once, clear paused_until in clockwork.vendors.', 'Waits for the pause to end.'),
  ('EFFECT_HELD', 'Another run is doing this right now: {operation}.', 'Nothing to do.', 'Looks whether it was done.'),
  ('EFFECT_SETTLING', '{vendor} did not say whether it was done: {operation}. We ask again after a moment.', 'Nothing to do.', 'Asks the vendor whether it was done.'),
  ('OUTCOME_UNKNOWN', '{vendor} never said whether it was done, and cannot be asked: {operation}.', 'Look it up in the vendor''s dashboard. If it was not done, set status to PENDING.', 'Does it again.'),
  ('NOT_YET_VISIBLE', '{vendor} does not show what its own message says.', 'While it is retried: nothing. Once it stopped: look the matter up in the vendor''s own dashboard, then set status to PENDING, or to CANCELLED if there is nothing to it.', 'Looks again.'),
  ('DRAIN_DIED', 'The work was cut off on its last try.', 'Set status to PENDING. If it happens again, ask engineering.', 'Runs the step again. What is already confirmed is not sent again.'),
  ('INTERNAL_ERROR', 'Clockwork itself failed in this step ({error}).', 'Ask engineering, then set status to PENDING.', 'Runs the step again. What is already confirmed is not sent again.');
