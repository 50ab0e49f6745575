-- Purpose: the catalogue of reasons: the sentence that a person reads, the usual repair, and the result of a resend.
-- Touches: clockwork.reasons, clockwork.reason_text().
-- Watch: `npm run generate` makes a type of the codes (src/shared/queue/reasons.ts: ReasonCode). Details fill the sentence
--   only: a repair and a result of a resend name no {detail}.

create table clockwork.reasons (
  code text primary key,
  sentence text not null,
  repair text not null,
  on_resend text not null
);
alter table clockwork.reasons enable row level security;

comment on table clockwork.reasons is 'Every reason that a task can give, in plain words.';
comment on column clockwork.reasons.sentence is 'The fault, in plain words. The task''s details fill each {name}.';
comment on column clockwork.reasons.repair is 'The usual repair.';
comment on column clockwork.reasons.on_resend is 'The result of setting the task to PENDING.';

create trigger refuse_delete before delete on clockwork.reasons
  for each statement execute function clockwork.refuse_removal('Tasks name these reasons.');
create trigger refuse_truncate before truncate on clockwork.reasons
  for each statement execute function clockwork.refuse_removal('Tasks name these reasons.');

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
comment on function clockwork.reason_text(text, jsonb) is 'A reason''s sentence with its details filled in. Null for a code that is not in the catalogue.';

insert into clockwork.reasons (code, sentence, repair, on_resend) values
  -- Events and tasks that cannot be read.
  ('UNKNOWN_EVENT', 'No step handles {step} yet.', 'Nothing to do. If this event should start something, ask engineering for a step.', 'Runs the step, once there is one.'),
  ('UNREADABLE_EVENT', '{source} sent a signed message that cannot be read ({bytes} bytes, SHA-256 {sha256}).', 'Ask engineering to compare it with the vendor''s own delivery log. Then set status to CANCELLED.', 'Does nothing, because the message was not kept.'),
  ('NOT_OURS', 'Clockwork did not make the pharmacy order {order}.', 'Nothing to do.', 'Reads the pharmacy order again.'),
  ('INVALID_DATA', 'The data of this task does not fit its step: {problem}.', 'Correct data, then set status to PENDING.', 'Runs the step with the corrected data.'),
  ('UNKNOWN_STEP', 'No step is called {step}.', 'If the name was mistyped, set status to CANCELLED and add a task with the right name. Otherwise ask engineering.', 'Runs the step, once there is one.'),
  -- Keys that the registry lacks.
  ('UNKNOWN_CUSTOMER', 'No customer has {column} {key}.', 'Put the key into the customer''s row in registry.customers, or add a row for a new customer. Then set status to PENDING.', 'Searches for the customer again, then goes on.'),
  ('MISSING_CUSTOMER_KEY', 'Customer {customer} has no {column}.', 'Fill in that cell in registry.customers, then set status to PENDING.', 'Reads the key again, then goes on.'),
  ('UNKNOWN_PRODUCT', 'No product has the {system} {key}.', 'Add the key to registry.product_keys, then set status to PENDING.', 'Searches for the product again, then goes on.'),
  ('PRODUCT_HAS_NO_CODE', 'Product {product} has no rxnorm key, so no prescription can be for it.', 'Add its RxNorm codes to registry.product_keys, then set status to PENDING.', 'Checks the prescriptions again.'),
  ('STRIPE_CUSTOMER_UNKNOWN', 'Stripe has no customer {key}, the stripe_customer_id of customer {customer}.', 'Correct stripe_customer_id in registry.customers. If the customer was deleted at Stripe on purpose, empty that cell. Then set status to PENDING.', 'Reads the customer at Stripe again.'),
  ('HEALTH_PATIENT_UNKNOWN', 'The health record has no patient {patient} (customer {customer}).', 'Correct health_patient_id in registry.customers, then set status to PENDING.', 'Reads the patient in the health record again.'),
  ('HEALTH_PATIENT_UNANSWERED', 'The health record replies about other patients, but not about patient {patient} (customer {customer}).', 'Open the patient in the health record. If that fails too, ask its vendor. This closes by itself when a reply comes.', 'Reads the patient in the health record again.'),
  ('CRM_PERSON_UNKNOWN', 'The CRM has no person {person} (customer {customer}).', 'Correct crm_person_id in registry.customers, or have the person made in the CRM. Then set status to PENDING.', 'Reads the owner again, then writes.'),
  ('CRM_PERSON_UNREACHABLE', 'The CRM has no email and no phone of person {person}, so it cannot reach customer {customer}.', 'Have an email or a phone put into the CRM, then set status to PENDING. Or reach the customer in another way, and set status to CANCELLED.', 'Reads the person in the CRM again, then tells the CRM.'),
  -- Keys that lead to no customer, or to more than one, and merges.
  ('EMAIL_IS_NO_PROOF', '{what} is in no row of registry.customers. Its email is that of customer {customers}. That proves nothing, because families share one.', 'Find out which customer it belongs to. Put that number into customer_id in data. To make a new customer, leave customer_id null. Then set status to PENDING.', 'Links the key to customer_id. A null customer_id makes a new customer.'),
  ('PATIENT_OF_NOBODY', '{what} is in no row of registry.customers and names no customer.', 'Find out which customer it belongs to. Put that number into customer_id in data. To make a new customer, leave customer_id null. Then set status to PENDING. If it is no customer of ours, set status to CANCELLED. It is then not asked about again.', 'Links the patient to customer_id. A null customer_id makes a new customer.'),
  ('REFERENCE_LEADS_NOWHERE', '{what} names a customer that registry.customers does not have ({reference}).', 'Find out which customer it belongs to. Put that number into customer_id in data. To make a new customer, leave customer_id null. Then set status to PENDING.', 'Links the key to customer_id. A null customer_id makes a new customer.'),
  ('REFERENCES_DIFFER', '{what} leads to more than one customer: {customers}.', 'If they are one person, add a task with the step customer.merge. If not, put the right number into customer_id in data. Then set status to PENDING.', 'Links the key to customer_id. A null customer_id makes a new customer.'),
  ('KEY_AND_REFERENCE_DIFFER', '{what} is in the row of customer {customer}, but names customer {other}.', 'If they are one person, add a task with the step customer.merge. If the key is in the wrong row, put it into the right row of registry.customers. Then set status to CANCELLED.', 'Does nothing while the key is in a row.'),
  ('CUSTOMER_HAS_ANOTHER_KEY', '{what} leads to customer {customer}, who has another key in that system: {other}.', 'If it replaces the other key, put the customer''s number into customer_id in data and add "replace": true. If it belongs to somebody else, put their number there. To make a new customer, leave customer_id null. Then set status to PENDING.', 'Links the key to customer_id, if that customer has no other key or data says to replace it. A null customer_id makes a new customer.'),
  ('KEY_CAME_BACK', '{what} is in use again. It is a former key of customer {customer} ({why}).', 'If it belongs to that customer again, put the number into customer_id in data and set status to PENDING. Otherwise set status to CANCELLED.', 'Links the key to customer_id. A former key never makes a new customer.'),
  ('KEY_IS_ANOTHERS', '{what} belongs to customer {customer}.', 'If that is right, set status to CANCELLED. If it is in the wrong row, put it into the right row of registry.customers, then set status to PENDING.', 'Checks again which customer has the key.'),
  ('KEY_IS_GONE', '{what} no longer exists, so it belongs to nobody.', 'Nothing to do.', 'Checks again whether it exists.'),
  ('CUSTOMER_NOT_THERE', 'The registry has no customer {customer}.', 'Correct the number in data, then set status to PENDING.', 'Searches for the customer again.'),
  ('PATIENT_MERGE_UNCLEAR', 'The health record says that {what} was replaced. Its replacement is unclear: {problem}.', 'Have the patient corrected in the health record. The event of that correction ends this. If this task is still here after that, set status to CANCELLED.', 'Reads the patient in the health record again.'),
  ('CUSTOMERS_ARE_ONE', 'The health record says that customers {from} and {into} are one person ({old} was replaced by {new}).', 'If that is right, set status to PENDING. If not, have the health record corrected and set status to CANCELLED.', 'Merges the first customer into the second, with every key, order and renewal.'),
  ('MERGE_KEYS_DIFFER', 'Customers {from} and {into} both have a key in {system}: {one} and {other}.', 'For Stripe or the health record, merge or delete one of the two there. For the pharmacy, crm or login, give up the first customer''s key: add "give_up": ["pharmacy"] (or crm, login) to data. Then set status to PENDING.', 'Reads the owners again, and merges the two if nothing prevents it.'),
  ('MERGE_RENEWALS_COLLIDE', 'Customers {from} and {into} both have an open renewal of product {product}.', 'In tracker.renewals, set state of one of them to CANCELLED. Then set status of this task to PENDING.', 'Merges the two if nothing prevents it.'),
  ('ALREADY_MERGED', 'Customer {from} was already merged into customer {into}.', 'If that is right, there is nothing to do.', 'Checks the two customers again.'),
  -- Money.
  ('INVOICE_NOT_FOUND', 'Stripe does not know the invoice {invoice}.', 'Check that the webhook and the API key belong to the same Stripe account.', 'Reads the invoice at Stripe again.'),
  ('CHARGE_NOT_FOUND', 'Stripe does not know the charge {charge}.', 'Check that the webhook and the API key belong to the same Stripe account.', 'Reads the charge at Stripe again.'),
  ('CHARGE_REFUNDED', 'The charge was refunded, so nothing is shipped for it.', 'Nothing to do.', 'Reads the charge at Stripe again. Ships only if the refund is gone.'),
  ('CHARGE_DISPUTED', 'The charge is disputed, so nothing is shipped for it.', 'Nothing to do. If the dispute is won, set status to PENDING.', 'Reads the charge at Stripe again. Ships only if the dispute is over.'),
  ('INVOICE_NOT_PAID', 'The invoice {invoice} is {status} at Stripe, so nothing is shipped for it.', 'Nothing to do.', 'Reads the invoice at Stripe again.'),
  ('PARTIAL_REFUND', 'Part of the charge was refunded. Stripe does not name the invoice line.', 'To cancel this order, set status to PENDING. To let it ship, set status to CANCELLED.', 'Cancels this order at the pharmacy.'),
  ('PAYMENT_NOT_TOLD', 'The CRM is not told of the failed payment, because {why}.', 'Nothing to do.', 'Reads the invoice and the subscription at Stripe again.'),
  -- Orders and parcels.
  ('NOT_DUE_YET', 'This order waits until {day}, the day of its fill.', 'Nothing to do.', 'Checks whether that day has come.'),
  ('NO_VALID_PRESCRIPTION', 'The customer has no valid prescription for this product: {why}. The order waits.', 'Have a prescription written. The order then goes on by itself.', 'Checks the prescriptions now.'),
  ('PRESCRIPTION_UNCLEAR', 'The prescription on file does not count as valid, because {what} is missing or unclear.', 'Have the prescription completed in the health record, then set status to PENDING.', 'Checks the prescriptions again.'),
  ('PRESCRIPTION_NOT_AT_PHARMACY', 'The prescription is on file, but the pharmacy does not have it with a fill left. The order waits.', 'Usually nothing. After a day, ask the prescriber to send it to the pharmacy.', 'Reads the prescriptions at the pharmacy now.'),
  ('SUBSCRIPTION_PAUSED', 'The customer paused the subscription. The order waits.', 'Nothing to do. The order ships when the customer resumes.', 'Reads the subscription at Stripe now.'),
  ('SUBSCRIPTION_NOT_ACTIVE', 'The subscription is {status} at Stripe, though this fill is paid for.', 'Refund the fill at Stripe. Or, to ship it all the same, add "ship_despite_subscription": true to data and set status to PENDING.', 'Reads the subscription at Stripe again. Ships only if it is active or data says to.'),
  ('NO_SHIPPING_ADDRESS', 'The health record has no complete shipping address for customer {customer}.', 'Have the address completed in the health record, then set status to PENDING.', 'Reads the address again, then goes on.'),
  ('PHARMACY_CANCELLED', 'The pharmacy cancelled order {order} without our request.', 'Call the pharmacy. For a replacement, set status to PENDING. After a refund, set status to CANCELLED.', 'Places a replacement order, once.'),
  ('PHARMACY_FAILED', 'The pharmacy could not fill order {order}.', 'Call the pharmacy. For a replacement, set status to PENDING. After a refund, set status to CANCELLED.', 'Places a replacement order, once.'),
  ('PHARMACY_NEEDS_ATTENTION', 'The pharmacy keeps order {order} back until somebody replies.', 'Open the order in the pharmacy''s portal and resolve it there. Then set status to PENDING.', 'Reads the pharmacy order again.'),
  ('PARCEL_RETURNED', 'The parcel of order {order} came back.', 'Check the address with the customer. For a replacement, set status to PENDING. After a refund, set status to CANCELLED.', 'Places a replacement order, once.'),
  ('ALREADY_SHIPPED', 'Order {order} should be cancelled ({cause}), but it has already shipped.', 'Decide with the customer, then set status to CANCELLED.', 'Reads the order again. A shipped parcel cannot be called back.'),
  ('DUPLICATE_SHIPPED', 'The pharmacy shipped a second order {pharmacy_order} for order {order}.', 'Inform the customer and the pharmacy, then set status to CANCELLED.', 'Reads the second order again.'),
  ('SHIPPED_AFTER_CANCEL', 'Order {order} was cancelled, but the pharmacy shipped it.', 'Inform the customer and the pharmacy, then set status to CANCELLED.', 'Reads the order again.'),
  ('UNKNOWN_ORDER', 'The pharmacy has an order with our reference {reference}, which is in no row of tracker.orders.', 'Ask engineering. The database may have been restored to an earlier moment.', 'Searches for the order again.'),
  ('ORDER_STILL_LIVE', 'Order {order} is {state}, so it is not replaced.', 'Wait until the order has ended. If the parcel is lost, add "lost": true to data and set status to PENDING.', 'Reads the order again.'),
  ('ORDER_ALREADY_REPLACED', 'Order {order} was already replaced by order {replacement}.', 'If that parcel is lost too, put the replacement''s number into order_id in data and set status to PENDING. Otherwise set status to CANCELLED.', 'Reads the order again.'),
  ('ORDER_CALLED_OFF', 'Order {order} was cancelled before it was placed, because {why}.', 'Nothing to do. If it should ship after all (a won dispute), add a task with the step order.replace and {"order_id": <its number>} as data.', 'Reads the order again. It stays cancelled.'),
  ('ORDER_NOT_FOUND', 'The table tracker.orders has no order {order}.', 'Correct order_id in data, then set status to PENDING.', 'Searches for the order again.'),
  ('ADDRESS_CHANGED', 'The address of customer {customer} changed after order {order} was placed. The pharmacy would still send the parcel to the former address.', 'To replace the order with one to the address in the health record, set status to PENDING. If the parcel may go to the former address, set status to CANCELLED.', 'Compares the addresses again. If they differ, cancels the order at the pharmacy and replaces it, once.'),
  ('ADDRESS_INCOMPLETE', 'The address of customer {customer} in the health record is no longer complete. The pharmacy would send order {order} to the former address.', 'Have the address completed in the health record, then set status to PENDING. If the parcel may go to the former address, set status to CANCELLED.', 'Compares the addresses again. If they differ, cancels the order at the pharmacy and replaces it, once.'),
  -- Subscriptions that a first prescription starts.
  ('SUBSCRIPTION_STARTS_LATER', 'The subscription for a first prescription of product {product} is started at {time}, unless there is one by then.', 'Nothing to do. To prevent the start, set status to CANCELLED.', 'Reads Stripe and the prescription now, and starts the subscription, once.'),
  ('PRESCRIPTION_NOT_VALID_YET', 'Prescription {prescription} is valid from {day} on. The subscription is started then.', 'Nothing to do.', 'Checks whether that day has come.'),
  ('NO_PAYMENT_METHOD', 'Customer {customer} has no payment method at Stripe, so no subscription for product {product} was started.', 'Ask the customer to add one. The subscription is then started by itself. To try now, set status to PENDING. If the customer does not want the product, set status to CANCELLED.', 'Reads Stripe and the prescription again, and starts the subscription, once.'),
  ('CARD_DECLINED', 'The first charge for product {product} of customer {customer} was declined (code {code}). No subscription was made and nothing was charged.', 'Ask the customer for another card. The charge is then tried again by itself. After a call to the bank, set status to PENDING. If the customer does not want the product, set status to CANCELLED.', 'Reads Stripe and the prescription again, and tries the charge once more.'),
  ('FIRST_CHARGE_OPEN', 'Subscription {subscription} was started for the first prescription of customer {customer}. Its first charge is not paid (status {status}).', 'Have the invoice paid or the subscription ended at Stripe, then set status to PENDING.', 'Reads the subscription again. No other one is started.'),
  ('NOT_THE_FIRST_PRESCRIPTION', 'Customer {customer} has a valid prescription {prescription} for product {product}, but never had a subscription for it. None was started, because {why}.', 'Ask the customer. To start the subscription and charge for it, set status to PENDING. To leave it, set status to CANCELLED.', 'Reads Stripe and the prescription again, and starts the subscription, once.'),
  ('PRESCRIPTION_FOR_UNKNOWN_PRODUCT', 'Prescription {prescription} of customer {customer} is for none of our products: {why}.', 'Open it in the health record. If we sell it, add its RxNorm code to registry.product_keys and set status to PENDING. If not, set status to CANCELLED.', 'Reads the customer''s prescriptions again, and starts the subscriptions that follow from them.'),
  ('PRODUCT_NOT_SOLD', 'Customer {customer} has a first prescription for product {product}. That product is retired in registry.products, so no subscription was started.', 'If it is sold after all, set status of the product to active and status of this task to PENDING. Otherwise have another product prescribed and set status of this task to CANCELLED.', 'Checks again, and starts the subscription if the product is sold.'),
  ('SUBSCRIBED_TWICE', 'Customer {customer} has two subscriptions for product {product} at Stripe: {first} and {second}.', 'Ask the customer, cancel one of them at Stripe and refund it. Then set status to PENDING.', 'Checks again whether there are two.'),
  -- Refills and renewals.
  ('REFILL_WITHOUT_PRESCRIPTION', 'Subscription {subscription} is active, but {why}.', 'Have a prescription written for the product, or end the subscription at Stripe. Each of them closes this by itself.', 'Reads the prescriptions again.'),
  ('REFILL_DATES_UNKNOWN', 'The due day of subscription {subscription} is unknown. In prescription {prescription}, {what} is missing or unclear.', 'Have the prescription completed in the health record. That closes this by itself.', 'Reads the prescription again.'),
  ('REFILL_UNCLEAR', 'Subscription {subscription} is active, but {what}. Its refills or their days are unknown.', 'Correct the subscription (or its price) at Stripe, or end it. Each of them closes this by itself.', 'Reads the subscription again.'),
  ('REFILL_TWICE', 'Customer {customer} pays twice for the same product: by subscription {other} and by subscription {subscription}.', 'Ask the customer, and end one of them at Stripe. That closes this by itself. If both are wanted, make them one with a quantity of 2.', 'Reads the subscriptions again.'),
  ('SUBSCRIPTION_STATUS_UNKNOWN', 'Subscription {subscription} has the status {status} at Stripe, which Clockwork does not know.', 'Ask engineering about the meaning of this status for refills.', 'Reads the subscription at Stripe again.'),
  ('RENEWAL_LAPSED', 'The prescription behind subscription {subscription} was not renewed in time.', 'Talk to the customer and the prescriber. A new prescription closes this by itself. The end of the subscription closes it too.', 'Checks again whether it was renewed.'),
  ('BILLING_NOT_PAUSED', 'Subscription {subscription} has lapsed without a prescription. It bills other products too, so billing was not paused.', 'At Stripe, take the product out of the subscription or refund it. Then set status to CANCELLED.', 'Reads the subscription again, and pauses billing if it bills this product alone.'),
  ('RENEWAL_NOT_NEEDED', 'The renewal is over or the subscription is no longer active, so the customer gets no mail.', 'Nothing to do.', 'Checks the renewal again.'),
  ('CUSTOMER_ON_HOLD', 'The customer paused the subscription, so nothing is sent.', 'Nothing to do. The mails go on when the customer resumes.', 'Reads the subscription at Stripe now.'),
  -- Products that are in use and should not be, and price moves.
  ('KEY_UNREGISTERED', 'No product has the {system} {key}, which was in use {used} times at the last count.', 'Add it to registry.product_keys, then set status to PENDING. If it is nothing that the company ships, set status to CANCELLED. It is then not asked about again.', 'Reads the registry and the last count again.'),
  ('KEY_RETIRED_IN_USE', 'The {system} {key} is retired, but was still in use {used} times at the last count.', 'For a Stripe price, run npm run product:retire with it and the price that replaces it. For a treatment, have new prescriptions written under the new one. Then set status to PENDING. To leave it as it is, set status to CANCELLED. Paid fills still ship.', 'Reads the registry and the last count again.'),
  ('PRICE_NOT_SOLD', 'Stripe no longer sells at the price {price}, so no subscription can be moved to it.', 'Activate the price at Stripe, then set status to PENDING.', 'Reads the price at Stripe again, then goes on.'),
  ('MOVE_CHANGED_BILLING', 'Subscription {subscription} was moved to the price {price}. Afterwards this was not as before: {what}.', 'Read the subscription''s events at Stripe. If the customer or a colleague changed it meanwhile, set status to CANCELLED. Otherwise correct it at Stripe and inform engineering.', 'Reads the subscription again. It is not moved a second time.'),
  -- Facts on their way to the CRM, to Stripe and to the login.
  ('FACT_IS_PAST', 'The order has gone beyond {fact}, so the CRM is told the later fact instead.', 'Nothing to do.', 'Reads the order again.'),
  ('FACT_IS_TOO_OLD', 'The CRM was not told {fact}, because it is over 72 hours old. The CRM starts nothing for so old an event.', 'If the customer should know, inform them in another way.', 'Checks its age again. The CRM is not told.'),
  ('CRM_EMAIL_MISSING', 'The CRM has no email for customer {customer}, who has one elsewhere.', 'Put the person''s email into the CRM. That runs this again by itself.', 'Reads the CRM again. An empty email is never copied anywhere.'),
  ('LOGIN_UNKNOWN', 'Supabase Auth has no user {login} (customer {customer}).', 'Correct login_user_id in registry.customers. If the login was deleted, empty that cell. Then set status to PENDING.', 'Reads the login again.'),
  ('LOGIN_MAIL_LIMIT', 'Supabase Auth sends no more mails for now. It asks the customer to confirm the login''s new email a little later.', 'Usually nothing. If it lasts, raise the limit of emails in the Supabase dashboard (Authentication, Rate Limits).', 'Has Supabase Auth ask the customer now.'),
  ('LOGIN_NEEDS_CUSTOMER', 'A second factor protects the login of customer {customer}, so only they can change its email.', 'Ask the customer to sign in and to change the login''s email to the one in the CRM. Then set status to PENDING.', 'Compares the login with the CRM again.'),
  ('LOGIN_CONFIRMATION_OFF', 'Supabase Auth takes a new email without a confirmation by mail, so no login''s email is changed.', 'In the Supabase dashboard, turn on "Confirm email" (Authentication, Providers, Email). Then set status to PENDING.', 'Reads the setting again, then has Supabase Auth ask the customer.'),
  ('LOGIN_CHANGE_REFUSED', 'Supabase Auth did not ask customer {customer} to confirm the login''s new email (code {code}).', 'Open the user in the Supabase dashboard (Authentication) and resolve it there. Or ask the customer to change the email in the app. Then set status to PENDING.', 'Compares the login with the CRM again. If they still differ, has Supabase Auth ask the customer.'),
  ('LOGIN_EMAIL_NOT_FREE', 'The new email of customer {customer} still belongs to another login (customer: {other}). The change waits until that login has its own new email.', 'Nothing to do. The other customer was asked to confirm.', 'Checks whether the email is free.'),
  ('LOGIN_EMAIL_TAKEN', 'The email that the CRM gives customer {customer} belongs to another login (customer: {other}).', 'Find out which of the two customers the address belongs to, and correct the email in the CRM. That runs this again by itself. If the other login belongs to nobody, delete it in the Supabase dashboard (Authentication) and set status to PENDING.', 'Checks whether the email is free.'),
  ('LOGIN_EMAILS_SWAPPED', 'The logins of customers {customer} and {other} each wait for the other''s email. Further logins may be between them. Supabase Auth can change none of them first.', 'Agree with one of the customers on another address for the time being. Put it into the CRM, and have the customer confirm it. The other logins then change by themselves. After that, put the right address back into the CRM.', 'Checks whether one of the logins has changed.'),
  ('LOGIN_NOT_CONFIRMED', 'Supabase Auth asked customer {customer} {times} times by mail to confirm the login''s new email. Nobody confirmed it.', 'Ask the customer whether the email in the CRM is right. If it is wrong, correct it in the CRM. That runs this again by itself. If it is right, have the customer change the login''s email in the app, then set status to PENDING.', 'Compares the login with the CRM again.'),
  -- The nights' work.
  ('ENDPOINT_SILENT', '{missing} of {total} messages of {vendor} ({kind}) never reached us. The nightly check found and recorded them.', 'Open the webhook endpoint in the vendor''s dashboard. Check that it is switched on, subscribed to these messages, and has the right address. Check that its signing secret is the one of our environment. This closes by itself after a night in which most messages came.', 'Checks whether most messages have come since.'),
  ('EVENTS_OUT_OF_REACH', 'Clockwork did not hear of the events at Stripe between {from} and {until}. Stripe lists only its last {days} days.', 'Search Stripe''s dashboard for refunds and disputes of that time. Act on them there and with the customers. To have the paid invoices read, set status to PENDING. If all of them are resolved, set status to CANCELLED.', 'Reads the invoices paid in that time. Each invoice that is new to Clockwork becomes an order, unless its money was given back. Refund beforehand each invoice that needs no order any more.'),
  ('CHECK_OVERTAKEN', 'A later check went on from the end of the last complete one. This page of an earlier check is not needed.', 'Nothing to do.', 'Checks whether the earlier check is still under way.'),
  ('DRIFTS_AGAIN', '{attribute} of customer {customer} differed from {owner} in {mirror} {times} times within {days} days. Likely cause: {cause}.', 'Find out which program or person writes to the mirror, or why events do not come (ops.vendors, ops.drift). The mirror is repaired every night meanwhile. Then set status to PENDING.', 'Compares them again. If they agree, this is done. If not, the mirror is repaired and this stays.'),
  ('CHANGE_UNDER_WAY', 'The event of this change may still be on its way, so the values are compared again later.', 'Nothing to do.', 'Compares the values now.'),
  ('NIGHT_UNFINISHED', 'The nightly work {step} of {day} has not ended.', 'Find its task in ops.waiting. Find in ops.vendors a vendor that is paused or fails. The work goes on by itself, and each night begins anew. Once it has ended in one night, set status to CANCELLED.', 'Does the work anew, now.'),
  -- Vendors, and Clockwork itself.
  ('VENDOR_REFUSED', '{vendor} refused: {operation} (status {status}, code {code}).', 'Find the cause in the vendor''s own dashboard and resolve it there. Then set status to PENDING.', 'Sends the request again. A confirmed effect is not sent again.'),
  ('VENDOR_UNANSWERED', '{vendor} did not reply: {operation}.', 'While it is retried, there is nothing to do. Once it has stopped, check the vendor''s status page, then set status to PENDING.', 'Checks at the vendor whether it was done, and does it only if it was not.'),
  ('VENDOR_PAUSED', '{vendor} is paused.', 'Nothing to do. To go on at once, clear paused_until in clockwork.vendors.', 'Waits for the pause to end.'),
  ('EFFECT_HELD', 'Another run is doing this right now: {operation}.', 'Nothing to do.', 'Checks whether it was done.'),
  ('EFFECT_SETTLING', '{vendor} did not say whether it was done: {operation}. Clockwork checks again after a moment.', 'Nothing to do.', 'Checks at the vendor whether it was done.'),
  ('OUTCOME_UNKNOWN', '{vendor} never said whether it was done, and cannot be asked: {operation}.', 'Search for it in the vendor''s dashboard. If it was not done, set status to PENDING.', 'Does it again.'),
  ('NOT_YET_VISIBLE', '{vendor} does not yet show the change that its own message reports.', 'While it is retried, there is nothing to do. Once it has stopped, check the change in the vendor''s own dashboard, then set status to PENDING. If there is nothing to it, set status to CANCELLED.', 'Reads the vendor again.'),
  ('DRAIN_DIED', 'The work was cut off on its last try.', 'Set status to PENDING. If it happens again, ask engineering.', 'Runs the step again. A confirmed effect is not sent again.'),
  ('INTERNAL_ERROR', 'Clockwork itself failed in this step ({error}).', 'Ask engineering, then set status to PENDING.', 'Runs the step again. A confirmed effect is not sent again.');
