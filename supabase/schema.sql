-- Written by `npm run generate` from the migrations: what they make together, to read and to compare.
-- Never edited by hand, never run. pg-boss's own schema is left out: its version says what it is.

create extension pg_cron with schema pg_catalog;
create extension pg_net with schema extensions;
create extension pgcrypto with schema extensions;
create extension supabase_vault with schema vault;
create extension "uuid-ossp" with schema extensions;

-- default privileges of postgres on functions: postgres=X/postgres

-- clockwork ---------------------------------------------------------------------------------

create schema clockwork;
comment on schema clockwork is 'The queue that people see (tasks), its history (task_history), the acts outside (effects), and the vendors.';

create type clockwork.task_status as enum ('PENDING', 'QUEUED', 'DONE', 'MANUAL_INTERVENTION', 'PARKED', 'CANCELLED');

create table clockwork.effects (
  id bigint not null generated always as identity,
  vendor text not null,
  operation text not null,
  key text not null,
  state text not null default 'INTENT'::text,
  reference text,
  task_id bigint not null,
  attempt integer not null default 1,
  sent_at timestamp with time zone not null default clockwork.now(),
  leased_until timestamp with time zone,
  settled_at timestamp with time zone,
  created_at timestamp with time zone not null default clockwork.now(),
  refusals integer not null default 0,
  constraint effects_pkey PRIMARY KEY (id),
  constraint effects_business_key_is_unique UNIQUE (vendor, operation, key),
  constraint effects_task_id_fkey FOREIGN KEY (task_id) REFERENCES clockwork.tasks(id),
  constraint effects_vendor_fkey FOREIGN KEY (vendor) REFERENCES clockwork.vendors(vendor),
  constraint effect_state_is_known CHECK (state = ANY (ARRAY['INTENT'::text, 'CONFIRMED'::text, 'REFUSED'::text])),
  constraint only_a_settled_effect_has_settled_at CHECK ((state = 'INTENT'::text) = (settled_at IS NULL)),
  constraint only_an_open_effect_is_leased CHECK (state = 'INTENT'::text OR leased_until IS NULL),
  constraint refusals_are_not_negative CHECK (refusals >= 0)
);
alter table clockwork.effects enable row level security;
CREATE INDEX effects_reference ON clockwork.effects USING btree (reference);
CREATE INDEX effects_task ON clockwork.effects USING btree (task_id);
CREATE TRIGGER guard_effect BEFORE UPDATE ON clockwork.effects FOR EACH ROW EXECUTE FUNCTION clockwork.guard_effect();
CREATE TRIGGER refuse_delete BEFORE DELETE ON clockwork.effects FOR EACH STATEMENT EXECUTE FUNCTION clockwork.refuse_removal('They prevent that an act is done twice.');
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON clockwork.effects FOR EACH STATEMENT EXECUTE FUNCTION clockwork.refuse_removal('They prevent that an act is done twice.');
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

create table clockwork.nightly_work (
  step text not null,
  vendor text not null,
  at time without time zone not null,
  is_on boolean not null default true,
  what text not null,
  constraint nightly_work_pkey PRIMARY KEY (step),
  constraint nightly_work_vendor_fkey FOREIGN KEY (vendor) REFERENCES clockwork.vendors(vendor)
);
alter table clockwork.nightly_work enable row level security;
CREATE INDEX nightly_work_vendor ON clockwork.nightly_work USING btree (vendor);
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON clockwork.nightly_work FOR EACH STATEMENT EXECUTE FUNCTION clockwork.refuse_removal('To skip work, untick is_on.');
comment on table clockwork.nightly_work is 'The work of every night. Each row becomes one task a night.';
comment on column clockwork.nightly_work.step is 'The step of the task.';
comment on column clockwork.nightly_work.vendor is 'The queue of the task (clockwork.vendors).';
comment on column clockwork.nightly_work.at is 'The hour in the pharmacy''s time zone (clockwork.settings).';
comment on column clockwork.nightly_work.is_on is 'Untick this cell to skip the work from the next night on.';
comment on column clockwork.nightly_work.what is 'The work, in plain words.';

create table clockwork.reason_choices (
  code text not null,
  position smallint not null,
  answer text not null,
  label text not null,
  status clockwork.task_status not null,
  data jsonb not null default '{}'::jsonb,
  needs text,
  constraint reason_choices_pkey PRIMARY KEY (code, answer),
  constraint choices_of_a_reason_have_an_order UNIQUE (code, "position"),
  constraint reason_choices_code_fkey FOREIGN KEY (code) REFERENCES clockwork.reasons(code),
  constraint a_choice_runs_the_task_or_ends_it CHECK (status = ANY (ARRAY['PENDING'::clockwork.task_status, 'CANCELLED'::clockwork.task_status])),
  constraint an_answer_is_in_lower_snake_case CHECK (answer ~ '^[a-z]+(_[a-z]+)*$'::text),
  constraint data_is_an_object CHECK (jsonb_typeof(data) = 'object'::text)
);
alter table clockwork.reason_choices enable row level security;
CREATE TRIGGER refuse_delete BEFORE DELETE ON clockwork.reason_choices FOR EACH STATEMENT EXECUTE FUNCTION clockwork.refuse_removal('People answer with these words.');
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON clockwork.reason_choices FOR EACH STATEMENT EXECUTE FUNCTION clockwork.refuse_removal('People answer with these words.');
comment on table clockwork.reason_choices is 'The answers that a person may give to a task in MANUAL_INTERVENTION, by its reason.';
comment on column clockwork.reason_choices.position is 'The place of the choice among those of its reason.';
comment on column clockwork.reason_choices.answer is 'The word that a person puts into clockwork.tasks.answer.';
comment on column clockwork.reason_choices.label is 'The meaning of the answer, in plain words.';
comment on column clockwork.reason_choices.status is 'The status that the answer sets: PENDING runs the task, CANCELLED ends it.';
comment on column clockwork.reason_choices.data is 'The attributes that the answer adds to the task''s data.';
comment on column clockwork.reason_choices.needs is 'An attribute of data that a person must fill in before this answer.';

create table clockwork.reasons (
  code text not null,
  sentence text not null,
  repair text not null,
  on_resend text not null,
  constraint reasons_pkey PRIMARY KEY (code)
);
alter table clockwork.reasons enable row level security;
CREATE TRIGGER refuse_delete BEFORE DELETE ON clockwork.reasons FOR EACH STATEMENT EXECUTE FUNCTION clockwork.refuse_removal('Tasks name these reasons.');
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON clockwork.reasons FOR EACH STATEMENT EXECUTE FUNCTION clockwork.refuse_removal('Tasks name these reasons.');
comment on table clockwork.reasons is 'Every reason that a task can give, in plain words.';
comment on column clockwork.reasons.sentence is 'The fault, in plain words. The task''s details fill each {name}.';
comment on column clockwork.reasons.repair is 'The usual repair.';
comment on column clockwork.reasons.on_resend is 'The result of setting the task to PENDING.';

create table clockwork.settings (
  only_row boolean not null default true,
  maintenance boolean not null default false,
  ship_within interval not null default '3 days'::interval,
  deliver_within interval not null default '7 days'::interval,
  pharmacy_time_zone text not null default 'America/New_York'::text,
  clock_offset interval not null default '00:00:00'::interval,
  remind_days_before integer[] not null default '{14,5}'::integer[],
  drift_secret text not null default replace(((gen_random_uuid())::text || (gen_random_uuid())::text), '-'::text, ''::text),
  drift_settle_minutes integer not null default 15,
  drift_again_times integer not null default 3,
  drift_again_days integer not null default 14,
  drift_questions_at_most integer not null default 20,
  subscription_wait interval not null default '00:15:00'::interval,
  began_at timestamp with time zone not null default clockwork.now(),
  endpoint_silent_share numeric not null default 0.6,
  endpoint_silent_at_least integer not null default 5,
  constraint settings_pkey PRIMARY KEY (only_row),
  constraint drift_again_is_more_than_once CHECK (drift_again_times > 1 AND drift_again_days > 0),
  constraint drift_questions_are_some CHECK (drift_questions_at_most > 0),
  constraint drift_secret_is_long CHECK (length(drift_secret) >= 32),
  constraint drift_settle_is_sane CHECK (drift_settle_minutes >= 0 AND drift_settle_minutes <= 1440),
  constraint endpoint_silent_at_least_is_positive CHECK (endpoint_silent_at_least > 0),
  constraint endpoint_silent_share_is_a_share CHECK (endpoint_silent_share > 0::numeric AND endpoint_silent_share <= 1::numeric),
  constraint reminders_come_before_the_due_day CHECK (0 < ALL (remind_days_before)),
  constraint settings_is_one_row CHECK (only_row),
  constraint subscription_wait_is_sane CHECK (subscription_wait >= '00:00:00'::interval AND subscription_wait <= '7 days'::interval)
);
alter table clockwork.settings enable row level security;
CREATE TRIGGER guard_settings BEFORE INSERT OR UPDATE OF pharmacy_time_zone ON clockwork.settings FOR EACH ROW EXECUTE FUNCTION clockwork.guard_settings();
CREATE TRIGGER refuse_delete BEFORE DELETE ON clockwork.settings FOR EACH STATEMENT EXECUTE FUNCTION clockwork.refuse_removal('Everything reads this row.');
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON clockwork.settings FOR EACH STATEMENT EXECUTE FUNCTION clockwork.refuse_removal('Everything reads this row.');
comment on table clockwork.settings is 'One row: the settings for the whole of Clockwork.';
comment on column clockwork.settings.maintenance is 'While true no task is run. Webhooks are still recorded.';
comment on column clockwork.settings.ship_within is 'An order that has not shipped this long after it was placed is in ops.delayed_shipments.';
comment on column clockwork.settings.deliver_within is 'An order that has not been delivered this long after it shipped is in ops.delayed_shipments.';
comment on column clockwork.settings.pharmacy_time_zone is 'The zone in which a prescription''s last day ends.';
comment on column clockwork.settings.clock_offset is 'Local stack only: the difference between its clock and the real time.';
comment on column clockwork.settings.remind_days_before is 'A customer who was asked to renew is reminded so many days before the due day.';
comment on column clockwork.settings.drift_secret is 'The key of the hashes in tracker.drift. Never show it to anybody. A new one makes the causes in ops.drift wrong for two weeks.';
comment on column clockwork.settings.drift_settle_minutes is 'A mirror that differs is compared again after so many minutes, because the event of the change may still be on its way.';
comment on column clockwork.settings.drift_again_times is 'A person is asked about a fact of a customer that drifted so often within drift_again_days.';
comment on column clockwork.settings.drift_again_days is 'The days over which drift_again_times counts.';
comment on column clockwork.settings.drift_questions_at_most is 'The most questions that may be open about facts that drift again and again. The rest is in ops.drift.';
comment on column clockwork.settings.subscription_wait is 'A first prescription waits so long before its subscription is started. A Checkout or a correction by the prescriber may come first.';
comment on column clockwork.settings.began_at is 'When Clockwork took over. The first completeness check records nothing from before, because that work was done by others.';
comment on column clockwork.settings.endpoint_silent_share is 'A person is asked about a vendor''s webhook endpoint when this share of a night''s messages, or more, was missing.';
comment on column clockwork.settings.endpoint_silent_at_least is 'A person is asked about a webhook endpoint only when at least so many messages were missing.';

create table clockwork.task_history (
  id bigint not null generated always as identity,
  task_id bigint not null,
  changed_at timestamp with time zone not null default clockwork.now(),
  actor text not null,
  from_status clockwork.task_status not null,
  to_status clockwork.task_status not null,
  before jsonb not null,
  after jsonb not null,
  constraint task_history_pkey PRIMARY KEY (id),
  constraint task_history_task_id_fkey FOREIGN KEY (task_id) REFERENCES clockwork.tasks(id)
);
alter table clockwork.task_history enable row level security;
CREATE INDEX task_history_task ON clockwork.task_history USING btree (task_id, id);
CREATE TRIGGER refuse_change BEFORE DELETE OR UPDATE ON clockwork.task_history FOR EACH STATEMENT EXECUTE FUNCTION clockwork.refuse_removal('They are the record of every change.');
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON clockwork.task_history FOR EACH STATEMENT EXECUTE FUNCTION clockwork.refuse_removal('They are the record of every change.');
comment on table clockwork.task_history is 'Every change of a task: its author, its time, and the columns before and after.';
comment on column clockwork.task_history.actor is 'clockwork:<part> for the machinery, table editor for a person. Studio gives no person''s name.';
comment on column clockwork.task_history.before is 'The changed columns before.';
comment on column clockwork.task_history.after is 'The same columns after.';

create table clockwork.task_moves (
  from_status clockwork.task_status not null,
  to_status clockwork.task_status not null,
  by_person boolean not null,
  by_machinery boolean not null,
  meaning text not null,
  constraint task_moves_pkey PRIMARY KEY (from_status, to_status)
);
alter table clockwork.task_moves enable row level security;
CREATE TRIGGER refuse_delete BEFORE DELETE ON clockwork.task_moves FOR EACH STATEMENT EXECUTE FUNCTION clockwork.refuse_removal('Without them no task can change its status.');
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON clockwork.task_moves FOR EACH STATEMENT EXECUTE FUNCTION clockwork.refuse_removal('Without them no task can change its status.');
comment on table clockwork.task_moves is 'The only changes of status that a task allows, for a person and for the machinery.';

create table clockwork.tasks (
  id bigint not null generated always as identity,
  status clockwork.task_status not null default 'PENDING'::clockwork.task_status,
  step text not null,
  reason text,
  customer_id bigint,
  data jsonb not null default '{}'::jsonb,
  run_after timestamp with time zone not null default clockwork.now(),
  attempts integer not null default 0,
  invoice_id text,
  vendor text not null default 'internal'::text,
  key text not null default (gen_random_uuid())::text,
  caused_by bigint,
  reason_code text,
  job_id uuid,
  created_at timestamp with time zone not null default clockwork.now(),
  updated_at timestamp with time zone not null default clockwork.now(),
  done_at timestamp with time zone,
  answer text,
  constraint tasks_pkey PRIMARY KEY (id),
  constraint tasks_step_key_is_unique UNIQUE (step, key),
  constraint tasks_caused_by_fkey FOREIGN KEY (caused_by) REFERENCES clockwork.tasks(id),
  constraint tasks_customer_id_fkey FOREIGN KEY (customer_id) REFERENCES registry.customers(id),
  constraint tasks_reason_code_fkey FOREIGN KEY (reason_code) REFERENCES clockwork.reasons(code),
  constraint tasks_vendor_fkey FOREIGN KEY (vendor) REFERENCES clockwork.vendors(vendor),
  constraint a_stopped_task_says_why CHECK ((status <> ALL (ARRAY['MANUAL_INTERVENTION'::clockwork.task_status, 'PARKED'::clockwork.task_status])) OR reason IS NOT NULL AND reason_code IS NOT NULL),
  constraint an_open_question_has_no_answer CHECK (status <> 'MANUAL_INTERVENTION'::clockwork.task_status OR answer IS NULL),
  constraint data_is_an_object CHECK (jsonb_typeof(data) = 'object'::text),
  constraint only_a_done_task_has_done_at CHECK ((status = 'DONE'::clockwork.task_status) = (done_at IS NOT NULL)),
  constraint only_a_queued_task_has_a_job CHECK ((status = 'QUEUED'::clockwork.task_status) = (job_id IS NOT NULL))
);
alter table clockwork.tasks enable row level security;
CREATE INDEX tasks_by_customer ON clockwork.tasks USING btree (((data ->> 'customer_id'::text)), step) WHERE (((data ->> 'customer_id'::text) IS NOT NULL) AND (status = ANY (ARRAY['PENDING'::clockwork.task_status, 'QUEUED'::clockwork.task_status, 'MANUAL_INTERVENTION'::clockwork.task_status, 'CANCELLED'::clockwork.task_status])));
CREATE INDEX tasks_by_facts ON clockwork.tasks USING btree (((data ->> 'facts'::text)), step) WHERE ((data ->> 'facts'::text) IS NOT NULL);
CREATE INDEX tasks_by_first_prescription ON clockwork.tasks USING btree (((data ->> 'customer_id'::text)), step) WHERE (step = ANY (ARRAY['subscription.look'::text, 'subscription.start'::text]));
CREATE INDEX tasks_by_key ON clockwork.tasks USING btree (((data ->> 'key'::text)), step) WHERE (((data ->> 'key'::text) IS NOT NULL) AND (status = ANY (ARRAY['PENDING'::clockwork.task_status, 'QUEUED'::clockwork.task_status, 'MANUAL_INTERVENTION'::clockwork.task_status, 'CANCELLED'::clockwork.task_status])));
CREATE INDEX tasks_by_move ON clockwork.tasks USING btree (((data ->> 'move_id'::text)), step) WHERE ((data ->> 'move_id'::text) IS NOT NULL);
CREATE INDEX tasks_by_order ON clockwork.tasks USING btree (((data ->> 'order_id'::text)), step) WHERE (((data ->> 'order_id'::text) IS NOT NULL) AND (status = ANY (ARRAY['PENDING'::clockwork.task_status, 'QUEUED'::clockwork.task_status, 'MANUAL_INTERVENTION'::clockwork.task_status, 'CANCELLED'::clockwork.task_status])));
CREATE INDEX tasks_by_pharmacy_order ON clockwork.tasks USING btree (((data ->> 'order_id'::text))) WHERE (step ~~ 'pharmacy.order.%'::text);
CREATE INDEX tasks_by_renewal ON clockwork.tasks USING btree (((data ->> 'renewal_id'::text)), step) WHERE (((data ->> 'renewal_id'::text) IS NOT NULL) AND (status = ANY (ARRAY['PENDING'::clockwork.task_status, 'QUEUED'::clockwork.task_status, 'MANUAL_INTERVENTION'::clockwork.task_status, 'CANCELLED'::clockwork.task_status])));
CREATE INDEX tasks_by_resource ON clockwork.tasks USING btree (((data ->> 'resource_id'::text)), step) WHERE ((data ->> 'resource_id'::text) IS NOT NULL);
CREATE INDEX tasks_by_run ON clockwork.tasks USING btree (((data ->> 'run_id'::text)), step) WHERE ((data ->> 'run_id'::text) IS NOT NULL);
CREATE INDEX tasks_by_subscription ON clockwork.tasks USING btree (((data ->> 'subscription_id'::text)), step) WHERE (((data ->> 'subscription_id'::text) IS NOT NULL) AND (status = ANY (ARRAY['PENDING'::clockwork.task_status, 'QUEUED'::clockwork.task_status, 'MANUAL_INTERVENTION'::clockwork.task_status, 'CANCELLED'::clockwork.task_status])));
CREATE INDEX tasks_caused_by ON clockwork.tasks USING btree (caused_by);
CREATE INDEX tasks_customer ON clockwork.tasks USING btree (customer_id);
CREATE INDEX tasks_due ON clockwork.tasks USING btree (vendor, run_after, id) WHERE (status = 'PENDING'::clockwork.task_status);
CREATE INDEX tasks_heard ON clockwork.tasks USING btree (split_part(step, '.'::text, 1), created_at) WHERE (caused_by IS NULL);
CREATE INDEX tasks_invoice ON clockwork.tasks USING btree (invoice_id);
CREATE UNIQUE INDEX tasks_job ON clockwork.tasks USING btree (job_id) WHERE (job_id IS NOT NULL);
CREATE INDEX tasks_queued ON clockwork.tasks USING btree (updated_at) WHERE (status = 'QUEUED'::clockwork.task_status);
CREATE INDEX tasks_reason_code ON clockwork.tasks USING btree (reason_code);
CREATE INDEX tasks_stopped ON clockwork.tasks USING btree (created_at) WHERE (status = 'MANUAL_INTERVENTION'::clockwork.task_status);
CREATE TRIGGER guard_task BEFORE UPDATE ON clockwork.tasks FOR EACH ROW EXECUTE FUNCTION clockwork.guard_task();
CREATE TRIGGER record_task_change AFTER UPDATE ON clockwork.tasks FOR EACH ROW EXECUTE FUNCTION clockwork.record_task_change();
CREATE TRIGGER refuse_delete BEFORE DELETE ON clockwork.tasks FOR EACH STATEMENT EXECUTE FUNCTION clockwork.refuse_removal('To cancel a task, set its status to CANCELLED.');
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON clockwork.tasks FOR EACH STATEMENT EXECUTE FUNCTION clockwork.refuse_removal('To cancel a task, set its status to CANCELLED.');
comment on table clockwork.tasks is 'All work. To answer a stopped task, set answer. To run a task again, set status to PENDING. To cancel it, set status to CANCELLED. data may be edited while status is MANUAL_INTERVENTION.';
comment on column clockwork.tasks.id is 'The number of the task, to say on the phone.';
comment on column clockwork.tasks.status is 'PENDING: waits to be run. QUEUED: is being run or retried. DONE. MANUAL_INTERVENTION: needs a person, see reason. PARKED: has no step. CANCELLED.';
comment on column clockwork.tasks.step is 'The step that runs: one for an event (stripe.invoice.paid), or one of ours (order.place).';
comment on column clockwork.tasks.reason is 'The cause for which it stopped or waits, in plain words.';
comment on column clockwork.tasks.customer_id is 'The customer of the task (registry.customers), once known.';
comment on column clockwork.tasks.data is 'The ids from which the step works. Edit them only while status is MANUAL_INTERVENTION.';
comment on column clockwork.tasks.run_after is 'A PENDING task runs after this moment. To run it sooner, set an earlier moment.';
comment on column clockwork.tasks.attempts is 'The tries that failed or finished since the task last began anew. Waits are not counted.';
comment on column clockwork.tasks.invoice_id is 'The Stripe invoice of the task''s story, once known.';
comment on column clockwork.tasks.vendor is 'The queue of the task (clockwork.vendors).';
comment on column clockwork.tasks.key is 'The vendor''s event id, or <task that caused it>:<n>. Unique with step.';
comment on column clockwork.tasks.caused_by is 'The task that asked for this one. Empty for an event from outside and for a task that a person added.';
comment on column clockwork.tasks.reason_code is 'The code of the reason (clockwork.reasons).';
comment on column clockwork.tasks.job_id is 'The pg-boss job that runs it now.';
comment on column clockwork.tasks.done_at is 'When the work was done.';
comment on column clockwork.tasks.answer is 'A person''s choice of those in ops.manual_intervention. Set it while status is MANUAL_INTERVENTION: status and data follow.';

create table clockwork.vendors (
  vendor text not null,
  paused_until timestamp with time zone,
  paused_reason text,
  rate_per_second numeric not null,
  concurrency integer not null,
  retry_limit integer not null default 20,
  retry_delay_seconds integer not null default 5,
  retry_delay_max_seconds integer not null default 1800,
  failures_in_a_row integer not null default 0,
  last_success_at timestamp with time zone,
  last_failure_at timestamp with time zone,
  leased_by uuid,
  leased_until timestamp with time zone,
  constraint vendors_pkey PRIMARY KEY (vendor),
  constraint a_lease_has_an_end CHECK ((leased_by IS NULL) = (leased_until IS NULL)),
  constraint a_pause_says_why CHECK (paused_until IS NULL OR paused_reason IS NOT NULL),
  constraint concurrency_is_positive CHECK (concurrency >= 1 AND concurrency <= 100),
  constraint rate_is_positive CHECK (rate_per_second > 0::numeric),
  constraint retry_delays_are_sane CHECK (retry_delay_seconds >= 1 AND retry_delay_seconds <= 86400 AND retry_delay_max_seconds >= retry_delay_seconds AND retry_delay_max_seconds <= 86400),
  constraint retry_limit_is_sane CHECK (retry_limit >= 0 AND retry_limit <= 1000)
);
alter table clockwork.vendors enable row level security;
CREATE TRIGGER guard_vendor BEFORE INSERT OR UPDATE ON clockwork.vendors FOR EACH ROW EXECUTE FUNCTION clockwork.guard_vendor();
CREATE TRIGGER refuse_delete BEFORE DELETE ON clockwork.vendors FOR EACH STATEMENT EXECUTE FUNCTION clockwork.refuse_removal('To hold a vendor''s work, set paused_until.');
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON clockwork.vendors FOR EACH STATEMENT EXECUTE FUNCTION clockwork.refuse_removal('To hold a vendor''s work, set paused_until.');
CREATE TRIGGER wake_paused_tasks AFTER UPDATE OF paused_until ON clockwork.vendors FOR EACH ROW WHEN ((((new.paused_until IS NULL) AND (old.paused_until IS NOT NULL)) OR (new.paused_until < old.paused_until))) EXECUTE FUNCTION clockwork.wake_paused_tasks();
comment on table clockwork.vendors is 'A row per queue. To hold a vendor''s work, set paused_until and paused_reason. To go on, clear paused_until.';
comment on column clockwork.vendors.vendor is 'stripe, health (the health record), pharmacy, crm, login (Supabase Auth), or internal (work that calls nobody).';
comment on column clockwork.vendors.paused_until is 'No task of this queue runs before this moment. The vendor''s Retry-After, failures in a row, or a person sets it.';
comment on column clockwork.vendors.paused_reason is 'The cause of the pause, in plain words.';
comment on column clockwork.vendors.rate_per_second is 'The most requests a second. Keep it below the vendor''s limit.';
comment on column clockwork.vendors.concurrency is 'The most tasks of this queue that run at once.';
comment on column clockwork.vendors.retry_limit is 'The tries after the first one, before a task stops for a person. 20 tries take about 7 hours.';
comment on column clockwork.vendors.retry_delay_seconds is 'The wait before the second try. Each further wait is twice as long.';
comment on column clockwork.vendors.retry_delay_max_seconds is 'The longest wait between two tries.';
comment on column clockwork.vendors.failures_in_a_row is 'Failed calls since the last success.';
comment on column clockwork.vendors.last_success_at is 'When the vendor last replied to a call.';
comment on column clockwork.vendors.last_failure_at is 'When the vendor last did not reply, or asked us to slow down.';
comment on column clockwork.vendors.leased_by is 'The drain that works on this queue now.';
comment on column clockwork.vendors.leased_until is 'When that drain''s lease ends by itself.';

CREATE OR REPLACE FUNCTION clockwork.actor()
 RETURNS text
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
begin
  return coalesce(nullif(current_setting('clockwork.actor', true), ''), 'table editor');
end
$function$;
comment on function clockwork.actor() is 'The author of the current change: clockwork:<part> for the machinery, otherwise a person.';

CREATE OR REPLACE FUNCTION clockwork.call_function(name text)
 RETURNS bigint
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  url text := (select decrypted_secrets.decrypted_secret from vault.decrypted_secrets where decrypted_secrets.name = 'clockwork_functions_url');
  secret text := (select decrypted_secrets.decrypted_secret from vault.decrypted_secrets where decrypted_secrets.name = 'clockwork_cron_secret');
begin
  if btrim(coalesce(url, '')) = '' then
    raise exception 'Vault has no secret clockwork_functions_url, so % was not called.', call_function.name;
  end if;
  if btrim(coalesce(secret, '')) = '' then
    raise exception 'Vault has no secret clockwork_cron_secret, so % was not called.', call_function.name;
  end if;
  return net.http_post(
    url := rtrim(url, '/') || '/' || call_function.name,
    body := '{}'::jsonb,
    headers := jsonb_build_object('Content-Type', 'application/json', 'Authorization', 'Bearer ' || secret),
    timeout_milliseconds := 5000
  );
end
$function$;
comment on function clockwork.call_function(text) is 'Calls an edge function with the cron secret. Raises when Vault lacks the URL or the secret.';

CREATE OR REPLACE FUNCTION clockwork.choose(was clockwork.tasks, task clockwork.tasks)
 RETURNS clockwork.tasks
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  choice clockwork.reason_choices;
  choices text;
begin
  task.answer := nullif(regexp_replace(lower(btrim(task.answer, E' \t\r\n')), '\s+', '_', 'g'), '');
  if task.answer is not distinct from was.answer then
    return task;
  end if;
  if was.status <> 'MANUAL_INTERVENTION' then
    raise exception 'answer of task % can be set only while status is MANUAL_INTERVENTION. It is %.', was.id, was.status
      using errcode = 'check_violation';
  end if;

  select * into choice
  from clockwork.reason_choices
  where reason_choices.code = was.reason_code and reason_choices.answer = task.answer;
  if not found then
    select string_agg(format('%s (%s)', reason_choices.answer, reason_choices.label), ', ' order by reason_choices.position)
    into choices
    from clockwork.reason_choices where reason_choices.code = was.reason_code;
    raise exception 'Task % has no choice %. Its choices: %.', was.id, task.answer, coalesce(choices, 'none')
      using errcode = 'check_violation';
  end if;
  if task.status not in (was.status, choice.status) then
    raise exception 'The answer % sets status of task % to %, so it cannot be set to % as well.',
      choice.answer, was.id, choice.status, task.status
      using errcode = 'check_violation';
  end if;
  if choice.needs is not null and coalesce(task.data ->> choice.needs, '') = '' then
    raise exception 'Fill in % in data of task %, then set answer to %.', choice.needs, was.id, choice.answer
      using errcode = 'check_violation';
  end if;
  task.status := choice.status;
  task.data := task.data || choice.data;
  return task;
end
$function$;
comment on function clockwork.choose(clockwork.tasks,clockwork.tasks) is 'The task with the status and the data of its new answer. An answer that is none of its choices is refused.';

CREATE OR REPLACE FUNCTION clockwork.clean_cron_log()
 RETURNS bigint
 LANGUAGE sql
 SET search_path TO ''
AS $function$
  with gone as (
    delete from cron.job_run_details
    -- A run that a crash cut off has no end.
    where coalesce(job_run_details.end_time, job_run_details.start_time) < now() - interval '7 days'
    returning 1
  )
  select count(*) from gone
$function$;
comment on function clockwork.clean_cron_log() is 'Keeps the last week of pg_cron''s log, which pg_cron itself never cleans.';

CREATE OR REPLACE FUNCTION clockwork.guard_effect()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
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
$function$;

CREATE OR REPLACE FUNCTION clockwork.guard_settings()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  if not exists (select from pg_timezone_names where pg_timezone_names.name = new.pharmacy_time_zone) then
    raise exception 'There is no time zone %. A time zone that exists is America/New_York.', new.pharmacy_time_zone
      using errcode = 'check_violation';
  end if;
  return new;
end
$function$;

CREATE OR REPLACE FUNCTION clockwork.guard_task()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  is_person boolean := clockwork.actor() not like 'clockwork:%';
  allowed text;
begin
  if new.answer is distinct from old.answer then
    new := clockwork.choose(old, new);
  end if;

  if old.status <> new.status and not exists (
    select from clockwork.task_moves
    where task_moves.from_status = old.status and task_moves.to_status = new.status
      and (case when is_person then task_moves.by_person else task_moves.by_machinery end)
  ) then
    select string_agg(task_moves.to_status || ' (' || task_moves.meaning || ')', ', ' order by task_moves.to_status)
    into allowed
    from clockwork.task_moves
    where task_moves.from_status = old.status
      and (case when is_person then task_moves.by_person else task_moves.by_machinery end);
    raise exception 'Task % is %, so it cannot be set to %. Allowed from %: %.',
      old.id, old.status, new.status, old.status, coalesce(allowed, 'nothing')
      using errcode = 'check_violation';
  end if;

  if is_person then
    if new.data is distinct from old.data and old.status <> 'MANUAL_INTERVENTION' then
      raise exception 'data of task % can be edited only while status is MANUAL_INTERVENTION. It is %.', old.id, old.status
        using errcode = 'check_violation';
    end if;
    if new.run_after is distinct from old.run_after and old.status <> 'PENDING' then
      raise exception 'run_after of task % can be edited only while status is PENDING. It is %.', old.id, old.status
        using errcode = 'check_violation';
    end if;
    if (new.id, new.step, new.key, new.vendor, new.caused_by, new.customer_id, new.invoice_id, new.reason, new.reason_code,
        new.attempts, new.job_id, new.created_at, new.updated_at, new.done_at)
      is distinct from
       (old.id, old.step, old.key, old.vendor, old.caused_by, old.customer_id, old.invoice_id, old.reason, old.reason_code,
        old.attempts, old.job_id, old.created_at, old.updated_at, old.done_at)
    then
      raise exception 'Only answer, status, data and run_after of task % can be edited. The machinery keeps the rest.', old.id
        using errcode = 'check_violation';
    end if;
    if new.status <> old.status then
      new.job_id := null;
      new.done_at := null;
    end if;
  end if;

  -- A task that ended or stopped, and is run again, has all its tries and its old reason no more.
  if new.status = 'PENDING' and old.status <> 'PENDING' and (is_person or old.status <> 'QUEUED') then
    new.attempts := 0;
    new.run_after := clockwork.now();
    new.reason := null;
    new.reason_code := null;
  end if;

  -- An answer is the record of a choice until the task asks again, or its end is taken back.
  if new.status <> old.status and (new.status = 'MANUAL_INTERVENTION' or old.status = 'CANCELLED') then
    new.answer := null;
  end if;

  new.updated_at := clockwork.now();
  return new;
end
$function$;

CREATE OR REPLACE FUNCTION clockwork.guard_vendor()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  if new.paused_until is null then
    new.paused_reason := null;
  else
    new.paused_reason := coalesce(new.paused_reason, 'paused by a person');
  end if;
  return new;
end
$function$;

CREATE OR REPLACE FUNCTION clockwork.now()
 RETURNS timestamp with time zone
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
begin
  return now() + case
    when current_setting('clockwork.local', true) = 'on'
      then (select settings.clock_offset from clockwork.settings)
    else interval '0'
  end;
end
$function$;
comment on function clockwork.now() is 'The time. Everything in Clockwork reads this clock, so that the local stack can shift it.';

CREATE OR REPLACE FUNCTION clockwork.reason_text(code text, details jsonb)
 RETURNS text
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  result text := (select reasons.sentence from clockwork.reasons where reasons.code = reason_text.code);
  detail record;
begin
  for detail in select * from jsonb_each_text(coalesce(reason_text.details, '{}')) loop
    result := replace(result, '{' || detail.key || '}', coalesce(detail.value, '-'));
  end loop;
  return regexp_replace(result, '\{[a-z0-9_]+\}', '-', 'g');
end
$function$;
comment on function clockwork.reason_text(text,jsonb) is 'A reason''s sentence with its details filled in. Null for a code that is not in the catalogue.';

CREATE OR REPLACE FUNCTION clockwork.record_task_change()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  was jsonb := to_jsonb(old) - 'updated_at';
  is_now jsonb := to_jsonb(new) - 'updated_at';
begin
  if was = is_now then
    return null;
  end if;
  insert into clockwork.task_history (task_id, actor, from_status, to_status, before, after)
  select new.id, clockwork.actor(), old.status, new.status,
    jsonb_object_agg(fact.key, fact.value),
    jsonb_object_agg(fact.key, is_now -> fact.key)
  from jsonb_each(was) as fact
  where fact.value is distinct from is_now -> fact.key;
  return null;
end
$function$;

CREATE OR REPLACE FUNCTION clockwork.refuse_removal()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  raise exception '%', rtrim(format('Rows of %s.%s are never %s. %s', tg_table_schema, tg_table_name,
      case tg_op when 'UPDATE' then 'changed' else 'removed' end, tg_argv[0]))
    using errcode = 'check_violation';
end
$function$;

CREATE OR REPLACE FUNCTION clockwork.start_due_renewals()
 RETURNS bigint
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  started bigint;
begin
  perform set_config('clockwork.actor', 'clockwork:renewals', true);
  insert into clockwork.tasks (step, key, vendor, data, customer_id)
  select 'renewal.advance',
    format('%s:%s:%s', renewals.id, date_part('epoch', renewals.next_on)::bigint, clockwork.now()::date),
    'health', jsonb_build_object('renewal_id', renewals.id), renewals.customer_id
  from tracker.renewals
  where renewals.closed_at is null and renewals.next_on <= clockwork.now()
    and not exists (
      select from clockwork.tasks
      where tasks.step = 'renewal.advance' and tasks.status in ('PENDING', 'QUEUED', 'MANUAL_INTERVENTION')
        and tasks.data ->> 'renewal_id' = renewals.id::text
        and (tasks.status <> 'MANUAL_INTERVENTION' or tasks.reason_code <> 'RENEWAL_LAPSED'))
  order by renewals.next_on
  on conflict on constraint tasks_step_key_is_unique do nothing;
  get diagnostics started = row_count;
  return started;
end
$function$;
comment on function clockwork.start_due_renewals() is 'Makes a task for every renewal whose next_on has come. pg_cron runs it every few minutes.';

CREATE OR REPLACE FUNCTION clockwork.start_nightly_work()
 RETURNS bigint
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  local_now timestamp := clockwork.now() at time zone (select settings.pharmacy_time_zone from clockwork.settings);
  started bigint;
begin
  perform set_config('clockwork.actor', 'clockwork:nightly', true);
  insert into clockwork.tasks (step, key, vendor, data)
  select nightly_work.step, 'night:' || night.day, nightly_work.vendor, jsonb_build_object('night', night.day)
  from clockwork.nightly_work
  cross join lateral (select (local_now - nightly_work.at::interval)::date as day) as night
  where nightly_work.is_on
  order by nightly_work.at, nightly_work.step
  on conflict on constraint tasks_step_key_is_unique do nothing;
  get diagnostics started = row_count;

  -- Work that still waits the next night (its vendor is paused, for example) becomes a question to a person, one a work.
  insert into clockwork.tasks (status, step, key, vendor, data, reason, reason_code)
  select 'MANUAL_INTERVENTION', late.step, 'unfinished:' || late.day, late.vendor,
    jsonb_build_object('night', late.day),
    clockwork.reason_text('NIGHT_UNFINISHED', jsonb_build_object('step', late.step, 'day', late.day)), 'NIGHT_UNFINISHED'
  from (
    select nightly_work.step, nightly_work.vendor, min(tasks.created_at at time zone settings.pharmacy_time_zone)::date as day
    from clockwork.nightly_work
    cross join clockwork.settings
    join clockwork.tasks on tasks.step = nightly_work.step and tasks.status in ('PENDING', 'QUEUED')
      and tasks.created_at < clockwork.now() - interval '20 hours'
    where nightly_work.is_on
    group by nightly_work.step, nightly_work.vendor
  ) as late
  where not exists (
    select from clockwork.tasks as asked
    where asked.step = late.step and asked.status = 'MANUAL_INTERVENTION' and asked.reason_code = 'NIGHT_UNFINISHED')
  on conflict on constraint tasks_step_key_is_unique do nothing;
  return started;
end
$function$;
comment on function clockwork.start_nightly_work() is 'Makes the tasks of the last night whose hour has come, each once. Asks a person about work of an earlier night that still waits. pg_cron runs it every few minutes.';

CREATE OR REPLACE FUNCTION clockwork.tick()
 RETURNS bigint
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  if (select settings.maintenance from clockwork.settings) then
    return null;
  end if;
  if exists (select from clockwork.tasks where tasks.status = 'PENDING' and tasks.run_after <= clockwork.now())
    or exists (select from clockwork.tasks where tasks.status = 'QUEUED')
  then
    return clockwork.call_function('drain');
  end if;
  return null;
end
$function$;
comment on function clockwork.tick() is 'Calls the drain when there is work. pg_cron runs it.';

CREATE OR REPLACE FUNCTION clockwork.wake_paused_tasks()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  actor text := current_setting('clockwork.actor', true);
begin
  perform set_config('clockwork.actor', 'clockwork:resume', true);
  update clockwork.tasks set run_after = clockwork.now(), reason = null, reason_code = null
  where tasks.status = 'PENDING' and tasks.reason_code = 'VENDOR_PAUSED' and tasks.run_after > clockwork.now();
  perform set_config('clockwork.actor', coalesce(actor, ''), true);
  return null;
end
$function$;

-- ops ---------------------------------------------------------------------------------------

create schema ops;
comment on schema ops is 'Views for people: stuck work, waiting work, and the story behind each.';

create view ops.checks with (security_invoker=on) as -- work text, vendor text, state text, finished boolean, window_from timestamp with time zone, window_until timestamp with time zone, seen integer, missing integer, repaired integer, unlinked integer, started_at timestamp with time zone, ended_at timestamp with time zone, task_id bigint, run_id bigint
 WITH recent AS (
         SELECT check_runs.id,
            check_runs.work,
            check_runs.vendor,
            check_runs.state,
            check_runs.window_from,
            check_runs.window_until,
            check_runs.pages,
            check_runs.seen,
            check_runs.missing,
            check_runs.repaired,
            check_runs.task_id,
            check_runs.started_at,
            check_runs.ended_at,
            check_runs.unlinked,
            row_number() OVER (PARTITION BY check_runs.work, check_runs.vendor ORDER BY check_runs.id DESC) AS nth
           FROM tracker.check_runs
        ), current_page AS (
         SELECT recent.id AS run_id,
            page.task_id,
            page.status,
            page.reason
           FROM recent
             LEFT JOIN LATERAL ( WITH RECURSIVE pages AS (
                         SELECT tasks.id,
                            tasks.step,
                            tasks.status,
                            tasks.reason
                           FROM clockwork.tasks
                          WHERE tasks.id = recent.task_id
                        UNION ALL
                         SELECT tasks.id,
                            tasks.step,
                            tasks.status,
                            tasks.reason
                           FROM pages pages_1
                             JOIN clockwork.tasks ON tasks.caused_by = pages_1.id AND tasks.step = pages_1.step
                        )
                 SELECT pages.id AS task_id,
                    pages.status,
                    pages.reason
                   FROM pages
                  WHERE pages.status = ANY (ARRAY['PENDING'::clockwork.task_status, 'QUEUED'::clockwork.task_status, 'MANUAL_INTERVENTION'::clockwork.task_status])
                  ORDER BY pages.id DESC
                 LIMIT 1) page ON true
          WHERE recent.state <> 'DONE'::text AND recent.nth <= 14
        )
 SELECT recent.work,
    recent.vendor,
        CASE
            WHEN recent.state = 'DONE'::text AND recent.missing = 0 THEN 'finished: nothing was wrong'::text
            WHEN recent.state = 'DONE'::text AND recent.repaired >= recent.missing THEN 'finished: everything wrong is repaired'::text
            WHEN recent.state = 'DONE'::text THEN format('finished: %s still to be repaired'::text, recent.missing - recent.repaired)
            WHEN recent.state = 'UNFINISHED'::text THEN 'not finished: the next run began before its end'::text
            WHEN current_page.task_id IS NULL THEN format('ended after %s pages: the task of the next page was cancelled'::text, recent.pages)
            WHEN current_page.status = 'MANUAL_INTERVENTION'::clockwork.task_status THEN format('stopped after %s pages: %s'::text, recent.pages, current_page.reason)
            WHEN current_page.reason IS NOT NULL THEN format('waiting after %s pages: %s'::text, recent.pages, current_page.reason)
            ELSE format('running: %s pages so far'::text, recent.pages)
        END AS state,
    recent.state = 'DONE'::text AS finished,
    recent.window_from,
    recent.window_until,
    recent.seen,
    recent.missing,
    recent.repaired,
    recent.unlinked,
    recent.started_at,
    recent.ended_at,
    current_page.task_id,
    recent.id AS run_id
   FROM recent
     LEFT JOIN current_page ON current_page.run_id = recent.id
  WHERE recent.nth <= 14
UNION ALL
 SELECT COALESCE(known.work, split_part(tasks.step, '.'::text, 1)) AS work,
    tasks.vendor,
        CASE
            WHEN tasks.status = 'MANUAL_INTERVENTION'::clockwork.task_status THEN 'not begun: '::text || tasks.reason
            ELSE 'not begun'::text || COALESCE(': '::text || tasks.reason, ''::text)
        END AS state,
    false AS finished,
    NULL::timestamp with time zone AS window_from,
    NULL::timestamp with time zone AS window_until,
    0 AS seen,
    0 AS missing,
    0 AS repaired,
    0 AS unlinked,
    tasks.created_at AS started_at,
    NULL::timestamp with time zone AS ended_at,
    tasks.id AS task_id,
    NULL::bigint AS run_id
   FROM clockwork.tasks
     JOIN clockwork.nightly_work ON nightly_work.step = tasks.step
     LEFT JOIN LATERAL ( SELECT check_runs.work
           FROM tracker.check_runs
             JOIN clockwork.tasks begun ON begun.id = check_runs.task_id AND begun.step = nightly_work.step
          ORDER BY check_runs.id DESC
         LIMIT 1) known ON true
  WHERE (tasks.status = ANY (ARRAY['PENDING'::clockwork.task_status, 'QUEUED'::clockwork.task_status, 'MANUAL_INTERVENTION'::clockwork.task_status])) AND tasks.caused_by IS NULL AND (known.work IS NOT NULL OR (split_part(tasks.step, '.'::text, 1) = ANY (ARRAY['completeness'::text, 'drift'::text, 'product'::text]))) AND NOT (EXISTS ( SELECT
           FROM tracker.check_runs
          WHERE check_runs.task_id = tasks.id))
  ORDER BY 1, 2, 11 DESC;
comment on view ops.checks is 'The last 14 runs of each nightly check. Only a finished run is a success.';
comment on column ops.checks.work is 'completeness (events that never reached us), drift (mirrors that differ from their owner), product_count (keys in use) or renewals (the look at all refills).';
comment on column ops.checks.vendor is 'The vendor that the run goes through.';
comment on column ops.checks.state is 'The state of the run, in plain words.';
comment on column ops.checks.seen is 'The number of events, orders or facts of customers that the run went through.';
comment on column ops.checks.missing is 'The number of those that we had never received, or that differed from their owner.';
comment on column ops.checks.repaired is 'The number of those that are repaired or recorded by now.';
comment on column ops.checks.unlinked is 'The number of records without a comparison.';
comment on column ops.checks.task_id is 'The task of the current page, if the run is not finished (clockwork.tasks).';

create view ops.delayed_shipments with (security_invoker=on) as -- order_id bigint, problem text, late_by interval, customer text, state text, reference text, pharmacy_order_id text, tracking text, placed_at timestamp with time zone, shipped_at timestamp with time zone, customer_id bigint, invoice_id text
 SELECT orders.id AS order_id,
    late.problem,
    clockwork.now() - late.due AS late_by,
    customers.email AS customer,
    orders.state,
    orders.reference,
    orders.pharmacy_order_id,
    parcels.tracking,
    orders.placed_at,
    orders.shipped_at,
    orders.customer_id,
    orders.invoice_id
   FROM tracker.orders
     JOIN registry.customers ON customers.id = orders.customer_id
     CROSS JOIN clockwork.settings
     CROSS JOIN LATERAL ( SELECT
                CASE
                    WHEN orders.shipped_at IS NULL THEN 'placed but not shipped'::text
                    ELSE 'shipped but not delivered'::text
                END AS problem,
                CASE
                    WHEN orders.shipped_at IS NULL THEN orders.placed_at + settings.ship_within
                    ELSE orders.shipped_at + settings.deliver_within
                END AS due) late
     CROSS JOIN LATERAL ( SELECT string_agg((shipments.carrier || ' '::text) || shipments.tracking_number, ', '::text ORDER BY shipments.id) AS tracking
           FROM tracker.shipments
          WHERE shipments.order_id = orders.id) parcels
  WHERE (orders.state = ANY (ARRAY['PLACED'::text, 'FILLING'::text, 'SHIPPED'::text, 'OUT_FOR_DELIVERY'::text])) AND late.due < clockwork.now()
  ORDER BY late.due;
comment on view ops.delayed_shipments is 'Orders later than the limits in clockwork.settings (ship_within, deliver_within). The most delayed come first.';

create view ops.drift with (security_invoker=on) as -- customer text, fact text, owner text, mirror text, found_at timestamp with time zone, repaired_at timestamp with time zone, times_in_30_days bigint, likely_cause text, task_id bigint, customer_id bigint, run_id bigint
 SELECT customers.email AS customer,
    latest.attribute AS fact,
    tracker.system_name(latest.owner) AS owner,
    tracker.system_name(latest.system) AS mirror,
    latest.found_at,
    latest.repaired_at,
    latest.times_in_30_days,
    tracker.drift_cause(latest.customer_id, latest.fact, latest.system, latest.attribute) AS likely_cause,
    asked.task_id,
    latest.customer_id,
    latest.run_id
   FROM ( SELECT drift.id,
            drift.customer_id,
            drift.fact,
            drift.owner,
            drift.system,
            drift.attribute,
            drift.owner_hash,
            drift.mirror_hash,
            drift.looks,
            drift.found_at,
            drift.changed_at,
            drift.repaired_at,
            drift.run_id,
            drift.task_id,
            row_number() OVER (PARTITION BY drift.customer_id, drift.system, drift.attribute ORDER BY drift.id DESC) AS nth,
            count(*) FILTER (WHERE drift.found_at > (clockwork.now() - '30 days'::interval)) OVER (PARTITION BY drift.customer_id, drift.system, drift.attribute) AS times_in_30_days
           FROM tracker.drift
          WHERE drift.found_at > (clockwork.now() - '30 days'::interval) OR drift.repaired_at IS NULL) latest
     JOIN registry.customers ON customers.id = latest.customer_id
     LEFT JOIN LATERAL ( SELECT min(tasks.id) AS task_id
           FROM clockwork.tasks
          WHERE tasks.customer_id = latest.customer_id AND tasks.status = 'MANUAL_INTERVENTION'::clockwork.task_status AND (tasks.step = ANY (ARRAY['drift.look'::text, 'owner.propagate_'::text || latest.fact]))) asked ON true
  WHERE latest.nth = 1
  ORDER BY (latest.repaired_at IS NOT NULL), latest.found_at DESC;
comment on view ops.drift is 'Mirrors that differed from the owner of a fact. Those without a repair come first, then the newest of the last 30 days.';
comment on column ops.drift.fact is 'The name of the fact in the mirror.';
comment on column ops.drift.owner is 'The system whose value counts.';
comment on column ops.drift.mirror is 'The system that showed another value.';
comment on column ops.drift.found_at is 'When the drift was last found.';
comment on column ops.drift.repaired_at is 'When the mirror was found to be right again. Empty: not yet.';
comment on column ops.drift.likely_cause is 'The likely cause, by the record.';
comment on column ops.drift.task_id is 'The task that asks a person about it, if there is one.';
comment on column ops.drift.run_id is 'The last run of ops.checks that found it.';

create view ops.manual_intervention with (security_invoker=on) as -- task_id bigint, reason text, repair text, choices text, customer text, product text, already_done_outside text, on_resend text, age interval, step text, data jsonb, attempts integer, customer_id bigint, invoice_id text, reason_code text
 SELECT tasks.id AS task_id,
    tasks.reason,
    reasons.repair,
    choices.choices,
    customers.email AS customer,
    products.name AS product,
    COALESCE(done_outside.what, 'nothing'::text) AS already_done_outside,
    reasons.on_resend,
    clockwork.now() - stopped.since AS age,
    tasks.step,
    tasks.data,
    tasks.attempts,
    customers.id AS customer_id,
    tasks.invoice_id,
    tasks.reason_code
   FROM clockwork.tasks
     JOIN clockwork.reasons ON reasons.code = tasks.reason_code
     CROSS JOIN LATERAL ( SELECT
                CASE
                    WHEN tasks.step ~~ 'order.%'::text THEN "substring"(tasks.data ->> 'order_id'::text, '^\d{1,18}$'::text)::bigint
                    ELSE NULL::bigint
                END AS order_id,
            "substring"(tasks.data ->> 'renewal_id'::text, '^\d{1,18}$'::text)::bigint AS renewal_id,
            "substring"(tasks.data ->> 'customer_id'::text, '^\d{1,18}$'::text)::bigint AS customer_id,
            "substring"(tasks.data ->> 'product_id'::text, '^\d{1,18}$'::text)::bigint AS product_id) named
     LEFT JOIN tracker.orders ON orders.id = named.order_id
     LEFT JOIN tracker.renewals ON renewals.id = named.renewal_id
     LEFT JOIN registry.customers ON customers.id = COALESCE(tasks.customer_id, orders.customer_id, renewals.customer_id, named.customer_id)
     LEFT JOIN registry.products ON products.id = COALESCE(orders.product_id, renewals.product_id, named.product_id)
     CROSS JOIN LATERAL ( SELECT string_agg((reason_choices.answer || ': '::text) || reason_choices.label, ' / '::text ORDER BY reason_choices."position") AS choices
           FROM clockwork.reason_choices
          WHERE reason_choices.code = tasks.reason_code) choices
     CROSS JOIN LATERAL ( SELECT COALESCE(max(task_history.changed_at), tasks.created_at) AS since
           FROM clockwork.task_history
          WHERE task_history.task_id = tasks.id AND task_history.to_status = 'MANUAL_INTERVENTION'::clockwork.task_status AND task_history.from_status <> 'MANUAL_INTERVENTION'::clockwork.task_status) stopped
     CROSS JOIN LATERAL ( SELECT string_agg(format('%s: %s %s, %s'::text, effects.vendor, effects.operation, COALESCE(effects.reference, effects.key),
                CASE effects.state
                    WHEN 'CONFIRMED'::text THEN 'done'::text
                    ELSE 'perhaps done'::text
                END), '; '::text ORDER BY effects.id) AS what
           FROM clockwork.effects
             JOIN clockwork.tasks doers ON doers.id = effects.task_id
          WHERE effects.state <> 'REFUSED'::text AND (doers.id = tasks.id OR doers.invoice_id = tasks.invoice_id)) done_outside
  WHERE tasks.status = 'MANUAL_INTERVENTION'::clockwork.task_status
  ORDER BY stopped.since;
comment on view ops.manual_intervention is 'Tasks that need a person, oldest first. Make the repair, then set the task''s answer in clockwork.tasks to one of its choices.';
comment on column ops.manual_intervention.choices is 'The answers that the task takes, each with its meaning.';
comment on column ops.manual_intervention.customer is 'The email of the customer whom the task is about.';
comment on column ops.manual_intervention.product is 'The product that the task is about.';
comment on column ops.manual_intervention.already_done_outside is 'The effects at vendors so far in this story. None of them is done twice.';
comment on column ops.manual_intervention.on_resend is 'The result of setting the task''s status to PENDING.';
comment on column ops.manual_intervention.age is 'The time since the task stopped.';

create view ops.prescribed_without_subscription with (security_invoker=on) as -- customer text, product text, why text, since timestamp with time zone, task_id bigint, prescription_id text, customer_id bigint, product_id bigint
 SELECT customers.email AS customer,
    products.name AS product,
        CASE
            WHEN start.status = 'MANUAL_INTERVENTION'::clockwork.task_status THEN start.reason
            WHEN start.status = ANY (ARRAY['PENDING'::clockwork.task_status, 'QUEUED'::clockwork.task_status]) THEN COALESCE(start.reason, 'Its subscription is being started.'::text)
            WHEN firsts.finding = 'NO_PRICE'::text THEN 'The customer chose no price and the product has no default, so nothing is started. That is right for a product that is sold by Checkout.'::text
            WHEN firsts.finding = 'ENDED'::text THEN 'The prescription ended before a subscription started.'::text
            WHEN start.status = 'CANCELLED'::clockwork.task_status THEN 'A person decided against a subscription.'::text
            ELSE 'No task is under way. For a new look, add a task with the step subscription.look.'::text
        END AS why,
    firsts.looked_at AS since,
        CASE
            WHEN start.status = ANY (ARRAY['PENDING'::clockwork.task_status, 'QUEUED'::clockwork.task_status, 'MANUAL_INTERVENTION'::clockwork.task_status]) THEN start.task_id
            ELSE NULL::bigint
        END AS task_id,
    firsts.prescription_id,
    firsts.customer_id,
    firsts.product_id
   FROM tracker.first_prescriptions firsts
     JOIN registry.customers ON customers.id = firsts.customer_id
     JOIN registry.products ON products.id = firsts.product_id
     LEFT JOIN LATERAL ( SELECT tasks.id AS task_id,
            tasks.status,
            tasks.reason
           FROM clockwork.tasks
          WHERE tasks.step = 'subscription.start'::text AND (tasks.data ->> 'customer_id'::text) = firsts.customer_id::text AND (tasks.data ->> 'product_id'::text) = firsts.product_id::text AND (tasks.status = ANY (ARRAY['PENDING'::clockwork.task_status, 'QUEUED'::clockwork.task_status, 'MANUAL_INTERVENTION'::clockwork.task_status, 'CANCELLED'::clockwork.task_status]))
          ORDER BY (tasks.status = 'CANCELLED'::clockwork.task_status), (tasks.status = 'MANUAL_INTERVENTION'::clockwork.task_status) DESC, tasks.id DESC
         LIMIT 1) start ON true
  WHERE (firsts.finding <> ALL (ARRAY['STARTED'::text, 'SUBSCRIBED'::text])) AND NOT (EXISTS ( SELECT
           FROM tracker.refills
          WHERE refills.customer_id = firsts.customer_id AND refills.product_id = firsts.product_id))
  ORDER BY firsts.looked_at;
comment on view ops.prescribed_without_subscription is 'Customers with a prescription and no subscription for its product, and the cause. A prescription on file does not mean that the customer wants it filled.';
comment on column ops.prescribed_without_subscription.why is 'The cause, in plain words.';
comment on column ops.prescribed_without_subscription.since is 'When the last look was.';
comment on column ops.prescribed_without_subscription.task_id is 'The task that starts the subscription or asks about it, if there is one.';

create view ops.prescription_issues with (security_invoker=on) as -- issue text, what text, customer text, product text, since timestamp with time zone, task_id bigint, order_id bigint, subscription_id text, customer_id bigint, product_id bigint
 SELECT issues.issue,
    issues.what,
    customers.email AS customer,
    products.name AS product,
    issues.since,
    issues.task_id,
    issues.order_id,
    issues.subscription_id,
    issues.customer_id,
    issues.product_id
   FROM ( SELECT
                CASE refills.finding
                    WHEN 'NO_PRESCRIPTION'::text THEN 'no prescription'::text
                    WHEN 'EXPIRED'::text THEN 'expired'::text
                    WHEN 'NO_FILLS_LEFT'::text THEN 'zero fills'::text
                    WHEN 'WRONG_PRODUCT'::text THEN 'wrong product'::text
                    WHEN 'DATES_UNKNOWN'::text THEN 'unknown dates'::text
                    WHEN 'PAUSED_FOR_RENEWAL'::text THEN 'lapsed'::text
                    WHEN 'UNKNOWN_STATUS'::text THEN 'unknown status'::text
                    WHEN 'UNKNOWN_PRODUCT'::text THEN 'unknown product'::text
                    WHEN 'UNKNOWN_CUSTOMER'::text THEN 'unknown customer'::text
                    WHEN 'UNCLEAR'::text THEN 'unclear subscription'::text
                    ELSE NULL::text
                END AS issue,
            findings.meaning ||
                CASE
                    WHEN refills.finding = 'UNCLEAR'::text THEN COALESCE((' It is active, but '::text || refills.what) || '.'::text, ''::text)
                    ELSE COALESCE((' Missing or unclear: '::text || refills.what) || '.'::text, ''::text)
                END AS what,
            refills.looked_at AS since,
            asked.task_id,
            NULL::bigint AS order_id,
            refills.subscription_id,
            refills.customer_id,
            refills.product_id
           FROM tracker.refills
             JOIN tracker.refill_findings findings ON findings.finding = refills.finding AND findings.is_issue
             LEFT JOIN LATERAL ( SELECT min(tasks.id) AS task_id
                   FROM clockwork.tasks
                  WHERE tasks.step = 'renewal.check'::text AND tasks.status = 'MANUAL_INTERVENTION'::clockwork.task_status AND (tasks.data ->> 'subscription_id'::text) = refills.subscription_id) asked ON true
        UNION ALL
         SELECT 'two subscriptions'::text,
            format('%s more active subscription(s) of the customer for the same product. They use the same fills.'::text, refills.other_refills) AS format,
            refills.looked_at,
            NULL::bigint,
            NULL::bigint,
            refills.subscription_id,
            refills.customer_id,
            refills.product_id
           FROM tracker.refills
          WHERE refills.other_refills > 0 AND (refills.finding <> ALL (ARRAY['INACTIVE'::text, 'PAUSED'::text, 'ENDING'::text]))
        UNION ALL
         SELECT 'two prescriptions'::text,
            format('%s more active prescription(s) for the same product. The one that expires first is used first. If the others are a mistake, have them ended.'::text, refills.other_prescriptions) AS format,
            refills.looked_at,
            NULL::bigint,
            NULL::bigint,
            refills.subscription_id,
            refills.customer_id,
            refills.product_id
           FROM tracker.refills
          WHERE refills.other_prescriptions > 0 AND refills.finding <> 'INACTIVE'::text AND NOT (EXISTS ( SELECT
                   FROM tracker.renewals
                  WHERE renewals.customer_id = refills.customer_id AND renewals.product_id = refills.product_id AND renewals.state = 'RENEWED'::text AND renewals.closed_at > (clockwork.now() - '180 days'::interval)))
        UNION ALL
         SELECT 'waiting order'::text,
            COALESCE(waits.reason, 'Paid for, but there is no valid prescription.'::text) AS "coalesce",
            orders.created_at,
            waits.task_id,
            orders.id,
            orders.subscription_id,
            orders.customer_id,
            orders.product_id
           FROM tracker.orders
             LEFT JOIN LATERAL ( SELECT tasks.id AS task_id,
                    tasks.reason
                   FROM clockwork.tasks
                  WHERE tasks.step = 'order.place'::text AND (tasks.status = ANY (ARRAY['PENDING'::clockwork.task_status, 'QUEUED'::clockwork.task_status, 'MANUAL_INTERVENTION'::clockwork.task_status])) AND (tasks.data ->> 'order_id'::text) = orders.id::text
                  ORDER BY tasks.id DESC
                 LIMIT 1) waits ON true
          WHERE orders.state = 'AWAITING_PRESCRIPTION'::text AND orders.cancel_requested_at IS NULL) issues
     LEFT JOIN registry.customers ON customers.id = issues.customer_id
     LEFT JOIN registry.products ON products.id = issues.product_id
  ORDER BY issues.since;
comment on view ops.prescription_issues is 'Refills and orders whose prescription needs somebody: none, expired, zero fills, wrong product, unknown dates, two at once, lapsed, or an order that waits.';
comment on column ops.prescription_issues.since is 'When the last look was. For an order, when it was paid for.';
comment on column ops.prescription_issues.task_id is 'The task that waits for the repair, if there is one.';

create view ops.price_moves with (security_invoker=on) as -- from_price text, to_price text, subscription_id text, customer text, state text, why text, paused boolean, billing_date_before timestamp with time zone, billing_date_after timestamp with time zone, settled_at timestamp with time zone, task_id bigint, finding text, retirement_id bigint, move_id bigint
 SELECT price_retirements.from_price,
    price_retirements.to_price,
    price_moves.subscription_id,
    customers.email AS customer,
        CASE
            WHEN price_moves.state <> 'WAITING'::text THEN lower(replace(price_moves.state, '_'::text, ' '::text))
            WHEN task.status = 'MANUAL_INTERVENTION'::clockwork.task_status THEN 'waiting for a person'::text
            WHEN task.status = ANY (ARRAY['PENDING'::clockwork.task_status, 'QUEUED'::clockwork.task_status]) THEN 'waiting'::text
            ELSE 'left as it is'::text
        END AS state,
        CASE
            WHEN price_moves.state = 'WAITING'::text THEN COALESCE(task.reason, 'It waits for its turn.'::text)
            ELSE move_findings.meaning
        END AS why,
    price_moves.paused_before AS paused,
    price_moves.due_before AS billing_date_before,
    price_moves.due_after AS billing_date_after,
    price_moves.settled_at,
    task.id AS task_id,
    price_moves.finding,
    price_moves.retirement_id,
    price_moves.id AS move_id
   FROM tracker.price_moves
     JOIN tracker.price_retirements ON price_retirements.id = price_moves.retirement_id
     LEFT JOIN tracker.move_findings ON move_findings.finding = price_moves.finding
     LEFT JOIN LATERAL ( SELECT tasks.id,
            tasks.status,
            tasks.reason,
            tasks.customer_id
           FROM clockwork.tasks
          WHERE tasks.step = 'product.move_subscription'::text AND (tasks.data ->> 'move_id'::text) = price_moves.id::text
          ORDER BY tasks.id DESC
         LIMIT 1) task ON true
     LEFT JOIN registry.customers ON customers.id = task.customer_id
  ORDER BY price_moves.id;
comment on view ops.price_moves is 'Every subscription of a retired price: moved to the price that replaces it, or not moved and the cause.';
comment on column ops.price_moves.state is 'moved, already there, not moved, waiting, waiting for a person, or left as it is (a person cancelled its task).';
comment on column ops.price_moves.why is 'The cause for which it is not moved or waits.';
comment on column ops.price_moves.paused is 'True if it was paused before the move. It still is.';
comment on column ops.price_moves.billing_date_before is 'The next billing date right before the move.';
comment on column ops.price_moves.billing_date_after is 'The next billing date after the move. It is the same, unless a period ended meanwhile.';
comment on column ops.price_moves.task_id is 'The task of the move.';

create view ops.product_frequency with (security_invoker=on) as -- product text, system registry.key_system, key text, state text, in_use integer, paused integer, change_7_nights integer, change_30_nights integer, what_to_do text, replaced_by text, counted_at timestamp with time zone, product_id bigint
 WITH last_runs AS (
         SELECT DISTINCT ON (check_runs.vendor)
                CASE check_runs.vendor
                    WHEN 'stripe'::text THEN 'stripe_price'::text
                    ELSE 'pharmacy_treatment'::text
                END::registry.key_system AS system,
            check_runs.vendor,
            check_runs.id,
            check_runs.started_at,
            check_runs.ended_at
           FROM tracker.check_runs
          WHERE check_runs.work = 'product_count'::text AND check_runs.state = 'DONE'::text
          ORDER BY check_runs.vendor, check_runs.started_at DESC, check_runs.id DESC
        ), former_runs AS (
         SELECT last_runs.system,
            nights.nights,
            former.id
           FROM last_runs
             CROSS JOIN ( VALUES (7), (30)) nights(nights)
             CROSS JOIN LATERAL ( SELECT check_runs.id,
                    check_runs.started_at
                   FROM tracker.check_runs
                  WHERE check_runs.work = 'product_count'::text AND check_runs.state = 'DONE'::text AND check_runs.vendor = last_runs.vendor AND check_runs.started_at <= (last_runs.started_at - nights.nights::double precision * '1 day'::interval + '12:00:00'::interval)
                  ORDER BY check_runs.started_at DESC, check_runs.id DESC
                 LIMIT 1) former
          WHERE former.started_at > (last_runs.started_at - nights.nights::double precision * '1 day'::interval - '3 days'::interval)
        ), all_keys AS (
         SELECT product_keys.system,
            product_keys.key
           FROM registry.product_keys
          WHERE product_keys.system = ANY (ARRAY['stripe_price'::registry.key_system, 'pharmacy_treatment'::registry.key_system])
        UNION
         SELECT product_counts.system,
            product_counts.key
           FROM tracker.product_counts
             JOIN last_runs ON last_runs.id = product_counts.run_id
        ), frequency AS (
         SELECT all_keys.system,
            all_keys.key,
            products.name AS product,
            products.id AS product_id,
            product_keys.replaced_by,
                CASE
                    WHEN product_keys.key IS NULL THEN 'unregistered'::text
                    WHEN product_keys.status = 'retired'::registry.product_status OR products.status = 'retired'::registry.product_status THEN 'retired'::text
                    ELSE 'registered'::text
                END AS state,
                CASE
                    WHEN last_runs.id IS NOT NULL THEN COALESCE(now_counts.in_use, 0)
                    ELSE NULL::integer
                END AS in_use,
                CASE
                    WHEN last_runs.id IS NOT NULL THEN COALESCE(now_counts.paused, 0)
                    ELSE NULL::integer
                END AS paused,
                CASE
                    WHEN week.id IS NOT NULL THEN COALESCE(now_counts.in_use, 0) - COALESCE(week_counts.in_use, 0)
                    ELSE NULL::integer
                END AS change_7_nights,
                CASE
                    WHEN month.id IS NOT NULL THEN COALESCE(now_counts.in_use, 0) - COALESCE(month_counts.in_use, 0)
                    ELSE NULL::integer
                END AS change_30_nights,
            last_runs.ended_at AS counted_at
           FROM all_keys
             LEFT JOIN registry.product_keys ON product_keys.system = all_keys.system AND product_keys.key = all_keys.key
             LEFT JOIN registry.products ON products.id = product_keys.product_id
             LEFT JOIN last_runs ON last_runs.system = all_keys.system
             LEFT JOIN former_runs week ON week.system = all_keys.system AND week.nights = 7
             LEFT JOIN former_runs month ON month.system = all_keys.system AND month.nights = 30
             LEFT JOIN tracker.product_counts now_counts ON now_counts.run_id = last_runs.id AND now_counts.system = all_keys.system AND now_counts.key = all_keys.key
             LEFT JOIN tracker.product_counts week_counts ON week_counts.run_id = week.id AND week_counts.system = all_keys.system AND week_counts.key = all_keys.key
             LEFT JOIN tracker.product_counts month_counts ON month_counts.run_id = month.id AND month_counts.system = all_keys.system AND month_counts.key = all_keys.key
        )
 SELECT product,
    system,
    key,
    state,
    in_use,
    paused,
    change_7_nights,
    change_30_nights,
        CASE
            WHEN in_use IS NULL THEN 'Not counted yet. It is counted every night.'::text
            WHEN state = 'unregistered'::text AND system = 'stripe_price'::registry.key_system THEN 'Add it to registry.product_keys. Until then, no fill that is paid for under it can ship.'::text
            WHEN state = 'unregistered'::text THEN 'Add it to registry.product_keys, if the company ships it.'::text
            WHEN state = 'retired'::text AND (in_use + paused) = 0 THEN 'Nothing. Nobody uses it any more.'::text
            WHEN state = 'retired'::text AND system = 'stripe_price'::registry.key_system THEN format('Move its subscribers: npm run product:retire -- %s %s'::text, key, COALESCE(replaced_by, '<the price that replaces it>'::text))
            WHEN state = 'retired'::text THEN format('Have new prescriptions written under %s. Those on file are still filled.'::text, COALESCE(replaced_by, 'the one that replaces it'::text))
            WHEN (in_use + paused) = 0 THEN 'Nobody uses it. If it is no longer offered, set its status to retired.'::text
            ELSE 'Nothing.'::text
        END AS what_to_do,
    replaced_by,
    counted_at,
    product_id
   FROM frequency
  ORDER BY (
        CASE state
            WHEN 'unregistered'::text THEN 0
            ELSE 1
        END), product, system, in_use DESC NULLS LAST, key;
comment on view ops.product_frequency is 'The use of each key at Stripe and at the pharmacy, by the last count. Keys without a product come first.';
comment on column ops.product_frequency.product is 'Empty: no product has the key.';
comment on column ops.product_frequency.system is 'stripe_price (subscriptions) or pharmacy_treatment (active prescriptions).';
comment on column ops.product_frequency.state is 'registered, unregistered (in no product), or retired (the key, or its product).';
comment on column ops.product_frequency.in_use is 'The number of subscriptions that are charged, or of active prescriptions. Empty: not counted yet.';
comment on column ops.product_frequency.paused is 'The number of subscriptions that are paused.';
comment on column ops.product_frequency.change_7_nights is 'More or fewer in use than 7 nights before. Empty: not counted then.';
comment on column ops.product_frequency.change_30_nights is 'More or fewer in use than 30 nights before. Empty: not counted then.';
comment on column ops.product_frequency.what_to_do is 'The usual repair, in plain words.';
comment on column ops.product_frequency.counted_at is 'When the last whole count ended.';

create view ops.renewals with (security_invoker=on) as -- customer text, product text, in_renewal text, why text, covered_until date, customer_is_asked_on date, contacted_at timestamp with time zone, reminders integer, lapsed_at timestamp with time zone, billing_paused_at timestamp with time zone, looked_at timestamp with time zone, finding text, renewal_id bigint, subscription_id text, customer_id bigint, product_id bigint, last_fill_on date, fillable_until date, drug_runs_out_on date, other_refills integer
 SELECT customers.email AS customer,
    products.name AS product,
        CASE
            WHEN renewals.id IS NULL THEN 'no'::text
            ELSE lower(renewals.state)
        END AS in_renewal,
        CASE
            WHEN renewals.state = 'SCHEDULED'::text AND refills.finding = 'PAUSED'::text THEN 'The customer paused it, so nobody is asked. The renewal goes on when the customer resumes.'::text
            WHEN renewals.state = 'CONTACTED'::text AND refills.finding = 'PAUSED'::text THEN format('The customer was asked on %s and has paused since. Nothing is sent until the customer resumes.'::text, days.contacted_on)
            WHEN renewals.id IS NOT NULL AND refills.finding = 'UNKNOWN_STATUS'::text THEN findings.meaning || ' Nothing is sent until a person has resolved it.'::text
            WHEN renewals.state = 'SCHEDULED'::text THEN format('%s Without a new one, the refills end on %s. The customer is asked on %s.'::text, findings.meaning, days.renewal_due_on, days.renewal_starts_on)
            WHEN renewals.state = 'CONTACTED'::text THEN format('The customer was asked on %s and reminded %s times. Without a new prescription, the refills end on %s.'::text, days.contacted_on, renewals.reminders, days.renewal_due_on)
            WHEN renewals.state = 'LAPSED'::text THEN format('It was not renewed by %s.%s A person is asked.'::text, days.renewal_due_on,
            CASE
                WHEN renewals.billing_paused_at IS NOT NULL THEN ' Billing is paused.'::text
                ELSE ''::text
            END)
            WHEN refills.finding = 'COVERED'::text THEN format('%s It lasts until %s. The customer is asked on %s.'::text, findings.meaning, days.covered_until, days.starts_on)
            WHEN (refills.finding = ANY (ARRAY['EXPIRES'::text, 'RUNS_OUT'::text, 'NO_FILLS_LEFT'::text, 'EXPIRED'::text])) AND stopped.at IS NOT NULL AND refills.due_on > clockwork.now() THEN format('%s It lasts until %s. A person cancelled its renewal on %s. The renewal opens again on its due day, unless a new prescription is written.'::text, findings.meaning, days.covered_until, days.stopped_on)
            WHEN refills.finding = ANY (ARRAY['EXPIRES'::text, 'RUNS_OUT'::text]) THEN format('%s It lasts until %s. Its renewal opens by itself.'::text, findings.meaning, days.covered_until)
            WHEN refills.finding = 'UNCLEAR'::text THEN findings.meaning || COALESCE((' The subscription is active, but '::text || refills.what) || '.'::text, ''::text)
            ELSE findings.meaning || COALESCE((' Missing or unclear: '::text || refills.what) || '.'::text, ''::text)
        END AS why,
    days.covered_until,
    COALESCE(days.renewal_starts_on, days.starts_on) AS customer_is_asked_on,
    renewals.contacted_at,
    renewals.reminders,
    renewals.lapsed_at,
    renewals.billing_paused_at,
    refills.looked_at,
    refills.finding,
    renewals.id AS renewal_id,
    refills.subscription_id,
    refills.customer_id,
    refills.product_id,
    days.last_fill_on,
    days.fillable_until,
    days.drug_runs_out_on,
    refills.other_refills
   FROM tracker.refills
     JOIN tracker.refill_findings findings ON findings.finding = refills.finding
     CROSS JOIN clockwork.settings
     LEFT JOIN registry.customers ON customers.id = refills.customer_id
     LEFT JOIN registry.products ON products.id = refills.product_id
     LEFT JOIN tracker.renewals ON renewals.customer_id = refills.customer_id AND renewals.product_id = refills.product_id AND renewals.closed_at IS NULL
     LEFT JOIN LATERAL ( SELECT
                CASE
                    WHEN former.closed_by !~~ 'clockwork:%'::text THEN former.closed_at
                    ELSE NULL::timestamp with time zone
                END AS at
           FROM tracker.renewals former
          WHERE former.customer_id = refills.customer_id AND former.product_id = refills.product_id
          ORDER BY former.id DESC
         LIMIT 1) stopped ON true
     CROSS JOIN LATERAL ( SELECT (refills.due_on AT TIME ZONE settings.pharmacy_time_zone)::date AS covered_until,
            (refills.start_on AT TIME ZONE settings.pharmacy_time_zone)::date AS starts_on,
            (renewals.due_on AT TIME ZONE settings.pharmacy_time_zone)::date AS renewal_due_on,
            (renewals.start_on AT TIME ZONE settings.pharmacy_time_zone)::date AS renewal_starts_on,
            (renewals.contacted_at AT TIME ZONE settings.pharmacy_time_zone)::date AS contacted_on,
            (stopped.at AT TIME ZONE settings.pharmacy_time_zone)::date AS stopped_on,
            (refills.last_fill_on AT TIME ZONE settings.pharmacy_time_zone)::date AS last_fill_on,
            (refills.fillable_until AT TIME ZONE settings.pharmacy_time_zone)::date AS fillable_until,
            (refills.runs_out_on AT TIME ZONE settings.pharmacy_time_zone)::date AS drug_runs_out_on) days
  WHERE refills.finding <> 'INACTIVE'::text
  ORDER BY refills.due_on NULLS FIRST;
comment on view ops.renewals is 'Every active refill, with the cause for its renewal or for none. Refills without a due day come first, then the earliest.';
comment on column ops.renewals.in_renewal is 'The state of its renewal: scheduled, contacted or lapsed. no: it has none.';
comment on column ops.renewals.why is 'The cause, in plain words.';
comment on column ops.renewals.covered_until is 'The first day without a fill.';
comment on column ops.renewals.customer_is_asked_on is 'When the campaign begins or began.';
comment on column ops.renewals.looked_at is 'When Stripe and the health record were last read.';
comment on column ops.renewals.last_fill_on is 'The first of three dates: the last remaining fill is used.';
comment on column ops.renewals.fillable_until is 'The second date: the last day on which the prescription may be filled, in the pharmacy''s zone.';
comment on column ops.renewals.drug_runs_out_on is 'The third date: the drug of the last fill is used up. The earliest end of the three is covered_until.';
comment on column ops.renewals.other_refills is 'The number of further refills of the customer for the same product.';

create view ops.timeline with (security_invoker=on) as -- at timestamp with time zone, system text, what text, customer text, task_id bigint, order_id bigint, customer_id bigint, invoice_id text
 SELECT story.at,
    story.system,
    story.what,
    customers.email AS customer,
    story.task_id,
    story.order_id,
    story.customer_id,
    story.invoice_id
   FROM ( SELECT tasks.created_at AS at,
            0::bigint AS seq,
                CASE
                    WHEN tasks.caused_by IS NULL OR found.by_check THEN split_part(tasks.step, '.'::text, 1)
                    ELSE 'clockwork'::text
                END AS system,
            (
                CASE
                    WHEN tasks.caused_by IS NULL THEN 'came in: '::text
                    WHEN found.by_check THEN 'found missing by the nightly check: '::text
                    ELSE 'follows: '::text
                END || tasks.step) ||
                CASE
                    WHEN born.status = ANY (ARRAY['MANUAL_INTERVENTION'::clockwork.task_status, 'PARKED'::clockwork.task_status]) THEN ((', '::text || born.status) || '. '::text) || born.reason
                    ELSE ''::text
                END AS what,
            tasks.id AS task_id,
            NULL::bigint AS order_id,
            tasks.customer_id,
            tasks.invoice_id
           FROM clockwork.tasks
             CROSS JOIN LATERAL ( SELECT split_part(tasks.step, '.'::text, 1) = ANY (ARRAY['stripe'::text, 'health'::text, 'pharmacy'::text, 'crm'::text]) AS by_check) found
             LEFT JOIN LATERAL ( SELECT task_history.from_status,
                    task_history.before
                   FROM clockwork.task_history
                  WHERE task_history.task_id = tasks.id
                  ORDER BY task_history.id
                 LIMIT 1) first_change ON true
             CROSS JOIN LATERAL ( SELECT COALESCE(first_change.from_status, tasks.status) AS status,
                    COALESCE(first_change.before ->> 'reason'::text, tasks.reason) AS reason) born
        UNION ALL
         SELECT task_history.changed_at,
            task_history.id,
            'clockwork'::text,
            ((tasks.step || ': '::text) || task_history.to_status) || COALESCE('. '::text || latest.reason, ''::text),
            tasks.id,
            NULL::bigint,
            tasks.customer_id,
            tasks.invoice_id
           FROM clockwork.task_history
             JOIN clockwork.tasks ON tasks.id = task_history.task_id
             LEFT JOIN LATERAL ( SELECT earlier.after ->> 'reason'::text AS reason
                   FROM clockwork.task_history earlier
                  WHERE earlier.task_id = task_history.task_id AND earlier.id <= task_history.id AND earlier.after ? 'reason'::text
                  ORDER BY earlier.id DESC
                 LIMIT 1) latest ON true
          WHERE task_history.actor ~~ 'clockwork:%'::text AND ((task_history.to_status <> ALL (ARRAY['PENDING'::clockwork.task_status, 'QUEUED'::clockwork.task_status])) OR (task_history.after ->> 'reason'::text) IS NOT NULL)
        UNION ALL
         SELECT task_history.changed_at,
            task_history.id,
            'person'::text,
            format('%s: task %s (%s) %s'::text, task_history.actor, tasks.id, tasks.step,
                CASE
                    WHEN task_history.from_status = task_history.to_status THEN 'edited '::text || (( SELECT string_agg(edited.key, ', '::text) AS string_agg
                       FROM jsonb_object_keys(task_history.after) edited(key)))
                    ELSE COALESCE(('answered '::text || (task_history.after ->> 'answer'::text)) || ', '::text, ''::text) || format('from %s to %s'::text, task_history.from_status, task_history.to_status)
                END) AS format,
            tasks.id,
            NULL::bigint,
            tasks.customer_id,
            tasks.invoice_id
           FROM clockwork.task_history
             JOIN clockwork.tasks ON tasks.id = task_history.task_id
          WHERE task_history.actor !~~ 'clockwork:%'::text
        UNION ALL
         SELECT COALESCE(effects.settled_at, effects.sent_at) AS "coalesce",
            0,
            effects.vendor,
            format('%s %s %s'::text, effects.operation, COALESCE(effects.reference, effects.key),
                CASE effects.state
                    WHEN 'CONFIRMED'::text THEN 'done'::text
                    WHEN 'REFUSED'::text THEN 'refused'::text
                    ELSE 'sent, no answer yet'::text
                END) AS format,
            tasks.id,
            NULL::bigint,
            tasks.customer_id,
            tasks.invoice_id
           FROM clockwork.effects
             JOIN clockwork.tasks ON tasks.id = effects.task_id
        UNION ALL
         SELECT moment.at,
            0,
            'order'::text,
            format('order %s %s'::text, orders.id, moment.what) AS format,
            NULL::bigint,
            orders.id,
            orders.customer_id,
            orders.invoice_id
           FROM tracker.orders
             CROSS JOIN LATERAL ( VALUES (orders.created_at,'paid for, fill '::text || orders.fill_number), (orders.cancel_requested_at,'to be cancelled: '::text || orders.cancel_cause), (orders.placed_at,'placed'::text), (orders.shipped_at,'shipped'::text), (orders.delivered_at,'delivered'::text), (orders.ended_at,lower(orders.state))) moment(at, what)
          WHERE moment.at IS NOT NULL) story
     LEFT JOIN registry.customers ON customers.id = story.customer_id
  ORDER BY story.at, story.task_id, story.seq;
comment on view ops.timeline is 'The whole story across all systems, in order. Filter by customer, customer_id, invoice_id or order_id.';

create view ops.vendors with (security_invoker=on) as -- vendor text, state text, paused_until timestamp with time zone, paused_reason text, last_heard_at timestamp with time zone, last_success_at timestamp with time zone, last_failure_at timestamp with time zone, failures_in_a_row integer, due bigint, running_or_retrying bigint, later bigint, manual_intervention bigint, oldest_due_for interval
 SELECT vendors.vendor,
        CASE
            WHEN settings.maintenance THEN 'maintenance'::text
            WHEN vendors.paused_until > clockwork.now() THEN 'paused'::text
            WHEN vendors.failures_in_a_row > 0 THEN 'failing'::text
            ELSE 'well'::text
        END AS state,
        CASE
            WHEN vendors.paused_until > clockwork.now() THEN vendors.paused_until
            ELSE NULL::timestamp with time zone
        END AS paused_until,
        CASE
            WHEN vendors.paused_until > clockwork.now() THEN vendors.paused_reason
            ELSE NULL::text
        END AS paused_reason,
    ( SELECT max(heard.created_at) AS max
           FROM clockwork.tasks heard
          WHERE split_part(heard.step, '.'::text, 1) = vendors.vendor AND heard.caused_by IS NULL) AS last_heard_at,
    vendors.last_success_at,
    vendors.last_failure_at,
    vendors.failures_in_a_row,
    depth.due,
    depth.running_or_retrying,
    depth.later,
    depth.manual_intervention,
    clockwork.now() - depth.oldest_due AS oldest_due_for
   FROM clockwork.vendors
     CROSS JOIN clockwork.settings
     CROSS JOIN LATERAL ( SELECT count(*) FILTER (WHERE tasks.status = 'PENDING'::clockwork.task_status AND tasks.run_after <= clockwork.now()) AS due,
            count(*) FILTER (WHERE tasks.status = 'QUEUED'::clockwork.task_status) AS running_or_retrying,
            count(*) FILTER (WHERE tasks.status = 'PENDING'::clockwork.task_status AND tasks.run_after > clockwork.now()) AS later,
            count(*) FILTER (WHERE tasks.status = 'MANUAL_INTERVENTION'::clockwork.task_status) AS manual_intervention,
            min(tasks.run_after) FILTER (WHERE tasks.status = 'PENDING'::clockwork.task_status AND tasks.run_after <= clockwork.now()) AS oldest_due
           FROM clockwork.tasks
          WHERE tasks.vendor = vendors.vendor AND (tasks.status = ANY (ARRAY['PENDING'::clockwork.task_status, 'QUEUED'::clockwork.task_status, 'MANUAL_INTERVENTION'::clockwork.task_status]))) depth
  ORDER BY vendors.vendor;
comment on view ops.vendors is 'Each vendor at a glance: its last webhook, its replies, its pause with the cause, and the waiting work.';
comment on column ops.vendors.last_heard_at is 'When its last webhook came.';
comment on column ops.vendors.last_success_at is 'When the vendor last replied to a call.';
comment on column ops.vendors.due is 'The number of tasks that should run now.';
comment on column ops.vendors.later is 'The number of tasks that wait for their moment.';
comment on column ops.vendors.oldest_due_for is 'The waiting time of the oldest due task. Minutes here mean that the drain does not run.';

create view ops.waiting with (security_invoker=on) as -- task_id bigint, why text, tries integer, next_try timestamp with time zone, age interval, customer text, step text, vendor text, status clockwork.task_status, customer_id bigint, invoice_id text
 SELECT tasks.id AS task_id,
        CASE
            WHEN tasks.status = 'QUEUED'::clockwork.task_status THEN COALESCE(tasks.reason, 'A drain has it. If that drain died, the task comes back by itself.'::text)
            WHEN tasks.run_after <= clockwork.now() AND settings.maintenance THEN 'Maintenance is on.'::text
            WHEN tasks.run_after <= clockwork.now() AND vendors.paused_until > clockwork.now() THEN format('%s is paused: %s'::text, vendors.vendor, vendors.paused_reason)
            ELSE tasks.reason
        END AS why,
    tasks.attempts AS tries,
        CASE
            WHEN tasks.status = 'PENDING'::clockwork.task_status THEN GREATEST(tasks.run_after, vendors.paused_until)
            ELSE tasks.run_after
        END AS next_try,
    clockwork.now() - tasks.created_at AS age,
    customers.email AS customer,
    tasks.step,
    tasks.vendor,
    tasks.status,
    tasks.customer_id,
    tasks.invoice_id
   FROM clockwork.tasks
     JOIN clockwork.vendors ON vendors.vendor = tasks.vendor
     CROSS JOIN clockwork.settings
     LEFT JOIN registry.customers ON customers.id = tasks.customer_id
  WHERE tasks.status = 'QUEUED'::clockwork.task_status AND (tasks.attempts > 0 OR tasks.updated_at < (clockwork.now() - '00:02:00'::interval)) OR tasks.status = 'PENDING'::clockwork.task_status AND (tasks.reason IS NOT NULL OR tasks.run_after > clockwork.now() OR settings.maintenance OR vendors.paused_until > clockwork.now())
  ORDER BY (
        CASE
            WHEN tasks.status = 'PENDING'::clockwork.task_status THEN GREATEST(tasks.run_after, vendors.paused_until)
            ELSE tasks.run_after
        END);
comment on view ops.waiting is 'Tasks that are retried, wait for their day, or meet a pause or maintenance: the cause, the tries, and the next try.';

-- registry ----------------------------------------------------------------------------------

create schema registry;
comment on schema registry is 'Customers and products, with the keys by which each system knows them. No vendor''s facts.';

create type registry.key_system as enum ('stripe_price', 'rxnorm', 'pharmacy_treatment', 'crm');

create type registry.on_switch as enum ('ship_now', 'with_next', 'ask');

create type registry.one_off as enum ('ship', 'ask');

create type registry.product_status as enum ('active', 'retired');

create view registry.customer_keys with (security_invoker=on) as -- customer_id bigint, system text, key text, why text
 SELECT customers.id AS customer_id,
    'stripe'::text AS system,
    customers.stripe_customer_id AS key,
    NULL::text AS why
   FROM registry.customers
  WHERE customers.stripe_customer_id IS NOT NULL
UNION ALL
 SELECT customers.id AS customer_id,
    'health'::text AS system,
    customers.health_patient_id AS key,
    NULL::text AS why
   FROM registry.customers
  WHERE customers.health_patient_id IS NOT NULL
UNION ALL
 SELECT customers.id AS customer_id,
    'pharmacy'::text AS system,
    customers.pharmacy_patient_id AS key,
    NULL::text AS why
   FROM registry.customers
  WHERE customers.pharmacy_patient_id IS NOT NULL
UNION ALL
 SELECT customers.id AS customer_id,
    'crm'::text AS system,
    customers.crm_person_id AS key,
    NULL::text AS why
   FROM registry.customers
  WHERE customers.crm_person_id IS NOT NULL
UNION ALL
 SELECT customers.id AS customer_id,
    'login'::text AS system,
    customers.login_user_id::text AS key,
    NULL::text AS why
   FROM registry.customers
  WHERE customers.login_user_id IS NOT NULL
UNION ALL
 SELECT COALESCE(customers.merged_into, customers.id) AS customer_id,
    former_keys.system,
    former_keys.key,
    former_keys.why
   FROM registry.former_keys
     JOIN registry.customers ON customers.id = former_keys.customer_id;
comment on view registry.customer_keys is 'Every key that leads to a customer, live or former. Find an id''s customer here.';
comment on column registry.customer_keys.customer_id is 'The customer of the key (registry.customers). A merged customer''s keys lead to the row that stayed.';
comment on column registry.customer_keys.system is 'stripe, health, pharmacy, crm or login.';
comment on column registry.customer_keys.key is 'The id in that system.';
comment on column registry.customer_keys.why is 'Empty for a live key; merged, deleted or replaced for a former one.';

create table registry.customers (
  id bigint not null generated always as identity,
  email text,
  stripe_customer_id text,
  health_patient_id text,
  pharmacy_patient_id text,
  crm_person_id text,
  created_at timestamp with time zone not null default clockwork.now(),
  login_user_id uuid,
  merged_into bigint,
  constraint customers_pkey PRIMARY KEY (id),
  constraint customers_crm_person_id_key UNIQUE (crm_person_id),
  constraint customers_health_patient_id_key UNIQUE (health_patient_id),
  constraint customers_login_user_id_key UNIQUE (login_user_id),
  constraint customers_pharmacy_patient_id_key UNIQUE (pharmacy_patient_id),
  constraint customers_stripe_customer_id_key UNIQUE (stripe_customer_id),
  constraint customers_merged_into_fkey FOREIGN KEY (merged_into) REFERENCES registry.customers(id),
  constraint a_merged_customer_has_no_keys CHECK (merged_into IS NULL OR num_nonnulls(stripe_customer_id, health_patient_id, pharmacy_patient_id, crm_person_id, login_user_id) = 0),
  constraint nobody_is_merged_into_themselves CHECK (merged_into <> id)
);
alter table registry.customers enable row level security;
CREATE INDEX customers_email ON registry.customers USING btree (lower(email));
CREATE INDEX customers_merged_into ON registry.customers USING btree (merged_into);
CREATE TRIGGER guard_customer BEFORE INSERT OR UPDATE OF stripe_customer_id, health_patient_id, pharmacy_patient_id, crm_person_id, login_user_id, merged_into ON registry.customers FOR EACH ROW EXECUTE FUNCTION registry.guard_customer();
CREATE TRIGGER lock_keys_first BEFORE INSERT OR UPDATE OF stripe_customer_id, health_patient_id, pharmacy_patient_id, crm_person_id, login_user_id, merged_into ON registry.customers FOR EACH STATEMENT EXECUTE FUNCTION registry.lock_keys_first();
CREATE TRIGGER look_at_linked_patient AFTER INSERT ON registry.customers FOR EACH ROW WHEN ((new.health_patient_id IS NOT NULL)) EXECUTE FUNCTION registry.look_at_linked_patient();
CREATE TRIGGER look_at_relinked_patient AFTER UPDATE OF health_patient_id ON registry.customers FOR EACH ROW WHEN (((new.health_patient_id IS NOT NULL) AND (new.health_patient_id IS DISTINCT FROM old.health_patient_id))) EXECUTE FUNCTION registry.look_at_linked_patient();
CREATE TRIGGER wake_tasks_of_changed AFTER UPDATE ON registry.customers REFERENCING OLD TABLE AS before NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION registry.wake_tasks();
CREATE TRIGGER wake_tasks_of_new AFTER INSERT ON registry.customers REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION registry.wake_tasks();
comment on table registry.customers is 'A row per customer: the key of each system. Addresses, prescriptions and payments stay with their owners.';
comment on column registry.customers.email is 'The email by which people recognise the customer. It is a clue for linking keys, and never a proof. Its owner is the CRM.';
comment on column registry.customers.stripe_customer_id is 'Stripe: cus_…';
comment on column registry.customers.health_patient_id is 'Health record: the id of the FHIR Patient.';
comment on column registry.customers.pharmacy_patient_id is 'Pharmacy: pat_…';
comment on column registry.customers.crm_person_id is 'CRM: the person''s id.';
comment on column registry.customers.login_user_id is 'Supabase Auth: the user''s id.';
comment on column registry.customers.merged_into is 'The row of the same person that has all the keys now (registry.customers). Set by a merge.';

create table registry.former_keys (
  id bigint not null generated always as identity,
  customer_id bigint not null,
  system text not null,
  key text not null,
  why text not null,
  created_at timestamp with time zone not null default clockwork.now(),
  constraint former_keys_pkey PRIMARY KEY (id),
  constraint a_former_key_belongs_to_one_customer UNIQUE (system, key),
  constraint former_keys_customer_id_fkey FOREIGN KEY (customer_id) REFERENCES registry.customers(id),
  constraint former_key_says_why CHECK (why = ANY (ARRAY['merged'::text, 'deleted'::text, 'replaced'::text])),
  constraint former_key_system_is_known CHECK (system = ANY (ARRAY['stripe'::text, 'health'::text, 'pharmacy'::text, 'crm'::text, 'login'::text]))
);
alter table registry.former_keys enable row level security;
CREATE INDEX former_keys_customer ON registry.former_keys USING btree (customer_id);
CREATE TRIGGER guard_former_key BEFORE INSERT OR UPDATE ON registry.former_keys FOR EACH ROW EXECUTE FUNCTION registry.guard_former_key();
CREATE TRIGGER lock_keys_first BEFORE INSERT OR DELETE OR UPDATE ON registry.former_keys FOR EACH STATEMENT EXECUTE FUNCTION registry.lock_keys_first();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON registry.former_keys FOR EACH STATEMENT EXECUTE FUNCTION clockwork.refuse_removal('Late events would no longer find their customer.');
comment on table registry.former_keys is 'Former keys of customers. A late event that names one still finds its customer.';
comment on column registry.former_keys.customer_id is 'The customer of the former key (registry.customers).';
comment on column registry.former_keys.system is 'stripe, health, pharmacy, crm or login.';
comment on column registry.former_keys.key is 'The id in that system.';
comment on column registry.former_keys.why is 'merged (two records became one there), deleted (there), or replaced (by a person here).';

create table registry.price_choices (
  customer_id bigint not null,
  product_id bigint not null,
  price text not null,
  system registry.key_system not null default 'stripe_price'::registry.key_system,
  chosen_at timestamp with time zone not null default clockwork.now(),
  constraint price_choices_pkey PRIMARY KEY (customer_id, product_id),
  constraint a_chosen_price_is_one_of_that_product FOREIGN KEY (system, price, product_id) REFERENCES registry.product_keys(system, key, product_id) ON UPDATE CASCADE,
  constraint price_choices_customer_id_fkey FOREIGN KEY (customer_id) REFERENCES registry.customers(id),
  constraint price_choices_product_id_fkey FOREIGN KEY (product_id) REFERENCES registry.products(id),
  constraint a_choice_is_of_a_stripe_price CHECK (system = 'stripe_price'::registry.key_system)
);
alter table registry.price_choices enable row level security;
CREATE INDEX price_choices_price ON registry.price_choices USING btree (system, price, product_id);
CREATE INDEX price_choices_product ON registry.price_choices USING btree (product_id);
CREATE TRIGGER look_at_changed_choice AFTER UPDATE OF price ON registry.price_choices FOR EACH ROW WHEN ((new.price IS DISTINCT FROM old.price)) EXECUTE FUNCTION registry.look_at_chosen_price();
CREATE TRIGGER look_at_chosen_price AFTER INSERT ON registry.price_choices FOR EACH ROW EXECUTE FUNCTION registry.look_at_chosen_price();
comment on table registry.price_choices is 'The price that a customer chose for a product at sign-up. Their first prescription starts a subscription at it. It changes no subscription that exists.';
comment on column registry.price_choices.customer_id is 'The customer who chose (registry.customers).';
comment on column registry.price_choices.product_id is 'The product of the price (registry.products).';
comment on column registry.price_choices.price is 'Stripe: price_…, a price of that product in registry.product_keys.';
comment on column registry.price_choices.system is 'Always stripe_price. It ties the price to registry.product_keys.';
comment on column registry.price_choices.chosen_at is 'When the customer last chose.';

create table registry.product_keys (
  system registry.key_system not null,
  key text not null,
  product_id bigint not null,
  fills_per_charge integer,
  created_at timestamp with time zone not null default clockwork.now(),
  status registry.product_status not null default 'active'::registry.product_status,
  replaced_by text,
  is_default boolean not null default false,
  ships_free boolean,
  on_switch registry.on_switch not null default 'ask'::registry.on_switch,
  one_off registry.one_off not null default 'ask'::registry.one_off,
  constraint product_keys_pkey PRIMARY KEY (system, key),
  constraint a_key_of_a_product UNIQUE (system, key, product_id),
  constraint a_key_is_replaced_by_one_of_its_system FOREIGN KEY (system, replaced_by) REFERENCES registry.product_keys(system, key),
  constraint product_keys_product_id_fkey FOREIGN KEY (product_id) REFERENCES registry.products(id),
  constraint a_default_price_pays_for_fills CHECK (NOT is_default OR fills_per_charge > 0),
  constraint a_stripe_price_says_how_many_fills_it_pays_for CHECK ((system = 'stripe_price'::registry.key_system) = (fills_per_charge IS NOT NULL)),
  constraint fills_per_charge_is_not_negative CHECK (fills_per_charge >= 0),
  constraint no_key_replaces_itself CHECK (replaced_by <> key),
  constraint only_a_retired_key_is_replaced CHECK (replaced_by IS NULL OR status = 'retired'::registry.product_status),
  constraint only_a_stripe_price_is_a_default CHECK (system = 'stripe_price'::registry.key_system OR NOT is_default)
);
alter table registry.product_keys enable row level security;
CREATE UNIQUE INDEX one_default_price_a_product ON registry.product_keys USING btree (product_id) WHERE is_default;
CREATE INDEX product_keys_product ON registry.product_keys USING btree (product_id);
CREATE INDEX product_keys_replaced_by ON registry.product_keys USING btree (system, replaced_by);
CREATE TRIGGER guard_replaced_key BEFORE INSERT OR UPDATE OF replaced_by, product_id, key, system ON registry.product_keys FOR EACH ROW WHEN ((new.replaced_by IS NOT NULL)) EXECUTE FUNCTION registry.guard_replaced_key();
CREATE TRIGGER guard_replacing_key BEFORE UPDATE OF product_id ON registry.product_keys FOR EACH ROW WHEN ((new.product_id <> old.product_id)) EXECUTE FUNCTION registry.guard_replacing_key();
comment on table registry.product_keys is 'The product of each Stripe price, RxNorm code, pharmacy treatment and CRM key.';
comment on column registry.product_keys.system is 'The system whose id the key is: stripe_price, rxnorm, pharmacy_treatment or crm.';
comment on column registry.product_keys.key is 'The id in that system: price_…, an RxNorm code, a treatment id.';
comment on column registry.product_keys.product_id is 'The product of the key (registry.products).';
comment on column registry.product_keys.fills_per_charge is 'Stripe prices only: the fills that one charge of one unit pays for. 0 if nothing is shipped for it.';
comment on column registry.product_keys.status is 'active, or retired: not for new subscriptions. Fills that are paid for under it still ship.';
comment on column registry.product_keys.replaced_by is 'The key of the same system and product that is used in its place. For Stripe prices, npm run product:retire sets it and moves the subscribers.';
comment on column registry.product_keys.is_default is 'Stripe prices only, one a product: the price of a customer who chose none. With a default, each first prescription from now on starts a subscription by itself. A product without one is sold by Checkout only.';
comment on column registry.product_keys.ships_free is 'Stripe prices of 0 only: whether they ship. Empty: a person is asked once.';
comment on column registry.product_keys.on_switch is 'Stripe prices only, for a switch in mid-period that pays for no whole fill: ship_now, with_next (nothing until the next charge), or ask.';
comment on column registry.product_keys.one_off is 'Stripe prices only, for a line that no subscription asks for: ship, or ask.';

create table registry.products (
  id bigint not null generated always as identity,
  name text not null,
  status registry.product_status not null default 'active'::registry.product_status,
  created_at timestamp with time zone not null default clockwork.now(),
  renewal_lead_days integer not null default 30,
  replaced_by bigint,
  constraint products_pkey PRIMARY KEY (id),
  constraint products_name_key UNIQUE (name),
  constraint products_replaced_by_fkey FOREIGN KEY (replaced_by) REFERENCES registry.products(id),
  constraint no_product_replaces_itself CHECK (replaced_by <> id),
  constraint only_a_retired_product_is_replaced CHECK (replaced_by IS NULL OR status = 'retired'::registry.product_status),
  constraint renewal_lead_is_sane CHECK (renewal_lead_days >= 1 AND renewal_lead_days <= 180)
);
alter table registry.products enable row level security;
CREATE INDEX products_replaced_by ON registry.products USING btree (replaced_by);
CREATE TRIGGER guard_replaced_product BEFORE INSERT OR UPDATE OF replaced_by ON registry.products FOR EACH ROW WHEN ((new.replaced_by IS NOT NULL)) EXECUTE FUNCTION registry.guard_replaced_product();
comment on table registry.products is 'The products of the company. Their keys in the other systems are in product_keys.';
comment on column registry.products.name is 'Our own name for the product. It is never sent to Stripe or the CRM.';
comment on column registry.products.status is 'active, or retired: no longer sold. Its subscribers still get their refills.';
comment on column registry.products.renewal_lead_days is 'The lead time: the days between the first mail of a renewal and the due day.';
comment on column registry.products.replaced_by is 'The product that is sold in its place (registry.products). Nobody is moved to it, because another medicine needs another prescription.';

CREATE OR REPLACE FUNCTION registry.choose_price(customer bigint, price text)
 RETURNS registry.price_choices
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
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
$function$;
comment on function registry.choose_price(bigint,text) is 'Records the Stripe price that a customer chose, for the company''s sign-up. A later choice for the same product replaces it.';

CREATE OR REPLACE FUNCTION registry.colliding_renewal(from_customer bigint, into_customer bigint)
 RETURNS bigint
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$
  select moves.product_id from tracker.renewals as moves
  join tracker.renewals as stays on stays.customer_id = into_customer and stays.product_id = moves.product_id
  where moves.customer_id = from_customer and moves.closed_at is null
    and (stays.closed_at is null or (stays.prescription_id = moves.prescription_id and stays.cycle = moves.cycle))
  limit 1
$function$;
comment on function registry.colliding_renewal(bigint,bigint) is 'A product for which the first customer''s open renewal collides with one of the second. Null if none prevents a merge.';

CREATE OR REPLACE FUNCTION registry.customer_of(system text, key text)
 RETURNS bigint
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$
  select customer_keys.customer_id from registry.customer_keys
  where customer_keys.system = customer_of.system and customer_keys.key = customer_of.key
  -- A former key of a customer that is live again is in both.
  order by (customer_keys.why is not null) limit 1
$function$;
comment on function registry.customer_of(text,text) is 'The customer of a live or former key of a system (stripe, health, pharmacy, crm, login). Null for nobody.';

CREATE OR REPLACE FUNCTION registry.follow_merge()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  stays bigint;
begin
  select customers.merged_into into stays from registry.customers where customers.id = new.customer_id for key share;
  new.customer_id := coalesce(stays, new.customer_id);
  return new;
end
$function$;

CREATE OR REPLACE FUNCTION registry.guard_customer()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  former record;
begin
  if new.merged_into is not null then
    if exists (select from registry.customers where customers.id = new.merged_into and customers.merged_into is not null) then
      raise exception 'Customer % was merged into another one, so nobody can be merged into it.', new.merged_into
        using errcode = 'check_violation';
    end if;
    if exists (select from registry.customers where customers.merged_into = new.id) then
      raise exception 'Others were merged into customer %, so it must stay. Merge with a task customer.merge.', new.id
        using errcode = 'check_violation';
    end if;
  end if;
  select keys.system, keys.key, former_keys.customer_id into former
  from (values ('stripe', new.stripe_customer_id), ('health', new.health_patient_id), ('pharmacy', new.pharmacy_patient_id),
    ('crm', new.crm_person_id), ('login', new.login_user_id::text)) as keys (system, key)
  join registry.former_keys on former_keys.system = keys.system and former_keys.key = keys.key
  join registry.customers on customers.id = former_keys.customer_id
  where coalesce(customers.merged_into, customers.id) <> new.id
  limit 1;
  if found then
    raise exception '% is a former % key of customer %, so it cannot be one of customer %. If that is wrong, delete its row in registry.former_keys first.',
      former.key, former.system, former.customer_id, new.id
      using errcode = 'check_violation';
  end if;
  return new;
end
$function$;

CREATE OR REPLACE FUNCTION registry.guard_former_key()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  holder bigint;
begin
  select customer_keys.customer_id into holder from registry.customer_keys
  where customer_keys.system = new.system and customer_keys.key = new.key and customer_keys.why is null;
  if holder <> (select coalesce(customers.merged_into, customers.id) from registry.customers where customers.id = new.customer_id) then
    raise exception '% is the % key of customer % now, so it cannot be a former one of customer %.',
      new.key, new.system, holder, new.customer_id
      using errcode = 'check_violation';
  end if;
  return new;
end
$function$;

CREATE OR REPLACE FUNCTION registry.guard_replaced_key()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  next_key text := new.replaced_by;
  next_product bigint;
begin
  while next_key is not null loop
    if next_key = new.key then
      raise exception 'The % % would replace itself in the end. Follow replaced_by from % on.', new.system, new.key, new.replaced_by
        using errcode = 'check_violation';
    end if;
    select product_keys.product_id, product_keys.replaced_by into next_product, next_key
    from registry.product_keys
    where product_keys.system = new.system and product_keys.key = next_key
    for update;
    exit when not found;
    if next_product <> new.product_id then
      raise exception 'The % % cannot be replaced by a key of another product, because another medicine needs another prescription.', new.system, new.key
        using errcode = 'check_violation';
    end if;
  end loop;
  return new;
end
$function$;

CREATE OR REPLACE FUNCTION registry.guard_replaced_product()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  next_id bigint := new.replaced_by;
begin
  while next_id is not null loop
    if next_id = new.id then
      raise exception 'The product % would replace itself in the end. Follow replaced_by from % on.', new.id, new.replaced_by
        using errcode = 'check_violation';
    end if;
    select products.replaced_by into next_id from registry.products where products.id = next_id for update;
    exit when not found;
  end loop;
  return new;
end
$function$;

CREATE OR REPLACE FUNCTION registry.guard_replacing_key()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  if exists (
    select from registry.product_keys
    where product_keys.system = new.system and product_keys.replaced_by = new.key and product_keys.product_id <> new.product_id
  ) then
    raise exception 'The % % replaces a key of its product, so it cannot get another product.', new.system, new.key
      using errcode = 'check_violation';
  end if;
  return new;
end
$function$;

CREATE OR REPLACE FUNCTION registry.lock_keys()
 RETURNS void
 LANGUAGE sql
 SET search_path TO ''
AS $function$
  select pg_advisory_xact_lock(hashtextextended('registry.customers', 0))
$function$;
comment on function registry.lock_keys() is 'Until the end of the transaction, nobody else changes a customer''s keys. Every change takes this lock by itself. Take it before reading keys.';

CREATE OR REPLACE FUNCTION registry.lock_keys_first()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  perform registry.lock_keys();
  return null;
end
$function$;

CREATE OR REPLACE FUNCTION registry.look_at_chosen_price()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  insert into clockwork.tasks (step, vendor, customer_id, data)
  values ('subscription.look', 'health', new.customer_id, jsonb_build_object('customer_id', new.customer_id));
  return null;
end
$function$;

CREATE OR REPLACE FUNCTION registry.look_at_linked_patient()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  if exists (select from registry.product_keys where product_keys.is_default)
    or exists (select from registry.price_choices where price_choices.customer_id = new.id)
  then
    insert into clockwork.tasks (step, vendor, customer_id, data)
    values ('subscription.look', 'health', new.id, jsonb_build_object('customer_id', new.id));
  end if;
  return null;
end
$function$;

CREATE OR REPLACE FUNCTION registry.merge_rows(from_customer bigint, into_customer bigint)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  moves registry.customers;
  actor text := current_setting('clockwork.actor', true);
begin
  perform registry.lock_keys();
  perform from registry.customers where customers.id in (from_customer, into_customer) order by customers.id for update;
  select customers.* into strict moves from registry.customers where customers.id = from_customer;
  -- A key that both have must be given up before, because a merge drops no key in silence.
  if exists (
    select from registry.customers as stays
    where stays.id = into_customer and (
      (stays.stripe_customer_id is not null and moves.stripe_customer_id is not null)
      or (stays.health_patient_id is not null and moves.health_patient_id is not null)
      or (stays.pharmacy_patient_id is not null and moves.pharmacy_patient_id is not null)
      or (stays.crm_person_id is not null and moves.crm_person_id is not null)
      or (stays.login_user_id is not null and moves.login_user_id is not null)))
  then
    raise exception 'Customers % and % both have a live key in one system.', from_customer, into_customer
      using errcode = 'check_violation';
  end if;
  update registry.customers set merged_into = into_customer where customers.merged_into = from_customer;
  update registry.customers set stripe_customer_id = null, health_patient_id = null, pharmacy_patient_id = null,
    crm_person_id = null, login_user_id = null, email = null, merged_into = into_customer
  where customers.id = from_customer;
  update registry.customers set
    stripe_customer_id = coalesce(customers.stripe_customer_id, moves.stripe_customer_id),
    health_patient_id = coalesce(customers.health_patient_id, moves.health_patient_id),
    pharmacy_patient_id = coalesce(customers.pharmacy_patient_id, moves.pharmacy_patient_id),
    crm_person_id = coalesce(customers.crm_person_id, moves.crm_person_id),
    login_user_id = coalesce(customers.login_user_id, moves.login_user_id),
    email = coalesce(customers.email, moves.email)
  where customers.id = into_customer;
  update registry.former_keys set customer_id = into_customer where former_keys.customer_id = from_customer;
  update tracker.orders set customer_id = into_customer where orders.customer_id = from_customer;
  update tracker.refills set customer_id = into_customer where refills.customer_id = from_customer;
  -- A closed renewal of the same prescription and cycle stays behind as history.
  update tracker.renewals set customer_id = into_customer
  where renewals.customer_id = from_customer and not exists (
    select from tracker.renewals as stays
    where stays.customer_id = into_customer and stays.product_id = renewals.product_id
      and stays.prescription_id = renewals.prescription_id and stays.cycle = renewals.cycle);
  -- The second row's own choice for the same product stays. So does its first prescription.
  update registry.price_choices set customer_id = into_customer
  where price_choices.customer_id = from_customer and not exists (
    select from registry.price_choices as stays
    where stays.customer_id = into_customer and stays.product_id = price_choices.product_id);
  delete from registry.price_choices where price_choices.customer_id = from_customer;
  update tracker.first_prescriptions set customer_id = into_customer
  where first_prescriptions.customer_id = from_customer and not exists (
    select from tracker.first_prescriptions as stays
    where stays.customer_id = into_customer and stays.product_id = first_prescriptions.product_id);
  delete from tracker.first_prescriptions where first_prescriptions.customer_id = from_customer;
  -- A mirror that differed now belongs to the other customer, and gets a new look.
  update tracker.drift set repaired_at = clockwork.now() where drift.customer_id = from_customer and drift.repaired_at is null;
  update tracker.drift set customer_id = into_customer where drift.customer_id = from_customer;
  delete from tracker.drift_looks where drift_looks.customer_id = from_customer;
  -- Tasks that are locked are left. They follow by themselves where it matters.
  perform set_config('clockwork.actor', 'clockwork:registry', true);
  update clockwork.tasks set customer_id = into_customer
  where tasks.id in (select mine.id from clockwork.tasks as mine where mine.customer_id = from_customer for update skip locked);
  perform set_config('clockwork.actor', coalesce(actor, ''), true);
end
$function$;
comment on function registry.merge_rows(bigint,bigint) is 'Merges one customer into another. Add a task customer.merge instead of calling this. That task reads the owners first.';

CREATE OR REPLACE FUNCTION registry.register_customer(email text DEFAULT NULL::text, stripe_customer_id text DEFAULT NULL::text, health_patient_id text DEFAULT NULL::text, pharmacy_patient_id text DEFAULT NULL::text, crm_person_id text DEFAULT NULL::text, login_user_id uuid DEFAULT NULL::uuid)
 RETURNS bigint
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  given jsonb := jsonb_strip_nulls(jsonb_build_object(
    'stripe', nullif(btrim(register_customer.stripe_customer_id), ''),
    'health', nullif(btrim(register_customer.health_patient_id), ''),
    'pharmacy', nullif(btrim(register_customer.pharmacy_patient_id), ''),
    'crm', nullif(btrim(register_customer.crm_person_id), ''),
    'login', register_customer.login_user_id::text));
  address text := nullif(btrim(register_customer.email), '');
  holders bigint[];
  known_keys text;
  existing registry.customers;
  new_keys jsonb;
  clash record;
begin
  if given = '{}' then
    raise exception 'A customer needs at least one key of a system. An email alone proves nothing.'
      using errcode = 'check_violation';
  end if;
  perform registry.lock_keys();

  select array_agg(distinct known.customer_id),
    string_agg(format('%s %s is customer %s', known.system, known.key, known.customer_id), ', ' order by known.system)
  into holders, known_keys
  from (
    select keys.key as system, keys.value as key, registry.customer_of(keys.key, keys.value) as customer_id
    from jsonb_each_text(given) as keys
  ) as known
  where known.customer_id is not null;

  if cardinality(holders) = 2 then
    -- A row that was made of this Stripe customer alone has no other key. The sign-up says that it is the other customer.
    perform registry.merge_rows(made.id, other.id)
    from registry.customers as made
    join registry.customers as other on other.id = any (holders) and other.id <> made.id
    where made.id = any (holders) and made.stripe_customer_id = given ->> 'stripe' and other.stripe_customer_id is null
      and num_nonnulls(made.health_patient_id, made.pharmacy_patient_id, made.crm_person_id, made.login_user_id) = 0
      and not exists (select from registry.former_keys where former_keys.customer_id = made.id)
      and registry.colliding_renewal(made.id, other.id) is null;
    if found then
      select array_agg(distinct registry.customer_of(keys.key, keys.value)) into holders
      from jsonb_each_text(given) as keys
      where registry.customer_of(keys.key, keys.value) is not null;
    end if;
  end if;
  if cardinality(holders) > 1 then
    raise exception 'These keys lead to more than one customer: %.', known_keys
      using errcode = 'check_violation', hint = 'If they are one person, add a task with the step customer.merge.';
  end if;

  if holders is null then
    insert into registry.customers (email, stripe_customer_id, health_patient_id, pharmacy_patient_id, crm_person_id, login_user_id)
    values (address, given ->> 'stripe', given ->> 'health', given ->> 'pharmacy', given ->> 'crm', (given ->> 'login')::uuid)
    returning * into existing;
    return existing.id;
  end if;

  select customers.* into strict existing from registry.customers where customers.id = holders[1];
  -- The keys that the row does not have yet. A former key of it is not new.
  select coalesce(jsonb_object_agg(keys.key, keys.value), '{}') into new_keys
  from jsonb_each_text(given) as keys
  where registry.customer_of(keys.key, keys.value) is null;

  select keys.system, keys.has, new_keys ->> keys.system as gets into clash
  from (values ('stripe', existing.stripe_customer_id), ('health', existing.health_patient_id), ('pharmacy', existing.pharmacy_patient_id),
    ('crm', existing.crm_person_id), ('login', existing.login_user_id::text)) as keys (system, has)
  where keys.has is not null and new_keys ? keys.system
  limit 1;
  if found then
    raise exception 'Customer % has the % key %, so % cannot be it too (%).', existing.id, clash.system, clash.has, clash.gets, known_keys
      using errcode = 'check_violation';
  end if;

  if new_keys <> '{}' and not exists (
    select from registry.customer_keys
    where customer_keys.customer_id = existing.id and customer_keys.why is null and given ->> customer_keys.system = customer_keys.key)
  then
    raise exception 'Only a former key leads to customer % (%), so nothing can be added to that customer by it.', existing.id, known_keys
      using errcode = 'check_violation', hint = 'If it is the same person, add a task with the step customer.link.';
  end if;

  update registry.customers set
    email = coalesce(customers.email, address),
    stripe_customer_id = coalesce(customers.stripe_customer_id, new_keys ->> 'stripe'),
    health_patient_id = coalesce(customers.health_patient_id, new_keys ->> 'health'),
    pharmacy_patient_id = coalesce(customers.pharmacy_patient_id, new_keys ->> 'pharmacy'),
    crm_person_id = coalesce(customers.crm_person_id, new_keys ->> 'crm'),
    login_user_id = coalesce(customers.login_user_id, (new_keys ->> 'login')::uuid)
  where customers.id = existing.id
    and (new_keys <> '{}' or (customers.email is null and address is not null));
  return existing.id;
end
$function$;
comment on function registry.register_customer(text,text,text,text,text,uuid) is 'Makes a customer known by the given keys, and returns the row''s number. A later call adds its keys. The same call twice is the same as once. Keys that contradict each other are refused.';

CREATE OR REPLACE FUNCTION registry.wake_tasks()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  actor text;
  is_new boolean := tg_op = 'INSERT';
  keys jsonb;
begin
  -- The usual case costs one query of a small index.
  if not exists (
    select from clockwork.tasks
    where tasks.status = 'MANUAL_INTERVENTION'
      and (tasks.reason_code in ('UNKNOWN_CUSTOMER', 'MISSING_CUSTOMER_KEY') or tasks.step = 'customer.link')
  ) then
    return null;
  end if;
  if is_new then
    select jsonb_agg(to_jsonb(added)) into keys from added;
  else
    -- The new values of each row only.
    select jsonb_agg(to_jsonb(added) - array(
      select had.key from jsonb_each(to_jsonb(before)) as had
      where had.key <> 'id' and had.value = to_jsonb(added) -> had.key))
    into keys
    from added join before on before.id = added.id;
  end if;

  actor := current_setting('clockwork.actor', true);
  perform set_config('clockwork.actor', 'clockwork:registry', true);
  with fresh as (
    select customers.id, named.system, named.column_name, named.key
    from jsonb_to_recordset(keys) as customers (id bigint, stripe_customer_id text, health_patient_id text,
      pharmacy_patient_id text, crm_person_id text, login_user_id text)
    cross join lateral (values
      ('stripe', 'stripe_customer_id', customers.stripe_customer_id),
      ('health', 'health_patient_id', customers.health_patient_id),
      ('pharmacy', 'pharmacy_patient_id', customers.pharmacy_patient_id),
      ('crm', 'crm_person_id', customers.crm_person_id),
      ('login', 'login_user_id', customers.login_user_id)
    ) as named (system, column_name, key)
    where named.key is not null
  )
  update clockwork.tasks set status = 'PENDING'
  from fresh
  where tasks.status = 'MANUAL_INTERVENTION' and (
    (tasks.reason_code = 'UNKNOWN_CUSTOMER' and tasks.reason = clockwork.reason_text('UNKNOWN_CUSTOMER',
      jsonb_build_object('column', fresh.column_name, 'key', fresh.key)))
    or (tasks.reason_code = 'MISSING_CUSTOMER_KEY' and tasks.reason = clockwork.reason_text('MISSING_CUSTOMER_KEY',
      jsonb_build_object('column', fresh.column_name, 'customer', fresh.id)))
    -- A question about a key that now has a customer ends by itself.
    or (tasks.step = 'customer.link' and tasks.data ->> 'system' = fresh.system and tasks.data ->> 'key' = fresh.key));
  perform set_config('clockwork.actor', coalesce(actor, ''), true);
  return null;
end
$function$;

-- tracker -----------------------------------------------------------------------------------

create schema tracker;
comment on schema tracker is 'The state of each order, parcel, refill, renewal and check. Keys, states and dates of our own process.';

create table tracker.check_marks (
  run_id bigint not null,
  order_id bigint not null,
  constraint check_marks_pkey PRIMARY KEY (run_id, order_id),
  constraint check_marks_order_id_fkey FOREIGN KEY (order_id) REFERENCES tracker.orders(id),
  constraint check_marks_run_id_fkey FOREIGN KEY (run_id) REFERENCES tracker.check_runs(id)
);
alter table tracker.check_marks enable row level security;
CREATE INDEX check_marks_order ON tracker.check_marks USING btree (order_id);
comment on table tracker.check_marks is 'Our orders that a run met among the pharmacy''s open ones. The run reads each other order by itself. The rows are deleted when the run ends.';
comment on column tracker.check_marks.run_id is 'The run (tracker.check_runs).';
comment on column tracker.check_marks.order_id is 'The order (tracker.orders).';

create table tracker.check_runs (
  id bigint not null generated always as identity,
  work text not null,
  vendor text not null,
  state text not null default 'RUNNING'::text,
  window_from timestamp with time zone,
  window_until timestamp with time zone,
  pages integer not null default 0,
  seen integer not null default 0,
  missing integer not null default 0,
  repaired integer not null default 0,
  task_id bigint not null,
  started_at timestamp with time zone not null default clockwork.now(),
  ended_at timestamp with time zone,
  unlinked integer not null default 0,
  constraint check_runs_pkey PRIMARY KEY (id),
  constraint check_runs_task_id_fkey FOREIGN KEY (task_id) REFERENCES clockwork.tasks(id),
  constraint check_runs_vendor_fkey FOREIGN KEY (vendor) REFERENCES clockwork.vendors(vendor),
  constraint a_window_has_both_ends CHECK ((window_from IS NULL) = (window_until IS NULL) AND window_from <= window_until),
  constraint check_run_state_is_known CHECK (state = ANY (ARRAY['RUNNING'::text, 'DONE'::text, 'UNFINISHED'::text])),
  constraint check_work_is_known CHECK (work = ANY (ARRAY['completeness'::text, 'drift'::text, 'product_count'::text, 'renewals'::text])),
  constraint counts_are_not_negative CHECK (LEAST(pages, seen, missing, repaired) >= 0),
  constraint only_an_ended_run_has_ended_at CHECK ((state = 'RUNNING'::text) = (ended_at IS NULL)),
  constraint unlinked_is_not_negative CHECK (unlinked >= 0)
);
alter table tracker.check_runs enable row level security;
CREATE INDEX check_runs_task ON tracker.check_runs USING btree (task_id);
CREATE INDEX check_runs_vendor ON tracker.check_runs USING btree (vendor);
CREATE UNIQUE INDEX one_check_runs_at_a_time ON tracker.check_runs USING btree (work, vendor) WHERE (state = 'RUNNING'::text);
comment on table tracker.check_runs is 'A row per run of a nightly check. Only DONE is a success. UNFINISHED means that the next run began before its end.';
comment on column tracker.check_runs.work is 'completeness, drift, product_count, or renewals (the look at all refills).';
comment on column tracker.check_runs.vendor is 'The vendor that the run went through (clockwork.vendors).';
comment on column tracker.check_runs.state is 'RUNNING, DONE or UNFINISHED.';
comment on column tracker.check_runs.window_from is 'The start of the time whose events the run listed. Empty for a run that compared states.';
comment on column tracker.check_runs.window_until is 'The end of the time whose events the run listed.';
comment on column tracker.check_runs.pages is 'The number of pages that the run went through.';
comment on column tracker.check_runs.seen is 'The number of events, orders or facts of customers that the run went through.';
comment on column tracker.check_runs.missing is 'The number of those that we had never received, or that differed from their owner.';
comment on column tracker.check_runs.repaired is 'The number of those that were repaired or recorded.';
comment on column tracker.check_runs.task_id is 'The task of the first page (clockwork.tasks).';
comment on column tracker.check_runs.unlinked is 'The number of records without a comparison: in no row of the registry, or without a key of the other side.';

create table tracker.drift (
  id bigint not null generated always as identity,
  customer_id bigint not null,
  fact text not null,
  owner text not null,
  system text not null,
  attribute text not null,
  owner_hash text not null,
  mirror_hash text not null,
  looks integer not null default 1,
  found_at timestamp with time zone not null default clockwork.now(),
  changed_at timestamp with time zone not null default clockwork.now(),
  repaired_at timestamp with time zone,
  run_id bigint,
  task_id bigint not null,
  constraint drift_pkey PRIMARY KEY (id),
  constraint drift_customer_id_fkey FOREIGN KEY (customer_id) REFERENCES registry.customers(id),
  constraint drift_run_id_fkey FOREIGN KEY (run_id) REFERENCES tracker.check_runs(id),
  constraint drift_task_id_fkey FOREIGN KEY (task_id) REFERENCES clockwork.tasks(id),
  constraint a_drift_is_found_first CHECK (changed_at >= found_at AND repaired_at >= found_at),
  constraint an_owner_is_not_its_mirror CHECK (owner <> system),
  constraint drift_owner_is_known CHECK (owner = ANY (ARRAY['stripe'::text, 'health'::text, 'crm'::text])),
  constraint drift_system_is_known CHECK (system = ANY (ARRAY['stripe'::text, 'crm'::text, 'registry'::text, 'login'::text])),
  constraint hashes_are_hashes CHECK (owner_hash ~ '^[0-9a-f]{64}$'::text AND mirror_hash ~ '^[0-9a-f]{64}$'::text),
  constraint looks_count_from_one CHECK (looks > 0),
  constraint what_drifted_differs CHECK (owner_hash <> mirror_hash)
);
alter table tracker.drift enable row level security;
CREATE INDEX drift_found ON tracker.drift USING btree (found_at);
CREATE INDEX drift_mirror ON tracker.drift USING btree (customer_id, fact, system, attribute, id);
CREATE INDEX drift_run ON tracker.drift USING btree (run_id);
CREATE INDEX drift_task ON tracker.drift USING btree (task_id);
CREATE UNIQUE INDEX one_open_drift_per_mirror ON tracker.drift USING btree (customer_id, system, attribute) WHERE (repaired_at IS NULL);
CREATE TRIGGER refuse_delete BEFORE DELETE ON tracker.drift FOR EACH STATEMENT EXECUTE FUNCTION clockwork.refuse_removal('They are the record of every drift.');
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON tracker.drift FOR EACH STATEMENT EXECUTE FUNCTION clockwork.refuse_removal('They are the record of every drift.');
comment on table tracker.drift is 'A row for each time that a mirror differed from the owner of a fact. Read ops.drift instead.';
comment on column tracker.drift.customer_id is 'The customer of the fact (registry.customers).';
comment on column tracker.drift.fact is 'The fact: plan or contact.';
comment on column tracker.drift.owner is 'The owner of the fact: stripe, health or crm.';
comment on column tracker.drift.system is 'The system with the mirror: stripe, crm, registry or login.';
comment on column tracker.drift.attribute is 'The name of the fact in that system.';
comment on column tracker.drift.owner_hash is 'A keyed hash of the owner''s value. Equal values of one customer and attribute have equal hashes.';
comment on column tracker.drift.mirror_hash is 'A keyed hash of the mirror''s value.';
comment on column tracker.drift.looks is 'The number of looks that found it before its repair.';
comment on column tracker.drift.found_at is 'When the drift was found.';
comment on column tracker.drift.changed_at is 'When these two values were first found together.';
comment on column tracker.drift.repaired_at is 'When the mirror was found to show the owner''s value again.';
comment on column tracker.drift.run_id is 'The last run that found the drift (tracker.check_runs). Empty after a look on demand.';
comment on column tracker.drift.task_id is 'The task that found the drift (clockwork.tasks).';

create table tracker.drift_looks (
  customer_id bigint not null,
  vendor text not null,
  run_id bigint not null,
  constraint drift_looks_pkey PRIMARY KEY (customer_id, vendor),
  constraint drift_looks_customer_id_fkey FOREIGN KEY (customer_id) REFERENCES registry.customers(id),
  constraint drift_looks_run_id_fkey FOREIGN KEY (run_id) REFERENCES tracker.check_runs(id),
  constraint drift_looks_vendor_fkey FOREIGN KEY (vendor) REFERENCES clockwork.vendors(vendor)
);
alter table tracker.drift_looks enable row level security;
CREATE INDEX drift_looks_run ON tracker.drift_looks USING btree (run_id);
CREATE INDEX drift_looks_vendor ON tracker.drift_looks USING btree (vendor);
comment on table tracker.drift_looks is 'The last run in which a customer was met at a vendor. A customer whom the newest run did not meet gets a look of their own.';
comment on column tracker.drift_looks.customer_id is 'The customer (registry.customers).';
comment on column tracker.drift_looks.vendor is 'The vendor (clockwork.vendors).';
comment on column tracker.drift_looks.run_id is 'The run (tracker.check_runs).';

create table tracker.first_prescriptions (
  customer_id bigint not null,
  product_id bigint not null,
  finding text not null,
  prescription_id text not null,
  subscription_id text,
  looked_at timestamp with time zone not null default clockwork.now(),
  constraint first_prescriptions_pkey PRIMARY KEY (customer_id, product_id),
  constraint first_prescriptions_customer_id_fkey FOREIGN KEY (customer_id) REFERENCES registry.customers(id),
  constraint first_prescriptions_product_id_fkey FOREIGN KEY (product_id) REFERENCES registry.products(id),
  constraint first_prescription_finding_is_known CHECK (finding = ANY (ARRAY['NO_PRICE'::text, 'STARTING'::text, 'STARTED'::text, 'SUBSCRIBED'::text, 'ENDED'::text])),
  constraint only_a_subscribed_customer_has_a_subscription CHECK ((finding = ANY (ARRAY['STARTED'::text, 'SUBSCRIBED'::text])) = (subscription_id IS NOT NULL))
);
alter table tracker.first_prescriptions enable row level security;
CREATE INDEX first_prescriptions_product ON tracker.first_prescriptions USING btree (product_id);
comment on table tracker.first_prescriptions is 'A row per customer and prescribed product: did a subscription start? Read ops.prescribed_without_subscription instead.';
comment on column tracker.first_prescriptions.customer_id is 'The customer with the prescription (registry.customers).';
comment on column tracker.first_prescriptions.product_id is 'The product of the prescription (registry.products).';
comment on column tracker.first_prescriptions.finding is 'NO_PRICE: there is no price to start at. STARTING: a task starts it. STARTED: started by us. SUBSCRIBED: there is or was a subscription already. ENDED: the prescription ended before a start.';
comment on column tracker.first_prescriptions.prescription_id is 'Health record: the MedicationRequest of the last look.';
comment on column tracker.first_prescriptions.subscription_id is 'Stripe: sub_…, the subscription that was started or found.';
comment on column tracker.first_prescriptions.looked_at is 'When the last look was.';

create table tracker.move_findings (
  finding text not null,
  meaning text not null,
  constraint move_findings_pkey PRIMARY KEY (finding)
);
alter table tracker.move_findings enable row level security;
CREATE TRIGGER refuse_delete BEFORE DELETE ON tracker.move_findings FOR EACH STATEMENT EXECUTE FUNCTION clockwork.refuse_removal('Moves name these findings.');
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON tracker.move_findings FOR EACH STATEMENT EXECUTE FUNCTION clockwork.refuse_removal('Moves name these findings.');
comment on table tracker.move_findings is 'The causes for which a subscription is not moved to another price, in plain words.';
comment on column tracker.move_findings.meaning is 'The cause, and the usual repair.';

create table tracker.order_states (
  state text not null,
  rank integer not null,
  meaning text not null,
  constraint order_states_pkey PRIMARY KEY (state)
);
alter table tracker.order_states enable row level security;
CREATE TRIGGER refuse_delete BEFORE DELETE ON tracker.order_states FOR EACH STATEMENT EXECUTE FUNCTION clockwork.refuse_removal('Orders name these states.');
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON tracker.order_states FOR EACH STATEMENT EXECUTE FUNCTION clockwork.refuse_removal('Orders name these states.');
comment on table tracker.order_states is 'The states of an order. Its rank never falls. Between states of rank 10 an order may go back and forth.';

create table tracker.orders (
  id bigint not null generated always as identity,
  state text not null default 'READY'::text,
  customer_id bigint not null,
  product_id bigint not null,
  invoice_id text not null,
  invoice_line_id text not null,
  subscription_id text,
  fill_number integer not null,
  attempt integer not null default 1,
  reference text not null generated always as (((((invoice_line_id || ':'::text) || (fill_number)::text) || ':'::text) || (attempt)::text)) stored,
  fill_on timestamp with time zone not null,
  prescription_id text,
  pharmacy_order_id text,
  released_at timestamp with time zone,
  cancel_requested_at timestamp with time zone,
  cancel_cause text,
  created_at timestamp with time zone not null default clockwork.now(),
  placed_at timestamp with time zone,
  shipped_at timestamp with time zone,
  delivered_at timestamp with time zone,
  ended_at timestamp with time zone,
  constraint orders_pkey PRIMARY KEY (id),
  constraint one_order_per_paid_fill_and_attempt UNIQUE (invoice_line_id, fill_number, attempt),
  constraint orders_pharmacy_order_id_key UNIQUE (pharmacy_order_id),
  constraint orders_reference_key UNIQUE (reference),
  constraint orders_customer_id_fkey FOREIGN KEY (customer_id) REFERENCES registry.customers(id),
  constraint orders_product_id_fkey FOREIGN KEY (product_id) REFERENCES registry.products(id),
  constraint orders_state_fkey FOREIGN KEY (state) REFERENCES tracker.order_states(state),
  constraint a_wanted_cancel_has_a_cause CHECK ((cancel_requested_at IS NULL) = (cancel_cause IS NULL)),
  constraint attempt_counts_from_one CHECK (attempt > 0),
  constraint cancel_cause_is_known CHECK (cancel_cause = ANY (ARRAY['refunded'::text, 'disputed'::text, 'voided'::text, 'person'::text, 'readdressed'::text])),
  constraint fill_number_counts_from_one CHECK (fill_number > 0)
);
alter table tracker.orders enable row level security;
CREATE INDEX orders_customer ON tracker.orders USING btree (customer_id);
CREATE INDEX orders_invoice ON tracker.orders USING btree (invoice_id);
CREATE INDEX orders_product ON tracker.orders USING btree (product_id);
CREATE INDEX orders_state ON tracker.orders USING btree (state);
CREATE TRIGGER follow_merge BEFORE INSERT ON tracker.orders FOR EACH ROW EXECUTE FUNCTION registry.follow_merge();
CREATE TRIGGER guard_order BEFORE UPDATE ON tracker.orders FOR EACH ROW EXECUTE FUNCTION tracker.guard_order();
CREATE TRIGGER refuse_delete BEFORE DELETE ON tracker.orders FOR EACH STATEMENT EXECUTE FUNCTION clockwork.refuse_removal('To cancel an order, add a task with the step order.cancel.');
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON tracker.orders FOR EACH STATEMENT EXECUTE FUNCTION clockwork.refuse_removal('To cancel an order, add a task with the step order.cancel.');
comment on table tracker.orders is 'A row per paid fill, and one per replacement. Only the machinery changes it.';
comment on column tracker.orders.state is 'The state of the order (tracker.order_states).';
comment on column tracker.orders.customer_id is 'The customer of the order (registry.customers).';
comment on column tracker.orders.product_id is 'The product of the fill (registry.products).';
comment on column tracker.orders.invoice_id is 'The Stripe invoice that paid for it.';
comment on column tracker.orders.invoice_line_id is 'The line of the invoice that paid for it.';
comment on column tracker.orders.subscription_id is 'The Stripe subscription that wants it. Empty: it was paid for without one.';
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

create table tracker.price_moves (
  id bigint not null generated always as identity,
  retirement_id bigint not null,
  subscription_id text not null,
  subscription_item_id text not null,
  state text not null,
  finding text,
  times integer not null default 1,
  refusals integer not null default 0,
  anchor_before timestamp with time zone,
  due_before timestamp with time zone,
  paused_before boolean,
  due_after timestamp with time zone,
  settled_at timestamp with time zone,
  created_at timestamp with time zone not null default clockwork.now(),
  constraint price_moves_pkey PRIMARY KEY (id),
  constraint an_item_has_one_move_in_a_retirement UNIQUE (retirement_id, subscription_item_id),
  constraint price_moves_finding_fkey FOREIGN KEY (finding) REFERENCES tracker.move_findings(finding),
  constraint price_moves_retirement_id_fkey FOREIGN KEY (retirement_id) REFERENCES tracker.price_retirements(id),
  constraint counts_are_not_negative CHECK (times > 0 AND refusals >= 0),
  constraint move_state_is_known CHECK (state = ANY (ARRAY['WAITING'::text, 'MOVED'::text, 'ALREADY_THERE'::text, 'NOT_MOVED'::text])),
  constraint only_what_does_not_wait_is_settled CHECK ((state = 'WAITING'::text) = (settled_at IS NULL)),
  constraint only_what_is_not_moved_has_a_finding CHECK ((state = 'NOT_MOVED'::text) = (finding IS NOT NULL)),
  constraint what_was_before_is_told_whole CHECK (num_nulls(anchor_before, due_before, paused_before) = ANY (ARRAY[0, 3]))
);
alter table tracker.price_moves enable row level security;
CREATE INDEX price_moves_finding ON tracker.price_moves USING btree (finding);
CREATE TRIGGER refuse_delete BEFORE DELETE ON tracker.price_moves FOR EACH STATEMENT EXECUTE FUNCTION clockwork.refuse_removal('They are the report of the move.');
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON tracker.price_moves FOR EACH STATEMENT EXECUTE FUNCTION clockwork.refuse_removal('They are the report of the move.');
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

create table tracker.price_retirements (
  id bigint not null generated always as identity,
  from_price text not null,
  to_price text not null,
  pass integer not null default 1,
  page integer not null default 0,
  listed_at timestamp with time zone,
  at_most integer,
  queued integer not null default 0,
  moves_per_second numeric not null,
  next_move_at timestamp with time zone,
  created_at timestamp with time zone not null default clockwork.now(),
  constraint price_retirements_pkey PRIMARY KEY (id),
  constraint one_retirement_for_two_prices UNIQUE (from_price, to_price),
  constraint a_price_does_not_replace_itself CHECK (from_price <> to_price),
  constraint counts_are_not_negative CHECK (LEAST(pass, page, queued) >= 0 AND at_most > 0),
  constraint moves_are_slower_than_stripe_allows CHECK (moves_per_second > 0::numeric AND moves_per_second <= 20::numeric)
);
alter table tracker.price_retirements enable row level security;
CREATE UNIQUE INDEX one_listing_of_a_price_at_a_time ON tracker.price_retirements USING btree (from_price) WHERE (listed_at IS NULL);
CREATE TRIGGER refuse_delete BEFORE DELETE ON tracker.price_retirements FOR EACH STATEMENT EXECUTE FUNCTION clockwork.refuse_removal('To end a retirement, change replaced_by in registry.product_keys.');
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON tracker.price_retirements FOR EACH STATEMENT EXECUTE FUNCTION clockwork.refuse_removal('To end a retirement, change replaced_by in registry.product_keys.');
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

create table tracker.product_counts (
  run_id bigint not null,
  system registry.key_system not null,
  key text not null,
  in_use integer not null,
  paused integer not null,
  constraint product_counts_pkey PRIMARY KEY (run_id, system, key),
  constraint product_counts_run_id_fkey FOREIGN KEY (run_id) REFERENCES tracker.check_runs(id),
  constraint counts_are_not_negative CHECK (LEAST(in_use, paused) >= 0),
  constraint only_prices_and_treatments_are_counted CHECK (system = ANY (ARRAY['stripe_price'::registry.key_system, 'pharmacy_treatment'::registry.key_system]))
);
alter table tracker.product_counts enable row level security;
CREATE INDEX product_counts_key ON tracker.product_counts USING btree (system, key);
comment on table tracker.product_counts is 'The use of each key by night. ops.product_frequency shows the last whole count.';
comment on column tracker.product_counts.run_id is 'The night''s run (tracker.check_runs).';
comment on column tracker.product_counts.system is 'stripe_price or pharmacy_treatment.';
comment on column tracker.product_counts.key is 'The price or the treatment, registered or not.';
comment on column tracker.product_counts.in_use is 'Stripe: subscription items that are charged for. Pharmacy: active prescriptions.';
comment on column tracker.product_counts.paused is 'Stripe: subscription items that have not ended and are paused, in either way.';

create table tracker.refill_findings (
  finding text not null,
  is_issue boolean not null,
  meaning text not null,
  constraint refill_findings_pkey PRIMARY KEY (finding)
);
alter table tracker.refill_findings enable row level security;
CREATE TRIGGER refuse_delete BEFORE DELETE ON tracker.refill_findings FOR EACH STATEMENT EXECUTE FUNCTION clockwork.refuse_removal('Refills name these findings.');
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON tracker.refill_findings FOR EACH STATEMENT EXECUTE FUNCTION clockwork.refuse_removal('Refills name these findings.');
comment on table tracker.refill_findings is 'The findings of a look at a refill.';

create table tracker.refills (
  subscription_item_id text not null,
  subscription_id text not null,
  customer_id bigint,
  product_id bigint,
  prescription_id text,
  finding text not null,
  what text,
  other_prescriptions integer not null default 0,
  due_on timestamp with time zone,
  start_on timestamp with time zone,
  looked_at timestamp with time zone not null default clockwork.now(),
  last_fill_on timestamp with time zone,
  fillable_until timestamp with time zone,
  runs_out_on timestamp with time zone,
  other_refills integer not null default 0,
  constraint refills_pkey PRIMARY KEY (subscription_item_id),
  constraint refills_customer_id_fkey FOREIGN KEY (customer_id) REFERENCES registry.customers(id),
  constraint refills_finding_fkey FOREIGN KEY (finding) REFERENCES tracker.refill_findings(finding),
  constraint refills_product_id_fkey FOREIGN KEY (product_id) REFERENCES registry.products(id),
  constraint a_campaign_starts_before_it_is_due CHECK (start_on <= due_on),
  constraint a_covered_refill_knows_until_when CHECK ((finding <> ALL (ARRAY['COVERED'::text, 'EXPIRES'::text, 'RUNS_OUT'::text])) OR due_on IS NOT NULL)
);
alter table tracker.refills enable row level security;
CREATE INDEX refills_customer ON tracker.refills USING btree (customer_id);
CREATE INDEX refills_finding ON tracker.refills USING btree (finding);
CREATE INDEX refills_product ON tracker.refills USING btree (product_id);
CREATE INDEX refills_subscription ON tracker.refills USING btree (subscription_id);
comment on table tracker.refills is 'A row per active refill: the finding of the last look at it, and our own dates. Read ops.renewals instead.';
comment on column tracker.refills.subscription_item_id is 'Stripe: si_…';
comment on column tracker.refills.subscription_id is 'Stripe: sub_…';
comment on column tracker.refills.customer_id is 'The customer of the refill (registry.customers).';
comment on column tracker.refills.product_id is 'The product of the refill (registry.products).';
comment on column tracker.refills.prescription_id is 'The prescription that covers the refill longest, or the last one that did (health record).';
comment on column tracker.refills.finding is 'The finding of the last look (tracker.refill_findings).';
comment on column tracker.refills.what is 'The thing that is missing or unclear, if there is one.';
comment on column tracker.refills.other_prescriptions is 'The number of further active prescriptions for the same product.';
comment on column tracker.refills.due_on is 'The first day without a fill. The prescription must be renewed before it.';
comment on column tracker.refills.start_on is 'When the customer is asked to renew: due_on less the product''s lead time.';
comment on column tracker.refills.looked_at is 'When the owners were last read.';
comment on column tracker.refills.last_fill_on is 'The day on which the last remaining fill will be used, or was used.';
comment on column tracker.refills.fillable_until is 'The last moment at which the prescription may be filled, by the health record as of looked_at.';
comment on column tracker.refills.runs_out_on is 'When the drug of the last fill is used up.';
comment on column tracker.refills.other_refills is 'The number of further active refills of the customer for the same product. They use the same fills.';

create table tracker.renewal_moves (
  from_state text not null,
  to_state text not null,
  constraint renewal_moves_pkey PRIMARY KEY (from_state, to_state),
  constraint renewal_moves_from_state_fkey FOREIGN KEY (from_state) REFERENCES tracker.renewal_states(state),
  constraint renewal_moves_to_state_fkey FOREIGN KEY (to_state) REFERENCES tracker.renewal_states(state)
);
alter table tracker.renewal_moves enable row level security;
CREATE INDEX renewal_moves_to ON tracker.renewal_moves USING btree (to_state);
CREATE TRIGGER refuse_delete BEFORE DELETE ON tracker.renewal_moves FOR EACH STATEMENT EXECUTE FUNCTION clockwork.refuse_removal('Without them no renewal can change its state.');
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON tracker.renewal_moves FOR EACH STATEMENT EXECUTE FUNCTION clockwork.refuse_removal('Without them no renewal can change its state.');
comment on table tracker.renewal_moves is 'The only changes of state that a renewal allows.';

create table tracker.renewal_states (
  state text not null,
  is_open boolean not null,
  meaning text not null,
  constraint renewal_states_pkey PRIMARY KEY (state)
);
alter table tracker.renewal_states enable row level security;
CREATE TRIGGER refuse_delete BEFORE DELETE ON tracker.renewal_states FOR EACH STATEMENT EXECUTE FUNCTION clockwork.refuse_removal('Renewals name these states.');
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON tracker.renewal_states FOR EACH STATEMENT EXECUTE FUNCTION clockwork.refuse_removal('Renewals name these states.');
comment on table tracker.renewal_states is 'The states of a renewal.';

create table tracker.renewals (
  id bigint not null generated always as identity,
  state text not null default 'SCHEDULED'::text,
  customer_id bigint not null,
  product_id bigint not null,
  subscription_id text not null,
  subscription_item_id text not null,
  prescription_id text not null,
  cycle integer not null default 1,
  cause text not null,
  opened_by text not null,
  due_on timestamp with time zone not null,
  start_on timestamp with time zone not null,
  next_on timestamp with time zone,
  reminders integer not null default 0,
  contacted_at timestamp with time zone,
  lapsed_at timestamp with time zone,
  billing_paused_at timestamp with time zone,
  billing_resumed_at timestamp with time zone,
  closed_at timestamp with time zone,
  closed_because text,
  created_at timestamp with time zone not null default clockwork.now(),
  opened_under jsonb not null default '{}'::jsonb,
  reminders_before integer not null default 0,
  closed_by text,
  constraint renewals_pkey PRIMARY KEY (id),
  constraint one_renewal_per_prescription_and_cycle UNIQUE (customer_id, product_id, prescription_id, cycle),
  constraint renewals_customer_id_fkey FOREIGN KEY (customer_id) REFERENCES registry.customers(id),
  constraint renewals_product_id_fkey FOREIGN KEY (product_id) REFERENCES registry.products(id),
  constraint renewals_state_fkey FOREIGN KEY (state) REFERENCES tracker.renewal_states(state),
  constraint a_campaign_starts_before_it_is_due CHECK (start_on <= due_on),
  constraint a_closed_renewal_says_when_and_why CHECK ((state = ANY (ARRAY['RENEWED'::text, 'CANCELLED'::text])) = (closed_at IS NOT NULL) AND (closed_at IS NULL) = (closed_because IS NULL)),
  constraint a_contacted_renewal_says_when CHECK (state <> 'CONTACTED'::text OR contacted_at IS NOT NULL),
  constraint a_lapsed_renewal_says_when CHECK (state <> 'LAPSED'::text OR lapsed_at IS NOT NULL),
  constraint cycle_counts_from_one CHECK (cycle > 0),
  constraint only_a_closed_renewal_says_by_whom CHECK (closed_by IS NULL OR closed_at IS NOT NULL),
  constraint only_a_contacted_customer_is_reminded CHECK (reminders = 0 OR contacted_at IS NOT NULL),
  constraint only_a_lapse_pauses_billing CHECK (billing_paused_at IS NULL OR lapsed_at IS NOT NULL),
  constraint only_an_open_renewal_is_looked_at_again CHECK ((closed_at IS NULL) = (next_on IS NOT NULL)),
  constraint only_paused_billing_is_resumed CHECK (billing_resumed_at IS NULL OR billing_paused_at IS NOT NULL),
  constraint opened_under_is_by_prescription CHECK (jsonb_typeof(opened_under) = 'object'::text),
  constraint reminders_are_not_negative CHECK (reminders >= 0),
  constraint reminders_before_were_sent CHECK (reminders_before >= 0 AND reminders_before <= reminders),
  constraint renewal_cause_is_known CHECK (cause = ANY (ARRAY['EXPIRES'::text, 'RUNS_OUT'::text, 'NO_FILLS_LEFT'::text, 'EXPIRED'::text]))
);
alter table tracker.renewals enable row level security;
CREATE UNIQUE INDEX one_open_renewal_per_customer_and_product ON tracker.renewals USING btree (customer_id, product_id) WHERE (closed_at IS NULL);
CREATE INDEX renewals_due ON tracker.renewals USING btree (next_on) WHERE (closed_at IS NULL);
CREATE INDEX renewals_open_item ON tracker.renewals USING btree (subscription_item_id) WHERE (closed_at IS NULL);
CREATE INDEX renewals_product ON tracker.renewals USING btree (product_id);
CREATE INDEX renewals_subscription ON tracker.renewals USING btree (subscription_id);
CREATE TRIGGER follow_merge BEFORE INSERT ON tracker.renewals FOR EACH ROW EXECUTE FUNCTION registry.follow_merge();
CREATE TRIGGER follow_up_closed_renewal AFTER UPDATE OF state ON tracker.renewals FOR EACH ROW WHEN (((new.closed_at IS NOT NULL) AND (old.closed_at IS NULL))) EXECUTE FUNCTION tracker.follow_up_closed_renewal();
CREATE TRIGGER guard_renewal BEFORE UPDATE ON tracker.renewals FOR EACH ROW EXECUTE FUNCTION tracker.guard_renewal();
CREATE TRIGGER refuse_delete BEFORE DELETE ON tracker.renewals FOR EACH STATEMENT EXECUTE FUNCTION clockwork.refuse_removal('To end one, set its state to CANCELLED.');
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON tracker.renewals FOR EACH STATEMENT EXECUTE FUNCTION clockwork.refuse_removal('To end one, set its state to CANCELLED.');
comment on table tracker.renewals is 'A row per prescription and cycle that must be renewed, with its dates and mails. To end a renewal, set state to CANCELLED. It stays ended until its due day.';
comment on column tracker.renewals.state is 'The state of the renewal (tracker.renewal_states).';
comment on column tracker.renewals.customer_id is 'The customer who is to renew (registry.customers).';
comment on column tracker.renewals.product_id is 'The product of the renewal (registry.products).';
comment on column tracker.renewals.subscription_id is 'The Stripe subscription that wants the refills.';
comment on column tracker.renewals.subscription_item_id is 'The item of that subscription.';
comment on column tracker.renewals.prescription_id is 'The prescription that ends (health record).';
comment on column tracker.renewals.cycle is '1 for the first renewal of the prescription, higher when it becomes due again.';
comment on column tracker.renewals.cause is 'EXPIRES, RUNS_OUT (its fills will be used up), NO_FILLS_LEFT or EXPIRED.';
comment on column tracker.renewals.opened_by is 'The step that opened the renewal.';
comment on column tracker.renewals.due_on is 'The first day without a fill.';
comment on column tracker.renewals.start_on is 'When the customer is asked to renew.';
comment on column tracker.renewals.next_on is 'When the renewal is next checked.';
comment on column tracker.renewals.reminders is 'The number of reminders sent.';
comment on column tracker.renewals.contacted_at is 'When the customer was asked to renew.';
comment on column tracker.renewals.lapsed_at is 'When the renewal lapsed.';
comment on column tracker.renewals.billing_paused_at is 'When billing was paused because nothing can ship.';
comment on column tracker.renewals.billing_resumed_at is 'When billing went on.';
comment on column tracker.renewals.closed_at is 'When the renewal was closed: renewed or cancelled.';
comment on column tracker.renewals.closed_because is 'The cause for which it was closed, in plain words.';
comment on column tracker.renewals.opened_under is 'For comparison only: the fills and the last day of the product''s prescriptions when the renewal was opened. It never changes, so it says nothing about today.';
comment on column tracker.renewals.reminders_before is 'The number of reminders about a former due day, before a pause or an early refill put it off.';
comment on column tracker.renewals.closed_by is 'The author of the closing: clockwork:<part> for the machinery, otherwise a person.';

create table tracker.shipments (
  id bigint not null generated always as identity,
  order_id bigint not null,
  state text not null,
  carrier text not null,
  tracking_number text not null,
  created_at timestamp with time zone not null default clockwork.now(),
  delivered_at timestamp with time zone,
  constraint shipments_pkey PRIMARY KEY (id),
  constraint one_row_per_parcel UNIQUE (order_id, carrier, tracking_number),
  constraint shipments_order_id_fkey FOREIGN KEY (order_id) REFERENCES tracker.orders(id),
  constraint a_delivered_parcel_has_delivered_at CHECK (state <> 'DELIVERED'::text OR delivered_at IS NOT NULL),
  constraint shipment_state_is_known CHECK (state = ANY (ARRAY['SHIPPED'::text, 'OUT_FOR_DELIVERY'::text, 'DELIVERED'::text, 'RETURNED'::text]))
);
alter table tracker.shipments enable row level security;
CREATE TRIGGER guard_shipment BEFORE UPDATE ON tracker.shipments FOR EACH ROW EXECUTE FUNCTION tracker.guard_shipment();
CREATE TRIGGER refuse_delete BEFORE DELETE ON tracker.shipments FOR EACH STATEMENT EXECUTE FUNCTION clockwork.refuse_removal('');
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON tracker.shipments FOR EACH STATEMENT EXECUTE FUNCTION clockwork.refuse_removal('');
comment on table tracker.shipments is 'A row per parcel, as the pharmacy reports it.';
comment on column tracker.shipments.state is 'SHIPPED, OUT_FOR_DELIVERY, DELIVERED or RETURNED. It only goes forward.';

CREATE OR REPLACE FUNCTION tracker.drift_cause(customer_id bigint, fact text, system text, attribute text)
 RETURNS text
 LANGUAGE sql
 STABLE COST 1000
 SET search_path TO ''
AS $function$
  with times as (
    select drift.owner, drift.owner_hash, drift.mirror_hash, drift.found_at,
      lag(drift.owner_hash) over (order by drift.id) as owner_before,
      lag(drift.mirror_hash) over (order by drift.id) as mirror_before
    from tracker.drift
    cross join clockwork.settings
    where drift.customer_id = drift_cause.customer_id and drift.fact = drift_cause.fact
      and drift.system = drift_cause.system and drift.attribute = drift_cause.attribute
      and drift.found_at > clockwork.now() - make_interval(days => settings.drift_again_days)
  ), counts as (
    select count(*) as found, count(owner_before) as again,
      count(*) filter (where owner_hash <> owner_before) as owner_changed,
      count(*) filter (where owner_hash = owner_before and mirror_hash = mirror_before) as came_back,
      min(found_at) as since, max(found_at) as until, max(owner) as owner
    from times
  ), events_came as (
    -- The propagations that an event of the owner began.
    select count(*) as number
    from counts
    join clockwork.tasks on tasks.customer_id = drift_cause.customer_id
      and tasks.step = 'owner.propagate_' || drift_cause.fact
      and tasks.created_at between counts.since and counts.until
    join clockwork.tasks as causes on causes.id = tasks.caused_by
      and split_part(causes.step, '.', 1) = counts.owner
  ), named as (
    select tracker.system_name(counts.owner) as owner, tracker.system_name(drift_cause.system) as mirror from counts
  )
  select case
    when counts.found = 0 then 'It did not drift again lately.'
    when counts.again = 0 then format(
      'It drifted once lately: an event of %s did not come, or somebody edited %s.', named.owner, named.mirror)
    when counts.owner_changed = 0 and counts.came_back = counts.again then format(
      'Something else writes to %s. The value of %s was put there %s times, and the same other value came back each time.',
      named.mirror, named.owner, counts.again)
    when counts.owner_changed = 0 then format(
      'Somebody or something edits %s. The value of %s stayed the same, and other values turned up in the mirror %s times.',
      named.mirror, named.owner, counts.found)
    when counts.owner_changed = counts.again and events_came.number = 0 then format(
      'Events of %s do not reach us. Its value changed %s times, and no event came.', named.owner, counts.again)
    else format(
      'Some events of %s do not reach us, or something else writes to %s. Both values changed.', named.owner, named.mirror)
  end
  from counts, events_came, named
$function$;
comment on function tracker.drift_cause(bigint,text,text,text) is 'The likely cause of a mirror''s drift, by the record, in plain words.';

CREATE OR REPLACE FUNCTION tracker.follow_up_closed_renewal()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  if clockwork.actor() like 'clockwork:%' or new.contacted_at is null then
    return null;
  end if;
  insert into clockwork.tasks (step, key, vendor, data, customer_id)
  values ('renewal.tell_crm', 'closed by a person:' || new.id, 'crm',
    jsonb_build_object('renewal_id', new.id, 'fact', 'renewal_cancelled'), new.customer_id)
  on conflict on constraint tasks_step_key_is_unique do nothing;
  return null;
end
$function$;

CREATE OR REPLACE FUNCTION tracker.guard_order()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
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
$function$;

CREATE OR REPLACE FUNCTION tracker.guard_renewal()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  if new.state <> old.state and not exists (
    select from tracker.renewal_moves
    where renewal_moves.from_state = old.state and renewal_moves.to_state = new.state
  ) then
    raise exception 'Renewal % is %, so it cannot become %.', old.id, old.state, new.state
      using errcode = 'check_violation';
  end if;
  if (new.product_id, new.prescription_id, new.cycle, new.opened_under)
      is distinct from (old.product_id, old.prescription_id, old.cycle, old.opened_under)
    or (new.customer_id <> old.customer_id and not exists (
      select from registry.customers where customers.id = old.customer_id and customers.merged_into = new.customer_id))
  then
    raise exception 'Renewal % is about one prescription of one customer. That never changes.', old.id
      using errcode = 'check_violation';
  end if;
  if old.contacted_at is not null and new.contacted_at is distinct from old.contacted_at then
    raise exception 'The customer of renewal % was already asked. That stays.', old.id
      using errcode = 'check_violation';
  end if;
  if new.state in ('RENEWED', 'CANCELLED') then
    new.closed_at := coalesce(new.closed_at, clockwork.now());
    new.closed_because := coalesce(new.closed_because, 'closed by a person');
    -- The author tells a person's stop, not the words.
    new.closed_by := case when old.closed_at is null then clockwork.actor() else old.closed_by end;
    new.next_on := null;
  end if;
  return new;
end
$function$;

CREATE OR REPLACE FUNCTION tracker.guard_shipment()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  if (select order_states.rank from tracker.order_states where order_states.state = new.state)
    < (select order_states.rank from tracker.order_states where order_states.state = old.state)
  then
    raise exception 'Parcel % is %. Parcels only go forward, never back to %.', old.id, old.state, new.state
      using errcode = 'check_violation';
  end if;
  return new;
end
$function$;

CREATE OR REPLACE FUNCTION tracker.system_name(system text)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO ''
AS $function$
  select case system_name.system
    when 'stripe' then 'Stripe' when 'crm' then 'the CRM' when 'health' then 'the health record'
    when 'registry' then 'the registry' when 'login' then 'the login' else system_name.system end
$function$;
comment on function tracker.system_name(text) is 'The name of a system as people call it.';

select cron.schedule('clockwork-clean-cron-log', '17 3 * * *', 'select clockwork.clean_cron_log()');
select cron.schedule('clockwork-due-renewals', '*/5 * * * *', 'select clockwork.start_due_renewals()');
select cron.schedule('clockwork-nightly-work', '*/5 * * * *', 'select clockwork.start_nightly_work()');
select cron.schedule('clockwork-tick', '10 seconds', 'select clockwork.tick()');

-- The rows that the migrations put in.

-- rows of clockwork.nightly_work
-- {"step":"completeness.health","vendor":"health","at":"01:00:00","is_on":true,"what":"Lists the changes in the health record and records those that never reached us."}
-- {"step":"completeness.pharmacy","vendor":"pharmacy","at":"01:00:00","is_on":true,"what":"Compares the pharmacy's open orders with ours and records the events that never reached us."}
-- {"step":"completeness.stripe","vendor":"stripe","at":"01:00:00","is_on":true,"what":"Lists the events at Stripe and records those that never reached us."}
-- {"step":"drift.customers","vendor":"stripe","at":"04:00:00","is_on":true,"what":"Compares each customer's facts at Stripe, in the CRM and in the registry with the owner of each fact."}
-- {"step":"drift.logins","vendor":"login","at":"04:15:00","is_on":true,"what":"Compares the email of each login with the CRM."}
-- {"step":"product.count_pharmacy","vendor":"pharmacy","at":"03:30:00","is_on":true,"what":"Counts the active prescriptions that use each treatment at the pharmacy."}
-- {"step":"product.count_stripe","vendor":"stripe","at":"03:30:00","is_on":true,"what":"Counts the subscriptions that use each Stripe price."}
-- {"step":"renewal.find","vendor":"stripe","at":"02:00:00","is_on":true,"what":"Looks at every active refill for the end of its cover."}

-- rows of clockwork.reason_choices
-- {"code":"ADDRESS_CHANGED","position":1,"answer":"new_address","label":"replace the order with one to the address in the health record","status":"PENDING","data":{},"needs":null}
-- {"code":"ADDRESS_CHANGED","position":2,"answer":"former_address","label":"let the parcel go to the former address","status":"CANCELLED","data":{},"needs":null}
-- {"code":"ADDRESS_INCOMPLETE","position":1,"answer":"new_address","label":"replace the order with one to the address in the health record","status":"PENDING","data":{},"needs":null}
-- {"code":"ADDRESS_INCOMPLETE","position":2,"answer":"former_address","label":"let the parcel go to the former address","status":"CANCELLED","data":{},"needs":null}
-- {"code":"ALREADY_MERGED","position":1,"answer":"end","label":"that is right","status":"CANCELLED","data":{},"needs":null}
-- {"code":"ALREADY_MERGED","position":2,"answer":"try_again","label":"check the two customers again","status":"PENDING","data":{},"needs":null}
-- {"code":"ALREADY_SHIPPED","position":1,"answer":"end","label":"it is resolved with the customer","status":"CANCELLED","data":{},"needs":null}
-- {"code":"BILLING_NOT_PAUSED","position":1,"answer":"try_again","label":"pause billing if the subscription bills this product alone","status":"PENDING","data":{},"needs":null}
-- {"code":"BILLING_NOT_PAUSED","position":2,"answer":"end","label":"it is resolved at Stripe","status":"CANCELLED","data":{},"needs":null}
-- {"code":"CARD_DECLINED","position":1,"answer":"try_again","label":"try the charge once more","status":"PENDING","data":{},"needs":null}
-- {"code":"CARD_DECLINED","position":2,"answer":"do_not_start","label":"the customer does not want the product","status":"CANCELLED","data":{},"needs":null}
-- {"code":"CHARGE_DISPUTED","position":1,"answer":"ship","label":"ship although the charge is disputed","status":"PENDING","data":{},"needs":null}
-- {"code":"CHARGE_DISPUTED","position":2,"answer":"call_off","label":"the fills that are not sent are not sent any more","status":"PENDING","data":{},"needs":null}
-- {"code":"CHARGE_NOT_FOUND","position":1,"answer":"try_again","label":"read the charge at Stripe again","status":"PENDING","data":{},"needs":null}
-- {"code":"CRM_EMAIL_MISSING","position":1,"answer":"try_again","label":"read the CRM again","status":"PENDING","data":{},"needs":null}
-- {"code":"CRM_PERSON_UNKNOWN","position":1,"answer":"try_again","label":"read the owner again, then write","status":"PENDING","data":{},"needs":null}
-- {"code":"CRM_PERSON_UNREACHABLE","position":1,"answer":"try_again","label":"the CRM has an email or a phone now","status":"PENDING","data":{},"needs":null}
-- {"code":"CRM_PERSON_UNREACHABLE","position":2,"answer":"end","label":"the customer was reached in another way","status":"CANCELLED","data":{},"needs":null}
-- {"code":"CUSTOMERS_ARE_ONE","position":1,"answer":"merge","label":"merge the first customer into the second","status":"PENDING","data":{},"needs":null}
-- {"code":"CUSTOMERS_ARE_ONE","position":2,"answer":"keep_apart","label":"they are two persons","status":"CANCELLED","data":{},"needs":null}
-- {"code":"CUSTOMER_HAS_ANOTHER_KEY","position":1,"answer":"replace_key","label":"it replaces the other key of the customer in customer_id","status":"PENDING","data":{"replace": true},"needs":"customer_id"}
-- {"code":"CUSTOMER_HAS_ANOTHER_KEY","position":2,"answer":"link","label":"it belongs to somebody else, whose number is in customer_id","status":"PENDING","data":{"replace": false},"needs":"customer_id"}
-- {"code":"CUSTOMER_HAS_ANOTHER_KEY","position":3,"answer":"new_customer","label":"make a new customer","status":"PENDING","data":{"customer_id": null},"needs":null}
-- {"code":"CUSTOMER_NOT_THERE","position":1,"answer":"try_again","label":"search for the customer again","status":"PENDING","data":{},"needs":null}
-- {"code":"DRAIN_DIED","position":1,"answer":"try_again","label":"run the step again","status":"PENDING","data":{},"needs":null}
-- {"code":"DRIFTS_AGAIN","position":1,"answer":"try_again","label":"compare them again","status":"PENDING","data":{},"needs":null}
-- {"code":"DUPLICATE_SHIPPED","position":1,"answer":"end","label":"the customer and the pharmacy know","status":"CANCELLED","data":{},"needs":null}
-- {"code":"EMAIL_IS_NO_PROOF","position":1,"answer":"link","label":"link it to the customer whose number is in customer_id","status":"PENDING","data":{},"needs":"customer_id"}
-- {"code":"EMAIL_IS_NO_PROOF","position":2,"answer":"new_customer","label":"make a new customer","status":"PENDING","data":{"customer_id": null},"needs":null}
-- {"code":"ENDPOINT_SILENT","position":1,"answer":"try_again","label":"check whether most messages have come since","status":"PENDING","data":{},"needs":null}
-- {"code":"EVENTS_OUT_OF_REACH","position":1,"answer":"read_invoices","label":"make the orders of the invoices paid in that time","status":"PENDING","data":{},"needs":null}
-- {"code":"EVENTS_OUT_OF_REACH","position":2,"answer":"end","label":"all of those invoices are resolved","status":"CANCELLED","data":{},"needs":null}
-- {"code":"FIRST_CHARGE_OPEN","position":1,"answer":"try_again","label":"read the subscription again","status":"PENDING","data":{},"needs":null}
-- {"code":"FREE_LINE","position":1,"answer":"ship","label":"ship the fills of each of its lines","status":"PENDING","data":{},"needs":null}
-- {"code":"FREE_LINE","position":2,"answer":"call_off","label":"nothing is sent for its lines","status":"PENDING","data":{},"needs":null}
-- {"code":"HEALTH_PATIENT_UNANSWERED","position":1,"answer":"try_again","label":"read the patient in the health record again","status":"PENDING","data":{},"needs":null}
-- {"code":"HEALTH_PATIENT_UNKNOWN","position":1,"answer":"try_again","label":"read the patient in the health record again","status":"PENDING","data":{},"needs":null}
-- {"code":"INTERNAL_ERROR","position":1,"answer":"try_again","label":"run the step again","status":"PENDING","data":{},"needs":null}
-- {"code":"INVALID_DATA","position":1,"answer":"try_again","label":"run it with the corrected data","status":"PENDING","data":{},"needs":null}
-- {"code":"INVOICE_NOT_FOUND","position":1,"answer":"try_again","label":"read the invoice at Stripe again","status":"PENDING","data":{},"needs":null}
-- {"code":"KEY_AND_REFERENCE_DIFFER","position":1,"answer":"end","label":"it is resolved, and the same is not asked again","status":"CANCELLED","data":{},"needs":null}
-- {"code":"KEY_CAME_BACK","position":1,"answer":"link","label":"link it to the customer whose number is in customer_id","status":"PENDING","data":{},"needs":"customer_id"}
-- {"code":"KEY_CAME_BACK","position":2,"answer":"leave","label":"leave it a former key","status":"CANCELLED","data":{},"needs":null}
-- {"code":"KEY_IS_ANOTHERS","position":1,"answer":"leave","label":"the key is in the right row","status":"CANCELLED","data":{},"needs":null}
-- {"code":"KEY_IS_ANOTHERS","position":2,"answer":"try_again","label":"the key was put into the right row","status":"PENDING","data":{},"needs":null}
-- {"code":"KEY_RETIRED_IN_USE","position":1,"answer":"try_again","label":"read the registry and the last count again","status":"PENDING","data":{},"needs":null}
-- {"code":"KEY_RETIRED_IN_USE","position":2,"answer":"leave","label":"leave it as it is; paid fills still ship","status":"CANCELLED","data":{},"needs":null}
-- {"code":"KEY_UNREGISTERED","position":1,"answer":"try_again","label":"the key is in registry.product_keys now","status":"PENDING","data":{},"needs":null}
-- {"code":"KEY_UNREGISTERED","position":2,"answer":"not_ours","label":"it is nothing that the company ships, and is not asked about again","status":"CANCELLED","data":{},"needs":null}
-- {"code":"LOGIN_CHANGE_REFUSED","position":1,"answer":"try_again","label":"compare the login with the CRM again","status":"PENDING","data":{},"needs":null}
-- {"code":"LOGIN_CONFIRMATION_OFF","position":1,"answer":"try_again","label":"have Supabase Auth ask the customer","status":"PENDING","data":{},"needs":null}
-- {"code":"LOGIN_EMAILS_SWAPPED","position":1,"answer":"try_again","label":"check whether one of the logins has changed","status":"PENDING","data":{},"needs":null}
-- {"code":"LOGIN_EMAIL_TAKEN","position":1,"answer":"try_again","label":"check whether the email is free","status":"PENDING","data":{},"needs":null}
-- {"code":"LOGIN_NEEDS_CUSTOMER","position":1,"answer":"try_again","label":"compare the login with the CRM again","status":"PENDING","data":{},"needs":null}
-- {"code":"LOGIN_NOT_CONFIRMED","position":1,"answer":"try_again","label":"compare the login with the CRM again","status":"PENDING","data":{},"needs":null}
-- {"code":"LOGIN_UNKNOWN","position":1,"answer":"try_again","label":"read the login again","status":"PENDING","data":{},"needs":null}
-- {"code":"MERGE_KEYS_DIFFER","position":1,"answer":"try_again","label":"one of the two keys is gone now","status":"PENDING","data":{},"needs":null}
-- {"code":"MERGE_KEYS_DIFFER","position":2,"answer":"give_up_pharmacy","label":"give up the first customer's key at the pharmacy","status":"PENDING","data":{"give_up": ["pharmacy"]},"needs":null}
-- {"code":"MERGE_KEYS_DIFFER","position":3,"answer":"give_up_crm","label":"give up the first customer's keys at the pharmacy and in the CRM","status":"PENDING","data":{"give_up": ["pharmacy", "crm"]},"needs":null}
-- {"code":"MERGE_KEYS_DIFFER","position":4,"answer":"give_up_login","label":"give up the first customer's keys at the pharmacy and in the CRM, and the login","status":"PENDING","data":{"give_up": ["pharmacy", "crm", "login"]},"needs":null}
-- {"code":"MERGE_RENEWALS_COLLIDE","position":1,"answer":"try_again","label":"merge the two, now that one of the renewals is cancelled","status":"PENDING","data":{},"needs":null}
-- {"code":"METERED_LINE","position":1,"answer":"ship","label":"ship the usual fills for each of its lines","status":"PENDING","data":{},"needs":null}
-- {"code":"METERED_LINE","position":2,"answer":"call_off","label":"nothing is sent for its lines","status":"PENDING","data":{},"needs":null}
-- {"code":"MISSING_CUSTOMER_KEY","position":1,"answer":"try_again","label":"read the key again","status":"PENDING","data":{},"needs":null}
-- {"code":"MOVE_CHANGED_BILLING","position":1,"answer":"try_again","label":"it was corrected at Stripe: read the subscription again","status":"PENDING","data":{},"needs":null}
-- {"code":"MOVE_CHANGED_BILLING","position":2,"answer":"end","label":"the customer or a colleague changed it","status":"CANCELLED","data":{},"needs":null}
-- {"code":"NIGHT_UNFINISHED","position":1,"answer":"end","label":"the work has ended in a night since","status":"CANCELLED","data":{},"needs":null}
-- {"code":"NIGHT_UNFINISHED","position":2,"answer":"try_again","label":"do the work anew, now","status":"PENDING","data":{},"needs":null}
-- {"code":"NOT_THE_FIRST_PRESCRIPTION","position":1,"answer":"start","label":"start the subscription and charge for it","status":"PENDING","data":{"despite_earlier": true},"needs":null}
-- {"code":"NOT_THE_FIRST_PRESCRIPTION","position":2,"answer":"do_not_start","label":"the customer does not want the product","status":"CANCELLED","data":{},"needs":null}
-- {"code":"NOT_YET_VISIBLE","position":1,"answer":"try_again","label":"read the vendor again","status":"PENDING","data":{},"needs":null}
-- {"code":"NOT_YET_VISIBLE","position":2,"answer":"end","label":"there is nothing to the message","status":"CANCELLED","data":{},"needs":null}
-- {"code":"NO_PAYMENT_METHOD","position":1,"answer":"try_again","label":"start the subscription now","status":"PENDING","data":{},"needs":null}
-- {"code":"NO_PAYMENT_METHOD","position":2,"answer":"do_not_start","label":"the customer does not want the product","status":"CANCELLED","data":{},"needs":null}
-- {"code":"NO_SHIPPING_ADDRESS","position":1,"answer":"try_again","label":"read the address again","status":"PENDING","data":{},"needs":null}
-- {"code":"ONE_OFF_LINE","position":1,"answer":"ship","label":"ship it","status":"PENDING","data":{},"needs":null}
-- {"code":"ONE_OFF_LINE","position":2,"answer":"call_off","label":"nothing is sent for it","status":"PENDING","data":{},"needs":null}
-- {"code":"ORDER_ALREADY_REPLACED","position":1,"answer":"end","label":"the replacement is enough","status":"CANCELLED","data":{},"needs":null}
-- {"code":"ORDER_ALREADY_REPLACED","position":2,"answer":"try_again","label":"replace the order whose number is in order_id","status":"PENDING","data":{},"needs":null}
-- {"code":"ORDER_NOT_FOUND","position":1,"answer":"try_again","label":"search for the order again","status":"PENDING","data":{},"needs":null}
-- {"code":"ORDER_STILL_LIVE","position":1,"answer":"lost","label":"the parcel is lost: replace the order","status":"PENDING","data":{"lost": true},"needs":null}
-- {"code":"ORDER_STILL_LIVE","position":2,"answer":"try_again","label":"the order has ended: replace it","status":"PENDING","data":{},"needs":null}
-- {"code":"OUTCOME_UNKNOWN","position":1,"answer":"not_done","label":"it was not done: do it again","status":"PENDING","data":{},"needs":null}
-- {"code":"PAID_AFTER_ALL","position":1,"answer":"ship","label":"place the fill again","status":"PENDING","data":{},"needs":null}
-- {"code":"PAID_AFTER_ALL","position":2,"answer":"give_back","label":"it was refunded at Stripe, and nothing is sent","status":"CANCELLED","data":{},"needs":null}
-- {"code":"PARCEL_RETURNED","position":1,"answer":"send_again","label":"place a replacement order, once","status":"PENDING","data":{},"needs":null}
-- {"code":"PARCEL_RETURNED","position":2,"answer":"give_back","label":"it was refunded at Stripe, and nothing is sent","status":"CANCELLED","data":{},"needs":null}
-- {"code":"PARTIAL_REFUND","position":1,"answer":"ship","label":"ship the fills that are not sent","status":"PENDING","data":{},"needs":null}
-- {"code":"PARTIAL_REFUND","position":2,"answer":"call_off","label":"the fills that are not sent are not sent any more","status":"PENDING","data":{},"needs":null}
-- {"code":"PATIENT_MERGE_UNCLEAR","position":1,"answer":"try_again","label":"read the patient in the health record again","status":"PENDING","data":{},"needs":null}
-- {"code":"PATIENT_MERGE_UNCLEAR","position":2,"answer":"end","label":"the patient was corrected","status":"CANCELLED","data":{},"needs":null}
-- {"code":"PATIENT_OF_NOBODY","position":1,"answer":"link","label":"link it to the customer whose number is in customer_id","status":"PENDING","data":{},"needs":"customer_id"}
-- {"code":"PATIENT_OF_NOBODY","position":2,"answer":"new_customer","label":"make a new customer","status":"PENDING","data":{"customer_id": null},"needs":null}
-- {"code":"PATIENT_OF_NOBODY","position":3,"answer":"not_ours","label":"it is no customer of ours, and is not asked about again","status":"CANCELLED","data":{},"needs":null}
-- {"code":"PHARMACY_CANCELLED","position":1,"answer":"send_again","label":"place a replacement order, once","status":"PENDING","data":{},"needs":null}
-- {"code":"PHARMACY_CANCELLED","position":2,"answer":"give_back","label":"it was refunded at Stripe, and nothing is sent","status":"CANCELLED","data":{},"needs":null}
-- {"code":"PHARMACY_FAILED","position":1,"answer":"send_again","label":"place a replacement order, once","status":"PENDING","data":{},"needs":null}
-- {"code":"PHARMACY_FAILED","position":2,"answer":"give_back","label":"it was refunded at Stripe, and nothing is sent","status":"CANCELLED","data":{},"needs":null}
-- {"code":"PHARMACY_NEEDS_ATTENTION","position":1,"answer":"try_again","label":"read the pharmacy order again","status":"PENDING","data":{},"needs":null}
-- {"code":"PRESCRIPTION_FOR_UNKNOWN_PRODUCT","position":1,"answer":"try_again","label":"its code is in registry.product_keys now","status":"PENDING","data":{},"needs":null}
-- {"code":"PRESCRIPTION_FOR_UNKNOWN_PRODUCT","position":2,"answer":"not_ours","label":"the company does not sell it, and is not asked again","status":"CANCELLED","data":{},"needs":null}
-- {"code":"PRESCRIPTION_UNCLEAR","position":1,"answer":"try_again","label":"check the prescriptions again","status":"PENDING","data":{},"needs":null}
-- {"code":"PRICE_NOT_SOLD","position":1,"answer":"try_again","label":"the price is active again","status":"PENDING","data":{},"needs":null}
-- {"code":"PRODUCT_HAS_NO_CODE","position":1,"answer":"try_again","label":"check the prescriptions again","status":"PENDING","data":{},"needs":null}
-- {"code":"PRODUCT_LEFT","position":1,"answer":"ship","label":"ship the fill that is paid for, or let it go","status":"PENDING","data":{},"needs":null}
-- {"code":"PRODUCT_LEFT","position":2,"answer":"call_off","label":"it was refunded at Stripe: nothing is sent, and an order at the pharmacy is cancelled","status":"PENDING","data":{},"needs":null}
-- {"code":"PRODUCT_NOT_SOLD","position":1,"answer":"try_again","label":"the product is active again","status":"PENDING","data":{},"needs":null}
-- {"code":"PRODUCT_NOT_SOLD","position":2,"answer":"do_not_start","label":"another product is prescribed","status":"CANCELLED","data":{},"needs":null}
-- {"code":"REFERENCES_DIFFER","position":1,"answer":"link","label":"link it to the customer whose number is in customer_id","status":"PENDING","data":{},"needs":"customer_id"}
-- {"code":"REFERENCES_DIFFER","position":2,"answer":"new_customer","label":"make a new customer","status":"PENDING","data":{"customer_id": null},"needs":null}
-- {"code":"REFERENCE_LEADS_NOWHERE","position":1,"answer":"link","label":"link it to the customer whose number is in customer_id","status":"PENDING","data":{},"needs":"customer_id"}
-- {"code":"REFERENCE_LEADS_NOWHERE","position":2,"answer":"new_customer","label":"make a new customer","status":"PENDING","data":{"customer_id": null},"needs":null}
-- {"code":"REFILL_DATES_UNKNOWN","position":1,"answer":"try_again","label":"read the prescription again","status":"PENDING","data":{},"needs":null}
-- {"code":"REFILL_TWICE","position":1,"answer":"try_again","label":"read the subscriptions again","status":"PENDING","data":{},"needs":null}
-- {"code":"REFILL_UNCLEAR","position":1,"answer":"try_again","label":"read the subscription again","status":"PENDING","data":{},"needs":null}
-- {"code":"REFILL_WITHOUT_PRESCRIPTION","position":1,"answer":"try_again","label":"read the prescriptions again","status":"PENDING","data":{},"needs":null}
-- {"code":"RENEWAL_LAPSED","position":1,"answer":"try_again","label":"check again whether it was renewed","status":"PENDING","data":{},"needs":null}
-- {"code":"SHIPPED_AFTER_CANCEL","position":1,"answer":"end","label":"the customer and the pharmacy know","status":"CANCELLED","data":{},"needs":null}
-- {"code":"STRIPE_CUSTOMER_UNKNOWN","position":1,"answer":"try_again","label":"read the customer at Stripe again","status":"PENDING","data":{},"needs":null}
-- {"code":"STUB_LINE","position":1,"answer":"ship","label":"ship its fills","status":"PENDING","data":{},"needs":null}
-- {"code":"STUB_LINE","position":2,"answer":"call_off","label":"nothing is sent for it","status":"PENDING","data":{},"needs":null}
-- {"code":"SUBSCRIBED_TWICE","position":1,"answer":"try_again","label":"one of the two is cancelled: check again","status":"PENDING","data":{},"needs":null}
-- {"code":"SUBSCRIPTION_ENDS","position":1,"answer":"ship","label":"ship the fill that is paid for","status":"PENDING","data":{},"needs":null}
-- {"code":"SUBSCRIPTION_ENDS","position":2,"answer":"call_off","label":"it was refunded at Stripe, and nothing is sent","status":"PENDING","data":{},"needs":null}
-- {"code":"SUBSCRIPTION_NOT_ACTIVE","position":1,"answer":"ship","label":"ship the fill that is paid for","status":"PENDING","data":{},"needs":null}
-- {"code":"SUBSCRIPTION_NOT_ACTIVE","position":2,"answer":"call_off","label":"it was refunded at Stripe, and nothing is sent","status":"PENDING","data":{},"needs":null}
-- {"code":"SUBSCRIPTION_STATUS_UNKNOWN","position":1,"answer":"try_again","label":"read the subscription at Stripe again","status":"PENDING","data":{},"needs":null}
-- {"code":"SWITCHED_LINE","position":1,"answer":"ship","label":"ship one fill now","status":"PENDING","data":{},"needs":null}
-- {"code":"SWITCHED_LINE","position":2,"answer":"call_off","label":"nothing is sent for it","status":"PENDING","data":{},"needs":null}
-- {"code":"UNKNOWN_CUSTOMER","position":1,"answer":"try_again","label":"search for the customer again","status":"PENDING","data":{},"needs":null}
-- {"code":"UNKNOWN_ORDER","position":1,"answer":"try_again","label":"search for the order again","status":"PENDING","data":{},"needs":null}
-- {"code":"UNKNOWN_PRODUCT","position":1,"answer":"try_again","label":"search for the product again","status":"PENDING","data":{},"needs":null}
-- {"code":"UNKNOWN_STEP","position":1,"answer":"end","label":"the name was mistyped","status":"CANCELLED","data":{},"needs":null}
-- {"code":"UNKNOWN_STEP","position":2,"answer":"try_again","label":"the step exists now","status":"PENDING","data":{},"needs":null}
-- {"code":"UNREADABLE_EVENT","position":1,"answer":"end","label":"nothing more is to be done","status":"CANCELLED","data":{},"needs":null}
-- {"code":"VENDOR_REFUSED","position":1,"answer":"try_again","label":"send the request again","status":"PENDING","data":{},"needs":null}
-- {"code":"VENDOR_UNANSWERED","position":1,"answer":"try_again","label":"check at the vendor whether it was done, and do it if not","status":"PENDING","data":{},"needs":null}

-- rows of clockwork.reasons
-- {"code":"ADDRESS_CHANGED","sentence":"The address of customer {customer} changed after order {order} was placed. The pharmacy would still send the parcel to the former address.","repair":"To replace the order with one to the address in the health record, set answer to new_address. If the parcel may go to the former address, set answer to former_address.","on_resend":"Compares the addresses again. If they differ, cancels the order at the pharmacy and replaces it, once."}
-- {"code":"ADDRESS_INCOMPLETE","sentence":"The address of customer {customer} in the health record is no longer complete. The pharmacy would send order {order} to the former address.","repair":"Have the address completed in the health record, then set answer to new_address. If the parcel may go to the former address, set answer to former_address.","on_resend":"Compares the addresses again. If they differ, cancels the order at the pharmacy and replaces it, once."}
-- {"code":"ALREADY_MERGED","sentence":"Customer {from} was already merged into customer {into}.","repair":"If that is right, set answer to end. If not, correct the numbers in data and set answer to try_again.","on_resend":"Checks the two customers again."}
-- {"code":"ALREADY_SHIPPED","sentence":"Order {order} should be cancelled ({cause}), but it has already shipped.","repair":"Decide with the customer, then set answer to end.","on_resend":"Reads the order again. A shipped parcel cannot be called back."}
-- {"code":"BILLING_NOT_PAUSED","sentence":"Subscription {subscription} has lapsed without a prescription. It bills other products too, so billing was not paused.","repair":"At Stripe, take the product out of the subscription or refund it. Then set answer to end. To have billing paused after all, set answer to try_again.","on_resend":"Reads the subscription again, and pauses billing if it bills this product alone."}
-- {"code":"CARD_DECLINED","sentence":"The first charge for product {product} of customer {customer} was declined (code {code}). No subscription was made and nothing was charged.","repair":"Ask the customer for another card. The charge is then tried again by itself. After a call to the bank, set answer to try_again. If the customer does not want the product, set answer to do_not_start.","on_resend":"Reads Stripe and the prescription again, and tries the charge once more."}
-- {"code":"CHANGE_UNDER_WAY","sentence":"The event of this change may still be on its way, so the values are compared again later.","repair":"Nothing to do.","on_resend":"Compares the values now."}
-- {"code":"CHARGE_DISPUTED","sentence":"{disputed} of {total} is disputed. Nothing is sent while the dispute is open.","repair":"Reply to the dispute at Stripe. This closes by itself when the dispute does. To ship all the same, set answer to ship. To call the fills off, set answer to call_off.","on_resend":"Reads the dispute at Stripe again. Asks again if nothing changed."}
-- {"code":"CHARGE_INQUIRED","sentence":"The customer's bank asks about the charge. The order waits.","repair":"Nothing to do. The order ships when the inquiry is closed.","on_resend":"Reads the inquiry at Stripe now."}
-- {"code":"CHARGE_NOT_FOUND","sentence":"Stripe does not know the charge {charge}.","repair":"Check that the webhook and the API key belong to the same Stripe account. Then set answer to try_again.","on_resend":"Reads the charge at Stripe again."}
-- {"code":"CHARGE_REFUNDED","sentence":"The charge was refunded, so nothing is shipped for it.","repair":"Nothing to do.","on_resend":"Reads the charge at Stripe again. Ships only if the refund is gone."}
-- {"code":"CHECK_OVERTAKEN","sentence":"A later check went on from the end of the last complete one. This page of an earlier check is not needed.","repair":"Nothing to do.","on_resend":"Checks whether the earlier check is still under way."}
-- {"code":"CRM_EMAIL_MISSING","sentence":"The CRM has no email for customer {customer}, who has one elsewhere.","repair":"Put the person's email into the CRM. That runs this again by itself. To run it now, set answer to try_again.","on_resend":"Reads the CRM again. An empty email is never copied anywhere."}
-- {"code":"CRM_PERSON_UNKNOWN","sentence":"The CRM has no person {person} (customer {customer}).","repair":"Correct crm_person_id in registry.customers, or have the person made in the CRM. Then set answer to try_again.","on_resend":"Reads the owner again, then writes."}
-- {"code":"CRM_PERSON_UNREACHABLE","sentence":"The CRM has no email and no phone of person {person}, so it cannot reach customer {customer}.","repair":"Have an email or a phone put into the CRM, then set answer to try_again. Or reach the customer in another way, and set answer to end.","on_resend":"Reads the person in the CRM again, then tells the CRM."}
-- {"code":"CUSTOMERS_ARE_ONE","sentence":"The health record says that customers {from} and {into} are one person ({old} was replaced by {new}).","repair":"If that is right, set answer to merge. If not, have the health record corrected and set answer to keep_apart.","on_resend":"Merges the first customer into the second, with every key, order and renewal."}
-- {"code":"CUSTOMER_HAS_ANOTHER_KEY","sentence":"{what} leads to customer {customer}, who has another key in that system: {other}.","repair":"If it replaces the other key, put the customer's number into customer_id in data and set answer to replace_key. If it belongs to somebody else, put their number there and set answer to link. To make a new customer, set answer to new_customer.","on_resend":"Links the key to customer_id, if that customer has no other key or data says to replace it. A null customer_id makes a new customer."}
-- {"code":"CUSTOMER_NOT_THERE","sentence":"The registry has no customer {customer}.","repair":"Correct the number in data, then set answer to try_again.","on_resend":"Searches for the customer again."}
-- {"code":"CUSTOMER_ON_HOLD","sentence":"The customer paused the subscription, so nothing is sent.","repair":"Nothing to do. The mails go on when the customer resumes.","on_resend":"Reads the subscription at Stripe now."}
-- {"code":"DRAIN_DIED","sentence":"The work was cut off on its last try.","repair":"Set answer to try_again. If it happens again, ask engineering.","on_resend":"Runs the step again. A confirmed effect is not sent again."}
-- {"code":"DRIFTS_AGAIN","sentence":"{attribute} of customer {customer} differed from {owner} in {mirror} {times} times within {days} days. Likely cause: {cause}.","repair":"Find out which program or person writes to the mirror, or why events do not come (ops.vendors, ops.drift). The mirror is repaired every night meanwhile. Then set answer to try_again.","on_resend":"Compares them again. If they agree, this is done. If not, the mirror is repaired and this stays."}
-- {"code":"DUPLICATE_SHIPPED","sentence":"The pharmacy shipped a second order {pharmacy_order} for order {order}.","repair":"Inform the customer and the pharmacy, then set answer to end.","on_resend":"Reads the second order again."}
-- {"code":"EFFECT_HELD","sentence":"Another run is doing this right now: {operation}.","repair":"Nothing to do.","on_resend":"Checks whether it was done."}
-- {"code":"EFFECT_SETTLING","sentence":"{vendor} did not say whether it was done: {operation}. Clockwork checks again after a moment.","repair":"Nothing to do.","on_resend":"Checks at the vendor whether it was done."}
-- {"code":"EMAIL_IS_NO_PROOF","sentence":"{what} is in no row of registry.customers. Its email is that of customer {customers}. That proves nothing, because families share one.","repair":"Find out which customer it belongs to. Put that number into customer_id in data, then set answer to link. To make a new customer, set answer to new_customer.","on_resend":"Links the key to customer_id. A null customer_id makes a new customer."}
-- {"code":"ENDPOINT_SILENT","sentence":"{missing} of {total} messages of {vendor} ({kind}) never reached us. The nightly check found and recorded them.","repair":"Open the webhook endpoint in the vendor's dashboard. Check that it is switched on, subscribed to these messages, and has the right address. Check that its signing secret is the one of our environment. This closes by itself after a night in which most messages came. To check now, set answer to try_again.","on_resend":"Checks whether most messages have come since."}
-- {"code":"EVENTS_OUT_OF_REACH","sentence":"Clockwork did not hear of the events at Stripe between {from} and {until}. Stripe lists only its last {days} days.","repair":"Search Stripe's dashboard for refunds and disputes of that time. Act on them there and with the customers. To have the paid invoices read, set answer to read_invoices. If all of them are resolved, set answer to end.","on_resend":"Reads the invoices paid in that time. Each invoice that is new to Clockwork becomes an order, unless its money was given back. Refund beforehand each invoice that needs no order any more."}
-- {"code":"FACT_IS_PAST","sentence":"The order has gone beyond {fact}, so the CRM is told the later fact instead.","repair":"Nothing to do.","on_resend":"Reads the order again."}
-- {"code":"FACT_IS_TOO_OLD","sentence":"The CRM was not told {fact}, because it is over 72 hours old. The CRM starts nothing for so old an event.","repair":"If the customer should know, inform them in another way.","on_resend":"Checks its age again. The CRM is not told."}
-- {"code":"FILL_IN_QUESTION","sentence":"A person was asked about this fill.","repair":"Nothing to do here. Answer the question about its invoice.","on_resend":"Reads the invoice and the subscription at Stripe now."}
-- {"code":"FIRST_CHARGE_OPEN","sentence":"Subscription {subscription} was started for the first prescription of customer {customer}. Its first charge is not paid (status {status}).","repair":"Have the invoice paid or the subscription ended at Stripe, then set answer to try_again.","on_resend":"Reads the subscription again. No other one is started."}
-- {"code":"FREE_LINE","sentence":"The price {price} is free, and nobody has said whether it ships.","repair":"Set ships_free of the price in registry.product_keys, then set answer to ship or call_off.","on_resend":"Reads the price's key again. Asks again if nothing changed."}
-- {"code":"HEALTH_PATIENT_UNANSWERED","sentence":"The health record replies about other patients, but not about patient {patient} (customer {customer}).","repair":"Open the patient in the health record. If that fails too, ask its vendor. This closes by itself when a reply comes. To read it now, set answer to try_again.","on_resend":"Reads the patient in the health record again."}
-- {"code":"HEALTH_PATIENT_UNKNOWN","sentence":"The health record has no patient {patient} (customer {customer}).","repair":"Correct health_patient_id in registry.customers, then set answer to try_again.","on_resend":"Reads the patient in the health record again."}
-- {"code":"INTERNAL_ERROR","sentence":"Clockwork itself failed in this step ({error}).","repair":"Ask engineering, then set answer to try_again.","on_resend":"Runs the step again. A confirmed effect is not sent again."}
-- {"code":"INVALID_DATA","sentence":"The data of this task does not fit its step: {problem}.","repair":"Correct data, then set answer to try_again.","on_resend":"Runs the step with the corrected data."}
-- {"code":"INVOICE_NOT_FOUND","sentence":"Stripe does not know the invoice {invoice}.","repair":"Check that the webhook and the API key belong to the same Stripe account. Then set answer to try_again.","on_resend":"Reads the invoice at Stripe again."}
-- {"code":"INVOICE_NOT_PAID","sentence":"The invoice {invoice} is {status} at Stripe, so nothing is shipped for it.","repair":"Nothing to do.","on_resend":"Reads the invoice at Stripe again."}
-- {"code":"KEY_AND_REFERENCE_DIFFER","sentence":"{what} is in the row of customer {customer}, but names customer {other}.","repair":"If they are one person, add a task with the step customer.merge. If the key is in the wrong row, put it into the right row of registry.customers. Then set answer to end.","on_resend":"Does nothing while the key is in a row."}
-- {"code":"KEY_CAME_BACK","sentence":"{what} is in use again. It is a former key of customer {customer} ({why}).","repair":"If it belongs to that customer again, put the number into customer_id in data and set answer to link. Otherwise set answer to leave.","on_resend":"Links the key to customer_id. A former key never makes a new customer."}
-- {"code":"KEY_IS_ANOTHERS","sentence":"{what} belongs to customer {customer}.","repair":"If that is right, set answer to leave. If it is in the wrong row, put it into the right row of registry.customers, then set answer to try_again.","on_resend":"Checks again which customer has the key."}
-- {"code":"KEY_IS_GONE","sentence":"{what} no longer exists, so it belongs to nobody.","repair":"Nothing to do.","on_resend":"Checks again whether it exists."}
-- {"code":"KEY_RETIRED_IN_USE","sentence":"The {system} {key} is retired, but was still in use {used} times at the last count.","repair":"For a Stripe price, run npm run product:retire with it and the price that replaces it. For a treatment, have new prescriptions written under the new one. Then set answer to try_again. To leave it as it is, set answer to leave. Paid fills still ship.","on_resend":"Reads the registry and the last count again."}
-- {"code":"KEY_UNREGISTERED","sentence":"No product has the {system} {key}, which was in use {used} times at the last count.","repair":"Add it to registry.product_keys, then set answer to try_again. If it is nothing that the company ships, set answer to not_ours. It is then not asked about again.","on_resend":"Reads the registry and the last count again."}
-- {"code":"LOGIN_CHANGE_REFUSED","sentence":"Supabase Auth did not ask customer {customer} to confirm the login's new email (code {code}).","repair":"Open the user in the Supabase dashboard (Authentication) and resolve it there. Or ask the customer to change the email in the app. Then set answer to try_again.","on_resend":"Compares the login with the CRM again. If they still differ, has Supabase Auth ask the customer."}
-- {"code":"LOGIN_CONFIRMATION_OFF","sentence":"Supabase Auth takes a new email without a confirmation by mail, so no login's email is changed.","repair":"In the Supabase dashboard, turn on \"Confirm email\" (Authentication, Providers, Email). Then set answer to try_again.","on_resend":"Reads the setting again, then has Supabase Auth ask the customer."}
-- {"code":"LOGIN_EMAILS_SWAPPED","sentence":"The logins of customers {customer} and {other} each wait for the other's email. Further logins may be between them. Supabase Auth can change none of them first.","repair":"Agree with one of the customers on another address for the time being. Put it into the CRM, and have the customer confirm it. The other logins then change by themselves. After that, put the right address back into the CRM. To look now, set answer to try_again.","on_resend":"Checks whether one of the logins has changed."}
-- {"code":"LOGIN_EMAIL_NOT_FREE","sentence":"The new email of customer {customer} still belongs to another login (customer: {other}). The change waits until that login has its own new email.","repair":"Nothing to do. The other customer was asked to confirm.","on_resend":"Checks whether the email is free."}
-- {"code":"LOGIN_EMAIL_TAKEN","sentence":"The email that the CRM gives customer {customer} belongs to another login (customer: {other}).","repair":"Find out which of the two customers the address belongs to, and correct the email in the CRM. That runs this again by itself. If the other login belongs to nobody, delete it in the Supabase dashboard (Authentication) and set answer to try_again.","on_resend":"Checks whether the email is free."}
-- {"code":"LOGIN_MAIL_LIMIT","sentence":"Supabase Auth sends no more mails for now. It asks the customer to confirm the login's new email a little later.","repair":"Usually nothing. If it lasts, raise the limit of emails in the Supabase dashboard (Authentication, Rate Limits).","on_resend":"Has Supabase Auth ask the customer now."}
-- {"code":"LOGIN_NEEDS_CUSTOMER","sentence":"A second factor protects the login of customer {customer}, so only they can change its email.","repair":"Ask the customer to sign in and to change the login's email to the one in the CRM. Then set answer to try_again.","on_resend":"Compares the login with the CRM again."}
-- {"code":"LOGIN_NOT_CONFIRMED","sentence":"Supabase Auth asked customer {customer} {times} times by mail to confirm the login's new email. Nobody confirmed it.","repair":"Ask the customer whether the email in the CRM is right. If it is wrong, correct it in the CRM. That runs this again by itself. If it is right, have the customer change the login's email in the app, then set answer to try_again.","on_resend":"Compares the login with the CRM again."}
-- {"code":"LOGIN_UNKNOWN","sentence":"Supabase Auth has no user {login} (customer {customer}).","repair":"Correct login_user_id in registry.customers. If the login was deleted, empty that cell. Then set answer to try_again.","on_resend":"Reads the login again."}
-- {"code":"MERGE_KEYS_DIFFER","sentence":"Customers {from} and {into} both have a key in {system}: {one} and {other}.","repair":"For Stripe or the health record, merge or delete one of the two there, then set answer to try_again. For the others, give up the first customer's key: set answer to give_up_pharmacy, give_up_crm or give_up_login.","on_resend":"Reads the owners again, and merges the two if nothing prevents it."}
-- {"code":"MERGE_RENEWALS_COLLIDE","sentence":"Customers {from} and {into} both have an open renewal of product {product}.","repair":"In tracker.renewals, set state of one of them to CANCELLED. Then set answer of this task to try_again.","on_resend":"Merges the two if nothing prevents it."}
-- {"code":"METERED_LINE","sentence":"The price {price} is billed by use or by tiers, so its lines do not say how many parcels they pay for.","repair":"To ship its usual fills for each line, set answer to ship. If nothing is to be sent, set answer to call_off. Or set fills_per_charge of the price to 0.","on_resend":"Reads the invoice at Stripe again. Asks again if nothing changed."}
-- {"code":"MISSING_CUSTOMER_KEY","sentence":"Customer {customer} has no {column}.","repair":"Fill in that cell in registry.customers, then set answer to try_again.","on_resend":"Reads the key again, then goes on."}
-- {"code":"MOVE_CHANGED_BILLING","sentence":"Subscription {subscription} was moved to the price {price}. Afterwards this was not as before: {what}.","repair":"Read the subscription's events at Stripe. If the customer or a colleague changed it meanwhile, set answer to end. Otherwise correct it at Stripe, inform engineering, and set answer to try_again.","on_resend":"Reads the subscription again. It is not moved a second time."}
-- {"code":"NIGHT_UNFINISHED","sentence":"The nightly work {step} of {day} has not ended.","repair":"Find its task in ops.waiting. Find in ops.vendors a vendor that is paused or fails. The work goes on by itself, and each night begins anew. Once it has ended in one night, set answer to end. To begin now, set answer to try_again.","on_resend":"Does the work anew, now."}
-- {"code":"NOT_DUE_YET","sentence":"This order waits until {day}, the day of its fill.","repair":"Nothing to do.","on_resend":"Checks whether that day has come."}
-- {"code":"NOT_OURS","sentence":"Clockwork did not make the pharmacy order {order}.","repair":"Nothing to do.","on_resend":"Reads the pharmacy order again."}
-- {"code":"NOT_THE_FIRST_PRESCRIPTION","sentence":"Customer {customer} has a valid prescription {prescription} for product {product}, but never had a subscription for it. None was started, because {why}.","repair":"Ask the customer. To start the subscription and charge for it, set answer to start. Otherwise set answer to do_not_start.","on_resend":"Reads Stripe and the prescription again, and starts the subscription, once."}
-- {"code":"NOT_YET_VISIBLE","sentence":"{vendor} does not yet show the change that its own message reports.","repair":"While it is retried, there is nothing to do. Once it has stopped, check the change in the vendor's own dashboard, then set answer to try_again. If there is nothing to it, set answer to end.","on_resend":"Reads the vendor again."}
-- {"code":"NO_PAYMENT_METHOD","sentence":"Customer {customer} has no payment method at Stripe, so no subscription for product {product} was started.","repair":"Ask the customer to add one. The subscription is then started by itself. To try now, set answer to try_again. If the customer does not want the product, set answer to do_not_start.","on_resend":"Reads Stripe and the prescription again, and starts the subscription, once."}
-- {"code":"NO_SHIPPING_ADDRESS","sentence":"The health record has no complete shipping address for customer {customer}.","repair":"Have the address completed in the health record, then set answer to try_again.","on_resend":"Reads the address again, then goes on."}
-- {"code":"NO_VALID_PRESCRIPTION","sentence":"The customer has no valid prescription for this product: {why}. The order waits.","repair":"Have a prescription written. The order then goes on by itself.","on_resend":"Checks the prescriptions now."}
-- {"code":"ONE_OFF_LINE","sentence":"{amount} was paid for {price}, and no subscription asks for it.","repair":"To ship it, set answer to ship. If nothing is to be sent, set answer to call_off. To have it shipped each time, set one_off of the price in registry.product_keys.","on_resend":"Reads the invoice at Stripe again. Asks again if nothing changed."}
-- {"code":"ORDER_ALREADY_REPLACED","sentence":"Order {order} was already replaced by order {replacement}.","repair":"If that parcel is lost too, put the replacement's number into order_id in data and set answer to try_again. Otherwise set answer to end.","on_resend":"Reads the order again."}
-- {"code":"ORDER_CALLED_OFF","sentence":"Order {order} was cancelled before it was placed, because {why}.","repair":"Nothing to do. If it should ship after all (a won dispute), add a task with the step order.replace and {\"order_id\": <its number>} as data.","on_resend":"Reads the order again. It stays cancelled."}
-- {"code":"ORDER_NOT_FOUND","sentence":"The table tracker.orders has no order {order}.","repair":"Correct order_id in data, then set answer to try_again.","on_resend":"Searches for the order again."}
-- {"code":"ORDER_STILL_LIVE","sentence":"Order {order} is {state}, so it is not replaced.","repair":"Wait until the order has ended, then set answer to try_again. If the parcel is lost, set answer to lost.","on_resend":"Reads the order again."}
-- {"code":"OUTCOME_UNKNOWN","sentence":"{vendor} never said whether it was done, and cannot be asked: {operation}.","repair":"Search for it in the vendor's dashboard. If it was not done, set answer to not_done.","on_resend":"Does it again."}
-- {"code":"PAID_AFTER_ALL","sentence":"Order {order} was cancelled because its money went back. The money is here again.","repair":"To ship it after all, set answer to ship. Otherwise give the money back at Stripe, and set answer to give_back.","on_resend":"Places the fill again, under a new reference."}
-- {"code":"PARCEL_RETURNED","sentence":"The parcel of order {order} came back.","repair":"Check the address with the customer. For a replacement, set answer to send_again. After a refund, set answer to give_back.","on_resend":"Places a replacement order, once."}
-- {"code":"PARTIAL_REFUND","sentence":"{back} of {total} went back, and nothing says for which fills.","repair":"To ship the fills that are not sent, set answer to ship. To call them off, set answer to call_off.","on_resend":"Reads the money at Stripe again. Asks again if nothing changed."}
-- {"code":"PATIENT_MERGE_UNCLEAR","sentence":"The health record says that {what} was replaced. Its replacement is unclear: {problem}.","repair":"Have the patient corrected in the health record. The event of that correction ends this. To read it now, set answer to try_again. If this task is still here after the correction, set answer to end.","on_resend":"Reads the patient in the health record again."}
-- {"code":"PATIENT_OF_NOBODY","sentence":"{what} is in no row of registry.customers and names no customer.","repair":"Find out which customer it belongs to. Put that number into customer_id in data, then set answer to link. To make a new customer, set answer to new_customer. If it is no customer of ours, set answer to not_ours. It is then not asked about again.","on_resend":"Links the patient to customer_id. A null customer_id makes a new customer."}
-- {"code":"PAYMENT_NOT_TOLD","sentence":"The CRM is not told of the failed payment, because {why}.","repair":"Nothing to do.","on_resend":"Reads the invoice and the subscription at Stripe again."}
-- {"code":"PHARMACY_CANCELLED","sentence":"The pharmacy cancelled order {order} without our request.","repair":"Call the pharmacy. For a replacement, set answer to send_again. After a refund, set answer to give_back.","on_resend":"Places a replacement order, once."}
-- {"code":"PHARMACY_FAILED","sentence":"The pharmacy could not fill order {order}.","repair":"Call the pharmacy. For a replacement, set answer to send_again. After a refund, set answer to give_back.","on_resend":"Places a replacement order, once."}
-- {"code":"PHARMACY_NEEDS_ATTENTION","sentence":"The pharmacy keeps order {order} back until somebody replies.","repair":"Open the order in the pharmacy's portal and resolve it there. Then set answer to try_again.","on_resend":"Reads the pharmacy order again."}
-- {"code":"PRESCRIPTION_FOR_UNKNOWN_PRODUCT","sentence":"Prescription {prescription} of customer {customer} is for none of our products: {why}.","repair":"Open it in the health record. If we sell it, add its RxNorm code to registry.product_keys and set answer to try_again. If not, set answer to not_ours.","on_resend":"Reads the customer's prescriptions again, and starts the subscriptions that follow from them."}
-- {"code":"PRESCRIPTION_NOT_AT_PHARMACY","sentence":"The prescription is on file, but the pharmacy does not have it with a fill left. The order waits.","repair":"Usually nothing. After a day, ask the prescriber to send it to the pharmacy.","on_resend":"Reads the prescriptions at the pharmacy now."}
-- {"code":"PRESCRIPTION_NOT_VALID_YET","sentence":"Prescription {prescription} is valid from {day} on. The subscription is started then.","repair":"Nothing to do.","on_resend":"Checks whether that day has come."}
-- {"code":"PRESCRIPTION_UNCLEAR","sentence":"The prescription on file does not count as valid, because {what} is missing or unclear.","repair":"Have the prescription completed in the health record, then set answer to try_again.","on_resend":"Checks the prescriptions again."}
-- {"code":"PRICE_NOT_SOLD","sentence":"Stripe no longer sells at the price {price}, so no subscription can be moved to it.","repair":"Activate the price at Stripe, then set answer to try_again.","on_resend":"Reads the price at Stripe again, then goes on."}
-- {"code":"PRODUCT_HAS_NO_CODE","sentence":"Product {product} has no rxnorm key, so no prescription can be for it.","repair":"Add its RxNorm codes to registry.product_keys, then set answer to try_again.","on_resend":"Checks the prescriptions again."}
-- {"code":"PRODUCT_LEFT","sentence":"A fill that is paid for ({bought}) is not what the subscription {subscription} asks for now ({now}). Nothing went back for it.","repair":"To ship the fill all the same, set answer to ship. To call it off, give the money back at Stripe and set answer to call_off.","on_resend":"Reads the subscription at Stripe again. Asks again if nothing changed."}
-- {"code":"PRODUCT_NOT_SOLD","sentence":"Customer {customer} has a first prescription for product {product}. That product is retired in registry.products, so no subscription was started.","repair":"If it is sold after all, set status of the product to active and answer of this task to try_again. Otherwise have another product prescribed and set answer to do_not_start.","on_resend":"Checks again, and starts the subscription if the product is sold."}
-- {"code":"REFERENCES_DIFFER","sentence":"{what} leads to more than one customer: {customers}.","repair":"If they are one person, add a task with the step customer.merge. If not, put the right number into customer_id in data. Then set answer to link. If it belongs to none of them, set answer to new_customer.","on_resend":"Links the key to customer_id. A null customer_id makes a new customer."}
-- {"code":"REFERENCE_LEADS_NOWHERE","sentence":"{what} names a customer that registry.customers does not have ({reference}).","repair":"Find out which customer it belongs to. Put that number into customer_id in data, then set answer to link. To make a new customer, set answer to new_customer.","on_resend":"Links the key to customer_id. A null customer_id makes a new customer."}
-- {"code":"REFILL_DATES_UNKNOWN","sentence":"The due day of subscription {subscription} is unknown. In prescription {prescription}, {what} is missing or unclear.","repair":"Have the prescription completed in the health record. That closes this by itself. To look now, set answer to try_again.","on_resend":"Reads the prescription again."}
-- {"code":"REFILL_TWICE","sentence":"Customer {customer} pays twice for the same product: by subscription {other} and by subscription {subscription}.","repair":"Ask the customer, and end one of them at Stripe. That closes this by itself. If both are wanted, make them one with a quantity of 2. To look now, set answer to try_again.","on_resend":"Reads the subscriptions again."}
-- {"code":"REFILL_UNCLEAR","sentence":"Subscription {subscription} is active, but {what}. Its refills or their days are unknown.","repair":"Correct the subscription (or its price) at Stripe, or end it. Each of them closes this by itself. To look now, set answer to try_again.","on_resend":"Reads the subscription again."}
-- {"code":"REFILL_WITHOUT_PRESCRIPTION","sentence":"Subscription {subscription} is active, but {why}.","repair":"Have a prescription written for the product, or end the subscription at Stripe. Each of them closes this by itself. To look now, set answer to try_again.","on_resend":"Reads the prescriptions again."}
-- {"code":"RENEWAL_LAPSED","sentence":"The prescription behind subscription {subscription} was not renewed in time.","repair":"Talk to the customer and the prescriber. A new prescription closes this by itself. The end of the subscription closes it too. To look now, set answer to try_again.","on_resend":"Checks again whether it was renewed."}
-- {"code":"RENEWAL_NOT_NEEDED","sentence":"The renewal is over or the subscription is no longer active, so the customer gets no mail.","repair":"Nothing to do.","on_resend":"Checks the renewal again."}
-- {"code":"SHIPPED_AFTER_CANCEL","sentence":"Order {order} was cancelled, but the pharmacy shipped it.","repair":"Inform the customer and the pharmacy, then set answer to end.","on_resend":"Reads the order again."}
-- {"code":"STRIPE_CUSTOMER_UNKNOWN","sentence":"Stripe has no customer {key}, the stripe_customer_id of customer {customer}.","repair":"Correct stripe_customer_id in registry.customers. If the customer was deleted at Stripe on purpose, empty that cell. Then set answer to try_again.","on_resend":"Reads the customer at Stripe again."}
-- {"code":"STUB_LINE","sentence":"{amount} was paid for the time up to the first billing date of {price}, which is less than half a period.","repair":"To ship its fills, set answer to ship. If nothing is to be sent, set answer to call_off.","on_resend":"Reads the invoice at Stripe again. Asks again if nothing changed."}
-- {"code":"SUBSCRIBED_TWICE","sentence":"Customer {customer} has two subscriptions for product {product} at Stripe: {first} and {second}.","repair":"Ask the customer, cancel one of them at Stripe and refund it. Then set answer to try_again.","on_resend":"Checks again whether there are two."}
-- {"code":"SUBSCRIPTION_ENDS","sentence":"The subscription {subscription} ends on {until}, before this paid fill is due.","repair":"To ship the fill all the same, set answer to ship. To call it off, give the money back at Stripe and set answer to call_off.","on_resend":"Reads the subscription at Stripe again. Asks again if nothing changed."}
-- {"code":"SUBSCRIPTION_INCOMPLETE","sentence":"The first payment of the subscription is being confirmed. The order waits.","repair":"Nothing to do. The order ships when the subscription is active.","on_resend":"Reads the subscription at Stripe now."}
-- {"code":"SUBSCRIPTION_NOT_ACTIVE","sentence":"The subscription {subscription} is {status} at Stripe, though a fill is paid for.","repair":"To ship the fill all the same, set answer to ship. To call it off, give the money back at Stripe and set answer to call_off.","on_resend":"Reads the subscription at Stripe again. Asks again if nothing changed."}
-- {"code":"SUBSCRIPTION_PAUSED","sentence":"The customer paused the subscription. The order waits.","repair":"Nothing to do. The order ships when the customer resumes.","on_resend":"Reads the subscription at Stripe now."}
-- {"code":"SUBSCRIPTION_STARTS_LATER","sentence":"The subscription for a first prescription of product {product} is started at {time}, unless there is one by then.","repair":"Nothing to do. To prevent the start, set status to CANCELLED.","on_resend":"Reads Stripe and the prescription now, and starts the subscription, once."}
-- {"code":"SUBSCRIPTION_STATUS_UNKNOWN","sentence":"Subscription {subscription} has the status {status} at Stripe, which Clockwork does not know.","repair":"Ask engineering about the meaning of this status for refills. To look now, set answer to try_again.","on_resend":"Reads the subscription at Stripe again."}
-- {"code":"SWITCHED_LINE","sentence":"{amount} was paid for the rest of a period of {price}, in which no fill is due.","repair":"To ship one fill now, set answer to ship. If it goes with the next charge, set answer to call_off. To have it done so each time, set on_switch of the price in registry.product_keys.","on_resend":"Reads the invoice at Stripe again. Asks again if nothing changed."}
-- {"code":"UNKNOWN_CUSTOMER","sentence":"No customer has {column} {key}.","repair":"Put the key into the customer's row in registry.customers, or add a row for a new customer. Then set answer to try_again.","on_resend":"Searches for the customer again, then goes on."}
-- {"code":"UNKNOWN_EVENT","sentence":"No step handles {step} yet.","repair":"Nothing to do. If this event should start something, ask engineering for a step.","on_resend":"Runs the step, once there is one."}
-- {"code":"UNKNOWN_ORDER","sentence":"The pharmacy has an order with our reference {reference}, which is in no row of tracker.orders.","repair":"Ask engineering. The database may have been restored to an earlier moment. Once the order is there, set answer to try_again.","on_resend":"Searches for the order again."}
-- {"code":"UNKNOWN_PRODUCT","sentence":"No product has the {system} {key}.","repair":"Add the key to registry.product_keys, then set answer to try_again.","on_resend":"Searches for the product again, then goes on."}
-- {"code":"UNKNOWN_STEP","sentence":"No step is called {step}.","repair":"If the name was mistyped, set answer to end and add a task with the right name. Otherwise ask engineering. Once the step exists, set answer to try_again.","on_resend":"Runs the step, once there is one."}
-- {"code":"UNREADABLE_EVENT","sentence":"{source} sent a signed message that cannot be read ({bytes} bytes, SHA-256 {sha256}).","repair":"Ask engineering to compare it with the vendor's own delivery log. Then set answer to end.","on_resend":"Does nothing, because the message was not kept."}
-- {"code":"VENDOR_PAUSED","sentence":"{vendor} is paused.","repair":"Nothing to do. To go on at once, clear paused_until in clockwork.vendors.","on_resend":"Waits for the pause to end."}
-- {"code":"VENDOR_REFUSED","sentence":"{vendor} refused: {operation} (status {status}, code {code}).","repair":"Find the cause in the vendor's own dashboard and resolve it there. Then set answer to try_again.","on_resend":"Sends the request again. A confirmed effect is not sent again."}
-- {"code":"VENDOR_UNANSWERED","sentence":"{vendor} did not reply: {operation}.","repair":"While it is retried, there is nothing to do. Once it has stopped, check the vendor's status page, then set answer to try_again.","on_resend":"Checks at the vendor whether it was done, and does it only if it was not."}

-- rows of clockwork.settings
-- {"only_row":true,"maintenance":false,"ship_within":"3 days","deliver_within":"7 days","pharmacy_time_zone":"America/New_York","clock_offset":"00:00:00","remind_days_before":[14,5],"drift_secret":"<drawn>","drift_settle_minutes":15,"drift_again_times":3,"drift_again_days":14,"drift_questions_at_most":20,"subscription_wait":"00:15:00","began_at":"<moment>","endpoint_silent_share":0.6,"endpoint_silent_at_least":5}

-- rows of clockwork.task_moves
-- {"from_status":"CANCELLED","to_status":"PENDING","by_person":true,"by_machinery":false,"meaning":"run it after all"}
-- {"from_status":"DONE","to_status":"PENDING","by_person":true,"by_machinery":false,"meaning":"run it again; no effect is done twice"}
-- {"from_status":"MANUAL_INTERVENTION","to_status":"CANCELLED","by_person":true,"by_machinery":false,"meaning":"cancel it"}
-- {"from_status":"MANUAL_INTERVENTION","to_status":"PENDING","by_person":true,"by_machinery":true,"meaning":"run it again"}
-- {"from_status":"PARKED","to_status":"CANCELLED","by_person":true,"by_machinery":false,"meaning":"cancel it"}
-- {"from_status":"PARKED","to_status":"PENDING","by_person":true,"by_machinery":false,"meaning":"run it, now that a step exists"}
-- {"from_status":"PENDING","to_status":"CANCELLED","by_person":true,"by_machinery":false,"meaning":"cancel it"}
-- {"from_status":"PENDING","to_status":"QUEUED","by_person":false,"by_machinery":true,"meaning":"the drain takes it"}
-- {"from_status":"QUEUED","to_status":"CANCELLED","by_person":true,"by_machinery":true,"meaning":"cancel it"}
-- {"from_status":"QUEUED","to_status":"DONE","by_person":false,"by_machinery":true,"meaning":"its work is done"}
-- {"from_status":"QUEUED","to_status":"MANUAL_INTERVENTION","by_person":false,"by_machinery":true,"meaning":"a person is needed"}
-- {"from_status":"QUEUED","to_status":"PARKED","by_person":false,"by_machinery":true,"meaning":"it has no step"}
-- {"from_status":"QUEUED","to_status":"PENDING","by_person":true,"by_machinery":true,"meaning":"give up the current try and start over"}

-- rows of clockwork.vendors
-- {"vendor":"crm","paused_until":null,"paused_reason":null,"rate_per_second":50,"concurrency":8,"retry_limit":20,"retry_delay_seconds":5,"retry_delay_max_seconds":1800,"failures_in_a_row":0,"last_success_at":null,"last_failure_at":null,"leased_by":null,"leased_until":null}
-- {"vendor":"health","paused_until":null,"paused_reason":null,"rate_per_second":50,"concurrency":8,"retry_limit":20,"retry_delay_seconds":5,"retry_delay_max_seconds":1800,"failures_in_a_row":0,"last_success_at":null,"last_failure_at":null,"leased_by":null,"leased_until":null}
-- {"vendor":"internal","paused_until":null,"paused_reason":null,"rate_per_second":1000,"concurrency":8,"retry_limit":20,"retry_delay_seconds":5,"retry_delay_max_seconds":1800,"failures_in_a_row":0,"last_success_at":null,"last_failure_at":null,"leased_by":null,"leased_until":null}
-- {"vendor":"login","paused_until":null,"paused_reason":null,"rate_per_second":10,"concurrency":2,"retry_limit":20,"retry_delay_seconds":5,"retry_delay_max_seconds":1800,"failures_in_a_row":0,"last_success_at":null,"last_failure_at":null,"leased_by":null,"leased_until":null}
-- {"vendor":"pharmacy","paused_until":null,"paused_reason":null,"rate_per_second":10,"concurrency":4,"retry_limit":20,"retry_delay_seconds":5,"retry_delay_max_seconds":1800,"failures_in_a_row":0,"last_success_at":null,"last_failure_at":null,"leased_by":null,"leased_until":null}
-- {"vendor":"stripe","paused_until":null,"paused_reason":null,"rate_per_second":20,"concurrency":8,"retry_limit":20,"retry_delay_seconds":5,"retry_delay_max_seconds":1800,"failures_in_a_row":0,"last_success_at":null,"last_failure_at":null,"leased_by":null,"leased_until":null}

-- rows of tracker.move_findings
-- {"finding":"CALLED_OFF","meaning":"The old price is no longer marked as replaced by the new one (registry.product_keys)."}
-- {"finding":"ELSEWHERE","meaning":"It has neither of the two prices any more."}
-- {"finding":"ENDED","meaning":"The subscription has ended."}
-- {"finding":"FREE_TO_PAID","meaning":"The old price is free and the new one is not. Stripe would charge at once. Agree it with the customer, then change it at Stripe."}
-- {"finding":"INCOMPLETE","meaning":"Its first payment was never made, so Stripe allows no change. It ends by itself within a day."}
-- {"finding":"METERED","meaning":"It is charged by use and not by quantity. Change it at Stripe."}
-- {"finding":"MOVED_BACK","meaning":"It was moved, and somebody moved it back at Stripe. To move it once more, run the command again."}
-- {"finding":"OTHER_CURRENCY","meaning":"The new price is in another currency. The customer needs a new subscription."}
-- {"finding":"OTHER_INTERVAL","meaning":"The new price has another interval. Stripe would charge at once and change the billing date. Agree it with the customer, then change it at Stripe."}
-- {"finding":"OTHER_ITEMS","meaning":"It pays for something else too. Change it at Stripe."}
-- {"finding":"PENDING_UPDATE","meaning":"A change at Stripe waits for its payment. Run the command again after that payment."}
-- {"finding":"PRICE_TWICE","meaning":"It has the old price twice, or both prices. Correct it at Stripe."}
-- {"finding":"SCHEDULED","meaning":"A schedule at Stripe decides its price. Change the schedule at Stripe."}
-- {"finding":"UNKNOWN_STATUS","meaning":"It has a status that Clockwork does not know. Ask engineering."}

-- rows of tracker.order_states
-- {"state":"AWAITING_PRESCRIPTION","rank":10,"meaning":"paid for, but there is no valid prescription; it is checked again and again"}
-- {"state":"AWAITING_SUBSCRIPTION","rank":10,"meaning":"paid for, but the customer paused; it ships when the customer resumes"}
-- {"state":"CANCELLED","rank":35,"meaning":"cancelled; nothing ships"}
-- {"state":"DELIVERED","rank":50,"meaning":"arrived"}
-- {"state":"FAILED","rank":33,"meaning":"the pharmacy could not fill it"}
-- {"state":"FILLING","rank":30,"meaning":"the pharmacy is filling it"}
-- {"state":"HELD","rank":10,"meaning":"paid for, but in question; it waits until the question is answered or is over"}
-- {"state":"OUT_FOR_DELIVERY","rank":45,"meaning":"arrives today"}
-- {"state":"PLACED","rank":20,"meaning":"the pharmacy has the order"}
-- {"state":"READY","rank":10,"meaning":"paid for; it is placed when its day has come"}
-- {"state":"RETURNED","rank":60,"meaning":"came back"}
-- {"state":"SHIPPED","rank":40,"meaning":"on its way"}

-- rows of tracker.refill_findings
-- {"finding":"COVERED","is_issue":false,"meaning":"A valid prescription covers it."}
-- {"finding":"DATES_UNKNOWN","is_issue":true,"meaning":"A prescription is on file, but its expiry, its fills or its days' supply are missing or unclear."}
-- {"finding":"ENDING","is_issue":false,"meaning":"The customer cancelled it; it ends with the period that is paid for."}
-- {"finding":"EXPIRED","is_issue":true,"meaning":"Its prescription has expired."}
-- {"finding":"EXPIRES","is_issue":false,"meaning":"Its prescription expires soon."}
-- {"finding":"INACTIVE","is_issue":false,"meaning":"It is not active at Stripe."}
-- {"finding":"NO_FILLS_LEFT","is_issue":true,"meaning":"Its prescription has zero fills left."}
-- {"finding":"NO_PRESCRIPTION","is_issue":true,"meaning":"There is no active prescription on file."}
-- {"finding":"PAUSED","is_issue":false,"meaning":"The customer paused it."}
-- {"finding":"PAUSED_FOR_RENEWAL","is_issue":true,"meaning":"The prescription lapsed, so billing is paused until it is renewed."}
-- {"finding":"RUNS_OUT","is_issue":false,"meaning":"The fills of its prescription will be used up soon."}
-- {"finding":"UNCLEAR","is_issue":true,"meaning":"Its refills or their days are unknown."}
-- {"finding":"UNKNOWN_CUSTOMER","is_issue":true,"meaning":"Its customer is not in the registry, or has no patient in the health record."}
-- {"finding":"UNKNOWN_PRODUCT","is_issue":true,"meaning":"Its price belongs to no product."}
-- {"finding":"UNKNOWN_STATUS","is_issue":true,"meaning":"Stripe gives it a status that Clockwork does not know."}
-- {"finding":"WRONG_PRODUCT","is_issue":true,"meaning":"There are prescriptions on file, but none for this product."}

-- rows of tracker.renewal_moves
-- {"from_state":"CONTACTED","to_state":"CANCELLED"}
-- {"from_state":"CONTACTED","to_state":"LAPSED"}
-- {"from_state":"CONTACTED","to_state":"RENEWED"}
-- {"from_state":"LAPSED","to_state":"CANCELLED"}
-- {"from_state":"LAPSED","to_state":"CONTACTED"}
-- {"from_state":"LAPSED","to_state":"RENEWED"}
-- {"from_state":"LAPSED","to_state":"SCHEDULED"}
-- {"from_state":"SCHEDULED","to_state":"CANCELLED"}
-- {"from_state":"SCHEDULED","to_state":"CONTACTED"}
-- {"from_state":"SCHEDULED","to_state":"LAPSED"}
-- {"from_state":"SCHEDULED","to_state":"RENEWED"}

-- rows of tracker.renewal_states
-- {"state":"CANCELLED","is_open":false,"meaning":"the customer ended the subscription, or a person ended the renewal"}
-- {"state":"CONTACTED","is_open":true,"meaning":"the customer was asked; reminders follow"}
-- {"state":"LAPSED","is_open":true,"meaning":"not renewed in time: a person is asked, and billing is paused"}
-- {"state":"RENEWED","is_open":false,"meaning":"a prescription covers the refill: a new one, or one that got fills or time"}
-- {"state":"SCHEDULED","is_open":true,"meaning":"the customer will be asked to renew on start_on"}
