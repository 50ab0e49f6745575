-- Purpose: the answers that a person may give to each reason, and repairs that name them.
-- Touches: clockwork.reason_choices, clockwork.reasons (repair).
-- Watch: a reason without choices is never in front of a person, or its task is not stopped (test/sql/choices.test.ts).
--   `needs` guards a choice that would mean the opposite of its word without that attribute.

create table clockwork.reason_choices (
  code text not null references clockwork.reasons (code),
  position smallint not null,
  answer text not null,
  label text not null,
  status clockwork.task_status not null,
  data jsonb not null default '{}',
  needs text,
  primary key (code, answer),
  constraint choices_of_a_reason_have_an_order unique (code, position),
  constraint an_answer_is_in_lower_snake_case check (answer ~ '^[a-z]+(_[a-z]+)*$'),
  constraint a_choice_runs_the_task_or_ends_it check (status in ('PENDING', 'CANCELLED')),
  constraint data_is_an_object check (jsonb_typeof(data) = 'object')
);
alter table clockwork.reason_choices enable row level security;

comment on table clockwork.reason_choices is 'The answers that a person may give to a task in MANUAL_INTERVENTION, by its reason.';
comment on column clockwork.reason_choices.position is 'The place of the choice among those of its reason.';
comment on column clockwork.reason_choices.answer is 'The word that a person puts into clockwork.tasks.answer.';
comment on column clockwork.reason_choices.label is 'The meaning of the answer, in plain words.';
comment on column clockwork.reason_choices.status is 'The status that the answer sets: PENDING runs the task, CANCELLED ends it.';
comment on column clockwork.reason_choices.data is 'The attributes that the answer adds to the task''s data.';
comment on column clockwork.reason_choices.needs is 'An attribute of data that a person must fill in before this answer.';

create trigger refuse_delete before delete on clockwork.reason_choices
  for each statement execute function clockwork.refuse_removal('People answer with these words.');
create trigger refuse_truncate before truncate on clockwork.reason_choices
  for each statement execute function clockwork.refuse_removal('People answer with these words.');

insert into clockwork.reason_choices (code, position, answer, label, status, data, needs) values
  -- Events and tasks that cannot be read.
  ('UNREADABLE_EVENT', 1, 'end', 'nothing more is to be done', 'CANCELLED', '{}', null),
  ('INVALID_DATA', 1, 'try_again', 'run it with the corrected data', 'PENDING', '{}', null),
  ('UNKNOWN_STEP', 1, 'end', 'the name was mistyped', 'CANCELLED', '{}', null),
  ('UNKNOWN_STEP', 2, 'try_again', 'the step exists now', 'PENDING', '{}', null),
  -- Keys that the registry lacks.
  ('UNKNOWN_CUSTOMER', 1, 'try_again', 'search for the customer again', 'PENDING', '{}', null),
  ('MISSING_CUSTOMER_KEY', 1, 'try_again', 'read the key again', 'PENDING', '{}', null),
  ('UNKNOWN_PRODUCT', 1, 'try_again', 'search for the product again', 'PENDING', '{}', null),
  ('PRODUCT_HAS_NO_CODE', 1, 'try_again', 'check the prescriptions again', 'PENDING', '{}', null),
  ('STRIPE_CUSTOMER_UNKNOWN', 1, 'try_again', 'read the customer at Stripe again', 'PENDING', '{}', null),
  ('HEALTH_PATIENT_UNKNOWN', 1, 'try_again', 'read the patient in the health record again', 'PENDING', '{}', null),
  ('HEALTH_PATIENT_UNANSWERED', 1, 'try_again', 'read the patient in the health record again', 'PENDING', '{}', null),
  ('CRM_PERSON_UNKNOWN', 1, 'try_again', 'read the owner again, then write', 'PENDING', '{}', null),
  ('CRM_PERSON_UNREACHABLE', 1, 'try_again', 'the CRM has an email or a phone now', 'PENDING', '{}', null),
  ('CRM_PERSON_UNREACHABLE', 2, 'end', 'the customer was reached in another way', 'CANCELLED', '{}', null),
  -- Keys that lead to no customer, or to more than one, and merges.
  ('EMAIL_IS_NO_PROOF', 1, 'link', 'link it to the customer whose number is in customer_id', 'PENDING', '{}', 'customer_id'),
  ('EMAIL_IS_NO_PROOF', 2, 'new_customer', 'make a new customer', 'PENDING', '{"customer_id": null}', null),
  ('PATIENT_OF_NOBODY', 1, 'link', 'link it to the customer whose number is in customer_id', 'PENDING', '{}', 'customer_id'),
  ('PATIENT_OF_NOBODY', 2, 'new_customer', 'make a new customer', 'PENDING', '{"customer_id": null}', null),
  ('PATIENT_OF_NOBODY', 3, 'not_ours', 'it is no customer of ours, and is not asked about again', 'CANCELLED', '{}', null),
  ('REFERENCE_LEADS_NOWHERE', 1, 'link', 'link it to the customer whose number is in customer_id', 'PENDING', '{}', 'customer_id'),
  ('REFERENCE_LEADS_NOWHERE', 2, 'new_customer', 'make a new customer', 'PENDING', '{"customer_id": null}', null),
  ('REFERENCES_DIFFER', 1, 'link', 'link it to the customer whose number is in customer_id', 'PENDING', '{}', 'customer_id'),
  ('REFERENCES_DIFFER', 2, 'new_customer', 'make a new customer', 'PENDING', '{"customer_id": null}', null),
  ('KEY_AND_REFERENCE_DIFFER', 1, 'end', 'it is resolved, and the same is not asked again', 'CANCELLED', '{}', null),
  ('CUSTOMER_HAS_ANOTHER_KEY', 1, 'replace_key', 'it replaces the other key of the customer in customer_id', 'PENDING', '{"replace": true}', 'customer_id'),
  ('CUSTOMER_HAS_ANOTHER_KEY', 2, 'link', 'it belongs to somebody else, whose number is in customer_id', 'PENDING', '{"replace": false}', 'customer_id'),
  ('CUSTOMER_HAS_ANOTHER_KEY', 3, 'new_customer', 'make a new customer', 'PENDING', '{"customer_id": null}', null),
  ('KEY_CAME_BACK', 1, 'link', 'link it to the customer whose number is in customer_id', 'PENDING', '{}', 'customer_id'),
  ('KEY_CAME_BACK', 2, 'leave', 'leave it a former key', 'CANCELLED', '{}', null),
  ('KEY_IS_ANOTHERS', 1, 'leave', 'the key is in the right row', 'CANCELLED', '{}', null),
  ('KEY_IS_ANOTHERS', 2, 'try_again', 'the key was put into the right row', 'PENDING', '{}', null),
  ('CUSTOMER_NOT_THERE', 1, 'try_again', 'search for the customer again', 'PENDING', '{}', null),
  ('PATIENT_MERGE_UNCLEAR', 1, 'try_again', 'read the patient in the health record again', 'PENDING', '{}', null),
  ('PATIENT_MERGE_UNCLEAR', 2, 'end', 'the patient was corrected', 'CANCELLED', '{}', null),
  ('CUSTOMERS_ARE_ONE', 1, 'merge', 'merge the first customer into the second', 'PENDING', '{}', null),
  ('CUSTOMERS_ARE_ONE', 2, 'keep_apart', 'they are two persons', 'CANCELLED', '{}', null),
  ('MERGE_KEYS_DIFFER', 1, 'try_again', 'one of the two keys is gone now', 'PENDING', '{}', null),
  -- A merge stops at the first system with two keys, in this order. So the systems before it were given up, or have one.
  ('MERGE_KEYS_DIFFER', 2, 'give_up_pharmacy', 'give up the first customer''s key at the pharmacy', 'PENDING', '{"give_up": ["pharmacy"]}', null),
  ('MERGE_KEYS_DIFFER', 3, 'give_up_crm', 'give up the first customer''s keys at the pharmacy and in the CRM', 'PENDING', '{"give_up": ["pharmacy", "crm"]}', null),
  ('MERGE_KEYS_DIFFER', 4, 'give_up_login', 'give up the first customer''s keys at the pharmacy and in the CRM, and the login', 'PENDING', '{"give_up": ["pharmacy", "crm", "login"]}', null),
  ('MERGE_RENEWALS_COLLIDE', 1, 'try_again', 'merge the two, now that one of the renewals is cancelled', 'PENDING', '{}', null),
  ('ALREADY_MERGED', 1, 'end', 'that is right', 'CANCELLED', '{}', null),
  ('ALREADY_MERGED', 2, 'try_again', 'check the two customers again', 'PENDING', '{}', null),
  -- Money.
  ('INVOICE_NOT_FOUND', 1, 'try_again', 'read the invoice at Stripe again', 'PENDING', '{}', null),
  ('CHARGE_NOT_FOUND', 1, 'try_again', 'read the charge at Stripe again', 'PENDING', '{}', null),
  -- Orders and parcels.
  ('PRESCRIPTION_UNCLEAR', 1, 'try_again', 'check the prescriptions again', 'PENDING', '{}', null),
  ('NO_SHIPPING_ADDRESS', 1, 'try_again', 'read the address again', 'PENDING', '{}', null),
  ('PHARMACY_CANCELLED', 1, 'send_again', 'place a replacement order, once', 'PENDING', '{}', null),
  ('PHARMACY_CANCELLED', 2, 'give_back', 'it was refunded at Stripe, and nothing is sent', 'CANCELLED', '{}', null),
  ('PHARMACY_FAILED', 1, 'send_again', 'place a replacement order, once', 'PENDING', '{}', null),
  ('PHARMACY_FAILED', 2, 'give_back', 'it was refunded at Stripe, and nothing is sent', 'CANCELLED', '{}', null),
  ('PARCEL_RETURNED', 1, 'send_again', 'place a replacement order, once', 'PENDING', '{}', null),
  ('PARCEL_RETURNED', 2, 'give_back', 'it was refunded at Stripe, and nothing is sent', 'CANCELLED', '{}', null),
  ('PHARMACY_NEEDS_ATTENTION', 1, 'try_again', 'read the pharmacy order again', 'PENDING', '{}', null),
  ('ALREADY_SHIPPED', 1, 'end', 'it is resolved with the customer', 'CANCELLED', '{}', null),
  ('DUPLICATE_SHIPPED', 1, 'end', 'the customer and the pharmacy know', 'CANCELLED', '{}', null),
  ('SHIPPED_AFTER_CANCEL', 1, 'end', 'the customer and the pharmacy know', 'CANCELLED', '{}', null),
  ('UNKNOWN_ORDER', 1, 'try_again', 'search for the order again', 'PENDING', '{}', null),
  ('ORDER_STILL_LIVE', 1, 'lost', 'the parcel is lost: replace the order', 'PENDING', '{"lost": true}', null),
  ('ORDER_STILL_LIVE', 2, 'try_again', 'the order has ended: replace it', 'PENDING', '{}', null),
  ('ORDER_ALREADY_REPLACED', 1, 'end', 'the replacement is enough', 'CANCELLED', '{}', null),
  ('ORDER_ALREADY_REPLACED', 2, 'try_again', 'replace the order whose number is in order_id', 'PENDING', '{}', null),
  ('ORDER_NOT_FOUND', 1, 'try_again', 'search for the order again', 'PENDING', '{}', null),
  ('ADDRESS_CHANGED', 1, 'new_address', 'replace the order with one to the address in the health record', 'PENDING', '{}', null),
  ('ADDRESS_CHANGED', 2, 'former_address', 'let the parcel go to the former address', 'CANCELLED', '{}', null),
  ('ADDRESS_INCOMPLETE', 1, 'new_address', 'replace the order with one to the address in the health record', 'PENDING', '{}', null),
  ('ADDRESS_INCOMPLETE', 2, 'former_address', 'let the parcel go to the former address', 'CANCELLED', '{}', null),
  -- Subscriptions that a first prescription starts.
  ('NO_PAYMENT_METHOD', 1, 'try_again', 'start the subscription now', 'PENDING', '{}', null),
  ('NO_PAYMENT_METHOD', 2, 'do_not_start', 'the customer does not want the product', 'CANCELLED', '{}', null),
  ('CARD_DECLINED', 1, 'try_again', 'try the charge once more', 'PENDING', '{}', null),
  ('CARD_DECLINED', 2, 'do_not_start', 'the customer does not want the product', 'CANCELLED', '{}', null),
  ('FIRST_CHARGE_OPEN', 1, 'try_again', 'read the subscription again', 'PENDING', '{}', null),
  ('NOT_THE_FIRST_PRESCRIPTION', 1, 'start', 'start the subscription and charge for it', 'PENDING', '{"despite_earlier": true}', null),
  ('NOT_THE_FIRST_PRESCRIPTION', 2, 'do_not_start', 'the customer does not want the product', 'CANCELLED', '{}', null),
  ('PRESCRIPTION_FOR_UNKNOWN_PRODUCT', 1, 'try_again', 'its code is in registry.product_keys now', 'PENDING', '{}', null),
  ('PRESCRIPTION_FOR_UNKNOWN_PRODUCT', 2, 'not_ours', 'the company does not sell it, and is not asked again', 'CANCELLED', '{}', null),
  ('PRODUCT_NOT_SOLD', 1, 'try_again', 'the product is active again', 'PENDING', '{}', null),
  ('PRODUCT_NOT_SOLD', 2, 'do_not_start', 'another product is prescribed', 'CANCELLED', '{}', null),
  ('SUBSCRIBED_TWICE', 1, 'try_again', 'one of the two is cancelled: check again', 'PENDING', '{}', null),
  -- Refills and renewals.
  ('REFILL_WITHOUT_PRESCRIPTION', 1, 'try_again', 'read the prescriptions again', 'PENDING', '{}', null),
  ('REFILL_DATES_UNKNOWN', 1, 'try_again', 'read the prescription again', 'PENDING', '{}', null),
  ('REFILL_UNCLEAR', 1, 'try_again', 'read the subscription again', 'PENDING', '{}', null),
  ('REFILL_TWICE', 1, 'try_again', 'read the subscriptions again', 'PENDING', '{}', null),
  ('SUBSCRIPTION_STATUS_UNKNOWN', 1, 'try_again', 'read the subscription at Stripe again', 'PENDING', '{}', null),
  ('RENEWAL_LAPSED', 1, 'try_again', 'check again whether it was renewed', 'PENDING', '{}', null),
  ('BILLING_NOT_PAUSED', 1, 'try_again', 'pause billing if the subscription bills this product alone', 'PENDING', '{}', null),
  ('BILLING_NOT_PAUSED', 2, 'end', 'it is resolved at Stripe', 'CANCELLED', '{}', null),
  -- Products that are in use and should not be, and price moves.
  ('KEY_UNREGISTERED', 1, 'try_again', 'the key is in registry.product_keys now', 'PENDING', '{}', null),
  ('KEY_UNREGISTERED', 2, 'not_ours', 'it is nothing that the company ships, and is not asked about again', 'CANCELLED', '{}', null),
  ('KEY_RETIRED_IN_USE', 1, 'try_again', 'read the registry and the last count again', 'PENDING', '{}', null),
  ('KEY_RETIRED_IN_USE', 2, 'leave', 'leave it as it is; paid fills still ship', 'CANCELLED', '{}', null),
  ('PRICE_NOT_SOLD', 1, 'try_again', 'the price is active again', 'PENDING', '{}', null),
  ('MOVE_CHANGED_BILLING', 1, 'try_again', 'it was corrected at Stripe: read the subscription again', 'PENDING', '{}', null),
  ('MOVE_CHANGED_BILLING', 2, 'end', 'the customer or a colleague changed it', 'CANCELLED', '{}', null),
  -- Facts on their way to the CRM, to Stripe and to the login.
  ('CRM_EMAIL_MISSING', 1, 'try_again', 'read the CRM again', 'PENDING', '{}', null),
  ('LOGIN_UNKNOWN', 1, 'try_again', 'read the login again', 'PENDING', '{}', null),
  ('LOGIN_NEEDS_CUSTOMER', 1, 'try_again', 'compare the login with the CRM again', 'PENDING', '{}', null),
  ('LOGIN_CONFIRMATION_OFF', 1, 'try_again', 'have Supabase Auth ask the customer', 'PENDING', '{}', null),
  ('LOGIN_CHANGE_REFUSED', 1, 'try_again', 'compare the login with the CRM again', 'PENDING', '{}', null),
  ('LOGIN_EMAIL_TAKEN', 1, 'try_again', 'check whether the email is free', 'PENDING', '{}', null),
  ('LOGIN_EMAILS_SWAPPED', 1, 'try_again', 'check whether one of the logins has changed', 'PENDING', '{}', null),
  ('LOGIN_NOT_CONFIRMED', 1, 'try_again', 'compare the login with the CRM again', 'PENDING', '{}', null),
  -- The nights' work.
  ('ENDPOINT_SILENT', 1, 'try_again', 'check whether most messages have come since', 'PENDING', '{}', null),
  ('EVENTS_OUT_OF_REACH', 1, 'read_invoices', 'make the orders of the invoices paid in that time', 'PENDING', '{}', null),
  ('EVENTS_OUT_OF_REACH', 2, 'end', 'all of those invoices are resolved', 'CANCELLED', '{}', null),
  ('DRIFTS_AGAIN', 1, 'try_again', 'compare them again', 'PENDING', '{}', null),
  ('NIGHT_UNFINISHED', 1, 'end', 'the work has ended in a night since', 'CANCELLED', '{}', null),
  ('NIGHT_UNFINISHED', 2, 'try_again', 'do the work anew, now', 'PENDING', '{}', null),
  -- Vendors, and Clockwork itself.
  ('VENDOR_REFUSED', 1, 'try_again', 'send the request again', 'PENDING', '{}', null),
  ('VENDOR_UNANSWERED', 1, 'try_again', 'check at the vendor whether it was done, and do it if not', 'PENDING', '{}', null),
  ('OUTCOME_UNKNOWN', 1, 'not_done', 'it was not done: do it again', 'PENDING', '{}', null),
  ('NOT_YET_VISIBLE', 1, 'try_again', 'read the vendor again', 'PENDING', '{}', null),
  ('NOT_YET_VISIBLE', 2, 'end', 'there is nothing to the message', 'CANCELLED', '{}', null),
  ('DRAIN_DIED', 1, 'try_again', 'run the step again', 'PENDING', '{}', null),
  ('INTERNAL_ERROR', 1, 'try_again', 'run the step again', 'PENDING', '{}', null);

-- Repairs that say no more of a status than "then set status to PENDING" have one answer, and it has one name.
update clockwork.reasons
set repair = replace(replace(reasons.repair, 'then set status to PENDING', 'then set answer to try_again'),
  'Then set status to PENDING', 'Then set answer to try_again')
where reasons.repair not like '%CANCELLED%' and (
  select array_agg(reason_choices.answer) = '{try_again}'
  from clockwork.reason_choices where reason_choices.code = reasons.code);

update clockwork.reasons set repair = reworded.repair
from (values
  ('UNREADABLE_EVENT', 'Ask engineering to compare it with the vendor''s own delivery log. Then set answer to end.'),
  ('UNKNOWN_STEP', 'If the name was mistyped, set answer to end and add a task with the right name. Otherwise ask engineering. Once the step exists, set answer to try_again.'),
  ('HEALTH_PATIENT_UNANSWERED', 'Open the patient in the health record. If that fails too, ask its vendor. This closes by itself when a reply comes. To read it now, set answer to try_again.'),
  ('CRM_PERSON_UNREACHABLE', 'Have an email or a phone put into the CRM, then set answer to try_again. Or reach the customer in another way, and set answer to end.'),
  ('EMAIL_IS_NO_PROOF', 'Find out which customer it belongs to. Put that number into customer_id in data, then set answer to link. To make a new customer, set answer to new_customer.'),
  ('PATIENT_OF_NOBODY', 'Find out which customer it belongs to. Put that number into customer_id in data, then set answer to link. To make a new customer, set answer to new_customer. If it is no customer of ours, set answer to not_ours. It is then not asked about again.'),
  ('REFERENCE_LEADS_NOWHERE', 'Find out which customer it belongs to. Put that number into customer_id in data, then set answer to link. To make a new customer, set answer to new_customer.'),
  ('REFERENCES_DIFFER', 'If they are one person, add a task with the step customer.merge. If not, put the right number into customer_id in data. Then set answer to link. If it belongs to none of them, set answer to new_customer.'),
  ('KEY_AND_REFERENCE_DIFFER', 'If they are one person, add a task with the step customer.merge. If the key is in the wrong row, put it into the right row of registry.customers. Then set answer to end.'),
  ('CUSTOMER_HAS_ANOTHER_KEY', 'If it replaces the other key, put the customer''s number into customer_id in data and set answer to replace_key. If it belongs to somebody else, put their number there and set answer to link. To make a new customer, set answer to new_customer.'),
  ('KEY_CAME_BACK', 'If it belongs to that customer again, put the number into customer_id in data and set answer to link. Otherwise set answer to leave.'),
  ('KEY_IS_ANOTHERS', 'If that is right, set answer to leave. If it is in the wrong row, put it into the right row of registry.customers, then set answer to try_again.'),
  ('PATIENT_MERGE_UNCLEAR', 'Have the patient corrected in the health record. The event of that correction ends this. To read it now, set answer to try_again. If this task is still here after the correction, set answer to end.'),
  ('CUSTOMERS_ARE_ONE', 'If that is right, set answer to merge. If not, have the health record corrected and set answer to keep_apart.'),
  ('MERGE_KEYS_DIFFER', 'For Stripe or the health record, merge or delete one of the two there, then set answer to try_again. For the others, give up the first customer''s key: set answer to give_up_pharmacy, give_up_crm or give_up_login.'),
  ('MERGE_RENEWALS_COLLIDE', 'In tracker.renewals, set state of one of them to CANCELLED. Then set answer of this task to try_again.'),
  ('ALREADY_MERGED', 'If that is right, set answer to end. If not, correct the numbers in data and set answer to try_again.'),
  ('INVOICE_NOT_FOUND', 'Check that the webhook and the API key belong to the same Stripe account. Then set answer to try_again.'),
  ('CHARGE_NOT_FOUND', 'Check that the webhook and the API key belong to the same Stripe account. Then set answer to try_again.'),
  ('PHARMACY_CANCELLED', 'Call the pharmacy. For a replacement, set answer to send_again. After a refund, set answer to give_back.'),
  ('PHARMACY_FAILED', 'Call the pharmacy. For a replacement, set answer to send_again. After a refund, set answer to give_back.'),
  ('PARCEL_RETURNED', 'Check the address with the customer. For a replacement, set answer to send_again. After a refund, set answer to give_back.'),
  ('ALREADY_SHIPPED', 'Decide with the customer, then set answer to end.'),
  ('DUPLICATE_SHIPPED', 'Inform the customer and the pharmacy, then set answer to end.'),
  ('SHIPPED_AFTER_CANCEL', 'Inform the customer and the pharmacy, then set answer to end.'),
  ('UNKNOWN_ORDER', 'Ask engineering. The database may have been restored to an earlier moment. Once the order is there, set answer to try_again.'),
  ('ORDER_STILL_LIVE', 'Wait until the order has ended, then set answer to try_again. If the parcel is lost, set answer to lost.'),
  ('ORDER_ALREADY_REPLACED', 'If that parcel is lost too, put the replacement''s number into order_id in data and set answer to try_again. Otherwise set answer to end.'),
  ('ADDRESS_CHANGED', 'To replace the order with one to the address in the health record, set answer to new_address. If the parcel may go to the former address, set answer to former_address.'),
  ('ADDRESS_INCOMPLETE', 'Have the address completed in the health record, then set answer to new_address. If the parcel may go to the former address, set answer to former_address.'),
  ('NO_PAYMENT_METHOD', 'Ask the customer to add one. The subscription is then started by itself. To try now, set answer to try_again. If the customer does not want the product, set answer to do_not_start.'),
  ('CARD_DECLINED', 'Ask the customer for another card. The charge is then tried again by itself. After a call to the bank, set answer to try_again. If the customer does not want the product, set answer to do_not_start.'),
  ('NOT_THE_FIRST_PRESCRIPTION', 'Ask the customer. To start the subscription and charge for it, set answer to start. Otherwise set answer to do_not_start.'),
  ('PRESCRIPTION_FOR_UNKNOWN_PRODUCT', 'Open it in the health record. If we sell it, add its RxNorm code to registry.product_keys and set answer to try_again. If not, set answer to not_ours.'),
  ('PRODUCT_NOT_SOLD', 'If it is sold after all, set status of the product to active and answer of this task to try_again. Otherwise have another product prescribed and set answer to do_not_start.'),
  ('REFILL_WITHOUT_PRESCRIPTION', 'Have a prescription written for the product, or end the subscription at Stripe. Each of them closes this by itself. To look now, set answer to try_again.'),
  ('REFILL_DATES_UNKNOWN', 'Have the prescription completed in the health record. That closes this by itself. To look now, set answer to try_again.'),
  ('REFILL_UNCLEAR', 'Correct the subscription (or its price) at Stripe, or end it. Each of them closes this by itself. To look now, set answer to try_again.'),
  ('REFILL_TWICE', 'Ask the customer, and end one of them at Stripe. That closes this by itself. If both are wanted, make them one with a quantity of 2. To look now, set answer to try_again.'),
  ('SUBSCRIPTION_STATUS_UNKNOWN', 'Ask engineering about the meaning of this status for refills. To look now, set answer to try_again.'),
  ('RENEWAL_LAPSED', 'Talk to the customer and the prescriber. A new prescription closes this by itself. The end of the subscription closes it too. To look now, set answer to try_again.'),
  ('BILLING_NOT_PAUSED', 'At Stripe, take the product out of the subscription or refund it. Then set answer to end. To have billing paused after all, set answer to try_again.'),
  ('KEY_UNREGISTERED', 'Add it to registry.product_keys, then set answer to try_again. If it is nothing that the company ships, set answer to not_ours. It is then not asked about again.'),
  ('KEY_RETIRED_IN_USE', 'For a Stripe price, run npm run product:retire with it and the price that replaces it. For a treatment, have new prescriptions written under the new one. Then set answer to try_again. To leave it as it is, set answer to leave. Paid fills still ship.'),
  ('MOVE_CHANGED_BILLING', 'Read the subscription''s events at Stripe. If the customer or a colleague changed it meanwhile, set answer to end. Otherwise correct it at Stripe, inform engineering, and set answer to try_again.'),
  ('CRM_EMAIL_MISSING', 'Put the person''s email into the CRM. That runs this again by itself. To run it now, set answer to try_again.'),
  ('LOGIN_EMAIL_TAKEN', 'Find out which of the two customers the address belongs to, and correct the email in the CRM. That runs this again by itself. If the other login belongs to nobody, delete it in the Supabase dashboard (Authentication) and set answer to try_again.'),
  ('LOGIN_EMAILS_SWAPPED', 'Agree with one of the customers on another address for the time being. Put it into the CRM, and have the customer confirm it. The other logins then change by themselves. After that, put the right address back into the CRM. To look now, set answer to try_again.'),
  ('ENDPOINT_SILENT', 'Open the webhook endpoint in the vendor''s dashboard. Check that it is switched on, subscribed to these messages, and has the right address. Check that its signing secret is the one of our environment. This closes by itself after a night in which most messages came. To check now, set answer to try_again.'),
  ('EVENTS_OUT_OF_REACH', 'Search Stripe''s dashboard for refunds and disputes of that time. Act on them there and with the customers. To have the paid invoices read, set answer to read_invoices. If all of them are resolved, set answer to end.'),
  ('NIGHT_UNFINISHED', 'Find its task in ops.waiting. Find in ops.vendors a vendor that is paused or fails. The work goes on by itself, and each night begins anew. Once it has ended in one night, set answer to end. To begin now, set answer to try_again.'),
  ('OUTCOME_UNKNOWN', 'Search for it in the vendor''s dashboard. If it was not done, set answer to not_done.'),
  ('NOT_YET_VISIBLE', 'While it is retried, there is nothing to do. Once it has stopped, check the change in the vendor''s own dashboard, then set answer to try_again. If there is nothing to it, set answer to end.'),
  ('DRAIN_DIED', 'Set answer to try_again. If it happens again, ask engineering.')
) as reworded (code, repair)
where reworded.code = reasons.code;
