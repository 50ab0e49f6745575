/** Rows for one table, as the company would have them. Put in when the table is there, and once. */
interface Rows {
  table: string;
  /** Names only columns that the table was born with, so that it works at every later version too. */
  sql: string;
}

/** In an order that their references allow. A new table that no migration fills needs its rows here: a test asks. */
export const REPRESENTATIVE_ROWS: readonly Rows[] = [
  {
    table: "registry.customers",
    sql:
      `insert into registry.customers (email, stripe_customer_id, health_patient_id, pharmacy_patient_id, crm_person_id)
      values ('ada@example.com', 'cus_1', 'patient-1', 'pat_1', 'person-1'),
        ('bob@example.com', 'cus_2', null, null, null), (null, null, 'patient-3', null, null)`,
  },
  {
    table: "registry.products",
    sql:
      "insert into registry.products (name, status) values ('Morning tablets', 'active'), ('Old pen', 'retired')",
  },
  {
    table: "registry.product_keys",
    sql: `insert into registry.product_keys (system, key, product_id, fills_per_charge)
      select kind.system, format('%s-%s', kind.system, products.id), products.id,
        case when kind.system = 'stripe_price' then 3 end
      from registry.products
      cross join unnest(array['stripe_price', 'rxnorm', 'pharmacy_treatment', 'crm']::registry.key_system[]) as kind (system)`,
  },
  {
    table: "registry.price_choices",
    sql: `insert into registry.price_choices (customer_id, product_id, price)
      select customers.id, product_keys.product_id, product_keys.key
      from registry.product_keys
      cross join (select min(customers.id) as id from registry.customers) as customers
      where product_keys.system = 'stripe_price'`,
  },
  {
    table: "clockwork.tasks",
    // Each status twice: with a story behind it (customer, invoice, the task that caused it), and bare.
    sql:
      `insert into clockwork.tasks (status, step, key, data, attempts, customer_id, invoice_id, caused_by, reason, reason_code,
        job_id, done_at, run_after)
      select all_statuses.status, 'stripe.invoice.paid', format('evt_%s_%s', all_statuses.status, story.told),
        '{"invoice_id": "in_1", "unicode": "é☃"}', 3, case when story.told then customers.id end,
        case when story.told then 'in_1' end, null,
        case when all_statuses.status in ('MANUAL_INTERVENTION', 'PARKED') then 'No product has the stripe_price x.' end,
        case when all_statuses.status in ('MANUAL_INTERVENTION', 'PARKED') then 'UNKNOWN_PRODUCT' end,
        case when all_statuses.status = 'QUEUED' then gen_random_uuid() end,
        case when all_statuses.status = 'DONE' then clockwork.now() end,
        clockwork.now() + interval '3 days'
      from unnest(enum_range(null::clockwork.task_status)) as all_statuses (status)
      cross join (values (true), (false)) as story (told)
      cross join (select min(customers.id) as id from registry.customers) as customers;
      insert into clockwork.tasks (step, key, caused_by)
      select 'order.place', tasks.id || ':1', tasks.id from clockwork.tasks where tasks.status = 'DONE'`,
  },
  {
    table: "clockwork.task_history",
    // By the trigger, as a person at the table editor and the machinery make it.
    sql:
      `update clockwork.tasks set status = 'PENDING' where tasks.status in ('MANUAL_INTERVENTION', 'CANCELLED') and tasks.customer_id is null;
      select set_config('clockwork.actor', 'clockwork:test', true);
      update clockwork.tasks set status = 'QUEUED', job_id = gen_random_uuid() where tasks.step = 'order.place'`,
  },
  {
    table: "registry.former_keys",
    sql: `insert into registry.former_keys (customer_id, system, key, why)
      select customers.id, 'stripe', 'cus_was_' || why, why
      from unnest(array['merged', 'deleted', 'replaced']) as why
      cross join (select min(customers.id) as id from registry.customers) as customers`,
  },
  {
    table: "tracker.check_runs",
    // One in each state.
    sql:
      `insert into tracker.check_runs (work, vendor, state, window_from, window_until, pages, seen, missing, repaired, task_id, ended_at)
      select 'completeness', 'stripe', run.state, clockwork.now() - interval '1 day', clockwork.now(), 2, 20, 1, 1,
        tasks.id, case when run.state <> 'RUNNING' then clockwork.now() end
      from unnest(array['RUNNING', 'DONE', 'UNFINISHED']) as run (state)
      cross join (select min(tasks.id) as id from clockwork.tasks) as tasks`,
  },
  {
    table: "tracker.product_counts",
    sql: `insert into tracker.product_counts (run_id, system, key, in_use, paused)
      select check_runs.id, counted.system, 'key_1', 5, 1 from tracker.check_runs
      cross join unnest(array['stripe_price', 'pharmacy_treatment']::registry.key_system[]) as counted (system)`,
  },
  {
    table: "tracker.price_retirements",
    // One that was gone through, one that is under way.
    sql:
      `insert into tracker.price_retirements (from_price, to_price, page, listed_at, at_most, queued, moves_per_second, next_move_at)
      values ('price_old', 'price_new', 1, clockwork.now(), 5, 2, 2, clockwork.now()),
        ('price_older', 'price_new', 0, null, null, 0, 0.5, null)`,
  },
  {
    table: "tracker.price_moves",
    // One in each state.
    sql:
      `insert into tracker.price_moves (retirement_id, subscription_id, subscription_item_id, state, finding,
        anchor_before, due_before, paused_before, due_after, settled_at)
      select retirements.id, 'sub_1', 'si_' || move.state, move.state, case move.state when 'NOT_MOVED' then 'SCHEDULED' end,
        clockwork.now(), clockwork.now(), false, clockwork.now(), case when move.state <> 'WAITING' then clockwork.now() end
      from unnest(array['WAITING', 'MOVED', 'ALREADY_THERE', 'NOT_MOVED']) as move (state)
      cross join (select min(price_retirements.id) as id from tracker.price_retirements) as retirements`,
  },
  {
    table: "tracker.drift",
    // One put right, and one not yet.
    sql:
      `insert into tracker.drift (customer_id, fact, owner, system, attribute, owner_hash, mirror_hash, repaired_at, run_id, task_id)
      select customers.id, 'plan', 'stripe', 'crm', 'plan_state', repeat('0a', 32), repeat('f1', 32), done.at, check_runs.id,
        check_runs.task_id
      from (select min(check_runs.id) as id, min(check_runs.task_id) as task_id from tracker.check_runs) as check_runs
      cross join (select min(customers.id) as id from registry.customers) as customers
      cross join (values (clockwork.now()), (null)) as done (at)`,
  },
  {
    table: "tracker.drift_looks",
    sql: `insert into tracker.drift_looks (customer_id, vendor, run_id)
      select customers.id, 'stripe', check_runs.id
      from registry.customers
      cross join (select min(check_runs.id) as id from tracker.check_runs) as check_runs`,
  },
  {
    table: "clockwork.effects",
    sql:
      `insert into clockwork.effects (vendor, operation, key, state, reference, task_id, leased_until, settled_at)
      select 'pharmacy', 'create order', outcome.state, outcome.state, case outcome.state when 'CONFIRMED' then 'ord_1' end,
        tasks.id, case outcome.state when 'INTENT' then clockwork.now() end,
        case when outcome.state <> 'INTENT' then clockwork.now() end
      from (values ('INTENT'), ('CONFIRMED'), ('REFUSED')) as outcome (state)
      cross join (select min(tasks.id) as id from clockwork.tasks) as tasks`,
  },
  {
    table: "tracker.orders",
    // One in each state, and one that is to be cancelled.
    sql:
      `insert into tracker.orders (state, customer_id, product_id, invoice_id, invoice_line_id, subscription_id, fill_number,
        fill_on, pharmacy_order_id, cancel_requested_at, cancel_cause)
      select order_states.state, customers.id, products.id, 'in_1', 'il_' || order_states.state, 'sub_1', 1,
        clockwork.now(), case when order_states.rank >= 20 then 'ord_' || order_states.state end,
        case order_states.state when 'CANCELLED' then clockwork.now() end, case order_states.state when 'CANCELLED' then 'refunded' end
      from tracker.order_states
      cross join (select min(customers.id) as id from registry.customers) as customers
      cross join (select min(products.id) as id from registry.products) as products`,
  },
  {
    table: "tracker.first_prescriptions",
    // One for each finding; one may be had per customer and product.
    sql:
      `insert into tracker.first_prescriptions (customer_id, product_id, finding, prescription_id, subscription_id)
      select pairs.customer_id, pairs.product_id, found.finding, 'rx_' || found.finding,
        case when found.finding in ('STARTED', 'SUBSCRIBED') then 'sub_1' end
      from unnest(array['NO_PRICE', 'STARTING', 'STARTED', 'SUBSCRIBED', 'ENDED']) with ordinality as found (finding, nth)
      join (
        select customers.id as customer_id, products.id as product_id, row_number() over (order by customers.id, products.id) as nth
        from registry.customers cross join registry.products
      ) as pairs on pairs.nth = found.nth`,
  },
  {
    table: "tracker.refills",
    // One for each finding.
    sql:
      `insert into tracker.refills (subscription_item_id, subscription_id, customer_id, product_id, prescription_id,
        finding, what, other_prescriptions, due_on, start_on)
      select 'si_' || refill_findings.finding, 'sub_' || refill_findings.finding, customers.id, products.id, 'rx_1',
        refill_findings.finding, case refill_findings.finding when 'DATES_UNKNOWN' then 'the days'' supply' end, 1,
        clockwork.now() + interval '40 days', clockwork.now() + interval '10 days'
      from tracker.refill_findings
      cross join (select min(customers.id) as id from registry.customers) as customers
      cross join (select min(products.id) as id from registry.products) as products`,
  },
  {
    table: "tracker.renewals",
    // One in each state; only one may be open.
    sql: `insert into tracker.renewals (state, customer_id, product_id, subscription_id, subscription_item_id,
        prescription_id, cause, opened_by, due_on, start_on, next_on, contacted_at, lapsed_at, closed_at, closed_because)
      select renewal_states.state, customers.id, products.id, 'sub_1', 'si_RUNS_OUT', 'rx_' || renewal_states.state, 'RUNS_OUT',
        'renewal.find', clockwork.now() + interval '40 days', clockwork.now() + interval '10 days',
        case when renewal_states.is_open then clockwork.now() + interval '10 days' end, clockwork.now(),
        case renewal_states.state when 'LAPSED' then clockwork.now() end,
        case when not renewal_states.is_open then clockwork.now() end,
        case when not renewal_states.is_open then 'a new prescription covers it' end
      from tracker.renewal_states
      cross join (select min(customers.id) as id from registry.customers) as customers
      cross join (select min(products.id) as id from registry.products) as products
      where not renewal_states.is_open or renewal_states.state = 'CONTACTED'`,
  },
  {
    table: "tracker.shipments",
    sql: `insert into tracker.shipments (order_id, state, carrier, tracking_number, delivered_at)
      select orders.id, orders.state, 'UPS', '1Z' || orders.id, case orders.state when 'DELIVERED' then clockwork.now() end
      from tracker.orders where orders.state in ('SHIPPED', 'OUT_FOR_DELIVERY', 'DELIVERED', 'RETURNED')`,
  },
  {
    table: "tracker.check_marks",
    sql: `insert into tracker.check_marks (run_id, order_id)
      select runs.id, orders.id
      from (select min(check_runs.id) as id from tracker.check_runs) as runs
      cross join (select min(orders.id) as id from tracker.orders) as orders`,
  },
];
