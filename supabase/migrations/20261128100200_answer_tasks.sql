-- Purpose: a person answers a stopped task by one cell, `answer`. The choice's status and data follow in the same update.
-- Touches: clockwork.tasks (answer, its constraint, the index on facts), clockwork.choose(), clockwork.guard_task().
-- Watch: guard_task() runs for each update of a task. It asks for choices only where `answer` changes.

alter table clockwork.tasks add column answer text;
alter table clockwork.tasks
  add constraint an_open_question_has_no_answer check (status <> 'MANUAL_INTERVENTION' or answer is null);

comment on table clockwork.tasks is 'All work. To answer a stopped task, set answer. To run a task again, set status to PENDING. To cancel it, set status to CANCELLED. data may be edited while status is MANUAL_INTERVENTION.';
comment on column clockwork.tasks.answer is 'A person''s choice of those in ops.manual_intervention. Set it while status is MANUAL_INTERVENTION: status and data follow.';

-- The answers to a question about the same facts, of every status: src/shared/queue/answers.ts.
create index tasks_by_facts on clockwork.tasks ((data ->> 'facts'), step) where data ->> 'facts' is not null;

create function clockwork.choose(was clockwork.tasks, task clockwork.tasks) returns clockwork.tasks
language plpgsql stable set search_path = ''
as $$
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
$$;
comment on function clockwork.choose is 'The task with the status and the data of its new answer. An answer that is none of its choices is refused.';

-- The changes that a person or the machinery may make, and the tidying that a change of status brings with it.
create or replace function clockwork.guard_task() returns trigger
language plpgsql set search_path = ''
as $$
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
$$;
