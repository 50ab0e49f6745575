import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ORDER_STATES } from "../../src/shared/orders/orders.ts";
import { customerAndProduct, one, openSql, orderIn, type Sql } from "./support.ts";

const RANKS: Record<string, number> = ORDER_STATES;
const STATES = Object.keys(RANKS);
const PAIRS = STATES.flatMap((from) => STATES.filter((to) => to !== from).map((to) => ({ from, to })));

let sql: Sql;
let people: { customer: string; product: string };
beforeAll(async () => {
  sql = await openSql();
  people = await customerAndProduct(sql.person);
});
afterAll(() => sql.drop());

async function read(id: string) {
  return await one(sql.person, "select * from tracker.orders where id = $1", [id]);
}

async function move(id: string, state: string): Promise<void> {
  await sql.machinery("update tracker.orders set state = $1 where id = $2", [state, id]);
}

function rank(state: string): number {
  return RANKS[state] ?? NaN;
}

describe("the state of an order", () => {
  test("the code and the database know the same states and ranks", async () => {
    const rows = await sql.person("select state, rank from tracker.order_states");
    expect(Object.fromEntries(rows.map((row) => [row["state"], row["rank"]]))).toEqual(RANKS);
  });

  test.each(PAIRS)("$from to $to", async ({ from, to }) => {
    const id = await orderIn(sql.person, from, people);
    // Forward only; among the states that wait, to and fro.
    const isAllowed = rank(to) > rank(from) || (rank(to) === rank(from) && rank(to) === 10);
    if (isAllowed) {
      await move(id, to);
      expect((await read(id))["state"]).toBe(to);
    } else {
      for (const run of [sql.person, sql.machinery]) {
        await expect(run(`update tracker.orders set state = '${to}' where id = ${id}`)).rejects.toMatchObject(
          {
            code: "23514",
            message: `Order ${id} is ${from}. Orders only go forward, never back to ${to}.`,
          },
        );
      }
      expect((await read(id))["state"]).toBe(from);
    }
  });

  test.each(STATES)("%s again changes nothing", async (state) => {
    const id = await orderIn(sql.person, state, people);
    const before = await read(id);
    await move(id, state);
    expect(await read(id)).toEqual(before);
  });

  test("a state that is none is refused, in an insert and in an update", async () => {
    await expect(orderIn(sql.person, "LOST", people)).rejects.toMatchObject({
      constraint: "orders_state_fkey",
    });
    const id = await orderIn(sql.person, "READY", people);
    await expect(move(id, "LOST")).rejects.toThrow();
    expect((await read(id))["state"]).toBe("READY");
  });
});

describe("the moments of an order", () => {
  /** Which of its moments are set. */
  async function moments(id: string): Promise<string[]> {
    const row = await read(id);
    return ["placed_at", "shipped_at", "delivered_at", "ended_at"].filter((name) => row[name] !== null);
  }

  test.each([
    ["READY", []],
    ["AWAITING_PRESCRIPTION", []],
    ["AWAITING_SUBSCRIPTION", []],
    ["PLACED", ["placed_at"]],
    ["FILLING", ["placed_at"]],
    ["FAILED", ["ended_at"]],
    ["CANCELLED", ["ended_at"]],
    ["SHIPPED", ["placed_at", "shipped_at"]],
    ["OUT_FOR_DELIVERY", ["placed_at", "shipped_at"]],
    ["DELIVERED", ["placed_at", "shipped_at", "delivered_at"]],
    ["RETURNED", ["placed_at", "shipped_at", "ended_at"]],
  ])("an order that jumps to %s has %j", async (state, expected) => {
    const id = await orderIn(sql.person, state === "READY" ? "AWAITING_PRESCRIPTION" : "READY", people);
    await move(id, state);
    expect(await moments(id)).toEqual(expected);
  });

  test("each moment is kept from the first time on", async () => {
    const id = await orderIn(sql.person, "READY", people);
    const seen: unknown[] = [];
    for (const state of ["PLACED", "FILLING", "SHIPPED", "OUT_FOR_DELIVERY", "DELIVERED"]) {
      await sql.person("update clockwork.settings set clock_offset = clock_offset + interval '1 hour'");
      await move(id, state);
      seen.push((await read(id))["placed_at"]);
    }
    expect(new Set(seen.map(String)).size).toBe(1);
    const row = await one(
      sql.person,
      `select extract(hour from shipped_at - placed_at)::int as to_ship,
         extract(hour from delivered_at - shipped_at)::int as to_deliver, ended_at
       from tracker.orders where id = ${id}`,
    );
    expect(row).toEqual({ to_ship: 2, to_deliver: 2, ended_at: null });
    await sql.person("update clockwork.settings set clock_offset = '0'");
  });

  test("a moment that the machinery gives is kept", async () => {
    const id = await orderIn(sql.person, "READY", people);
    await sql.machinery(
      `update tracker.orders set state = 'PLACED', placed_at = '2031-01-01Z' where id = ${id}`,
    );
    expect((await read(id))["placed_at"]).toEqual(new Date("2031-01-01T00:00:00Z"));
  });

  test("an order that was cancelled and shipped all the same has not ended", async () => {
    const id = await orderIn(sql.person, "PLACED", people);
    await move(id, "CANCELLED");
    expect((await read(id))["ended_at"]).not.toBeNull();
    await move(id, "SHIPPED");
    expect(await read(id)).toMatchObject({ state: "SHIPPED", ended_at: null });
    await move(id, "RETURNED");
    expect((await read(id))["ended_at"]).not.toBeNull();
  });

  test("a failed order that ends as cancelled ends then", async () => {
    const id = await orderIn(sql.person, "PLACED", people);
    await move(id, "FAILED");
    const failed = await read(id);
    await move(id, "CANCELLED");
    const cancelled = await read(id);
    expect(Number(cancelled["ended_at"])).toBeGreaterThanOrEqual(Number(failed["ended_at"]));
  });
});

describe("the keys of an order", () => {
  test("the pharmacy's id is set once and never changed or taken away", async () => {
    const id = await orderIn(sql.person, "PLACED", people);
    const set = (value: string) =>
      sql.machinery(`update tracker.orders set pharmacy_order_id = ${value} where id = ${id}`);
    await set("'ord_first'");
    await set("'ord_first'");
    for (const value of ["'ord_second'", "null"]) {
      await expect(set(value)).rejects.toMatchObject({
        code: "23514",
        message: `Order ${id} is the pharmacy's order ord_first. That never changes.`,
      });
    }
    expect((await read(id))["pharmacy_order_id"]).toBe("ord_first");
    const other = await orderIn(sql.person, "PLACED", people);
    await expect(
      sql.machinery(`update tracker.orders set pharmacy_order_id = 'ord_first' where id = ${other}`),
    ).rejects.toMatchObject({ constraint: "orders_pharmacy_order_id_key" });
  });

  test("the reference is made of line, fill and attempt, and nobody writes it", async () => {
    const also = { invoice_line_id: "'il_ref'", fill_number: "2", attempt: "3" };
    const id = await orderIn(sql.person, "READY", people, also);
    expect((await read(id))["reference"]).toBe("il_ref:2:3");
    await expect(sql.machinery(`update tracker.orders set reference = 'mine' where id = ${id}`)).rejects
      .toMatchObject({
        code: "428C9",
      });
    await expect(orderIn(sql.person, "READY", people, { reference: "'mine'" })).rejects.toMatchObject({
      code: "428C9",
    });
  });

  test("one order per paid fill and attempt", async () => {
    const also = { invoice_line_id: "'il_fill'", fill_number: "1", attempt: "1" };
    await orderIn(sql.person, "READY", people, also);
    await expect(orderIn(sql.person, "READY", people, also)).rejects.toMatchObject({ code: "23505" });
    await orderIn(sql.person, "READY", people, { ...also, fill_number: "2" });
    await orderIn(sql.person, "READY", people, { ...also, attempt: "2" });
  });

  test("a repeat is swallowed by naming the constraint, as the step does", async () => {
    const insert = () =>
      sql.machinery(
        `insert into tracker.orders
           (customer_id, product_id, invoice_id, invoice_line_id, subscription_id, fill_number, fill_on)
         values ($1, $2, 'in_r', 'il_r', 'sub_r', 1, clockwork.now())
         on conflict on constraint one_order_per_paid_fill_and_attempt do nothing returning id`,
        [people.customer, people.product],
      );
    expect(await insert()).toHaveLength(1);
    expect(await insert()).toEqual([]);
  });

  test.each([
    ["fill_number_counts_from_one", { fill_number: "0" }],
    ["attempt_counts_from_one", { attempt: "0" }],
    ["a_wanted_cancel_has_a_cause", { cancel_requested_at: "clockwork.now()" }],
    ["a_wanted_cancel_has_a_cause", { cancel_cause: "'refunded'" }],
    ["cancel_cause_is_known", { cancel_requested_at: "clockwork.now()", cancel_cause: "'whim'" }],
    ["orders_customer_id_fkey", { customer_id: "999999" }],
    ["orders_product_id_fkey", { product_id: "999999" }],
  ])("%s refuses %j", async (constraint, also) => {
    await expect(orderIn(sql.person, "READY", people, also)).rejects.toMatchObject({ constraint });
  });

  test.each([
    "delete from tracker.orders",
    "truncate tracker.orders cascade",
    "truncate registry.products cascade",
  ])(
    "%s is refused",
    async (statement) => {
      const id = await orderIn(sql.person, "READY", people);
      for (const run of [sql.person, sql.machinery]) {
        await expect(run(statement)).rejects.toMatchObject({
          code: "23514",
          message: expect.stringContaining("Rows of tracker.orders are never removed."),
        });
      }
      expect((await read(id))["state"]).toBe("READY");
    },
  );

  test("a customer or product with an order cannot be deleted", async () => {
    await orderIn(sql.person, "READY", people);
    await expect(sql.person(`delete from registry.customers where id = ${people.customer}`)).rejects
      .toMatchObject({
        code: "23503",
      });
    await expect(sql.person(`delete from registry.products where id = ${people.product}`)).rejects
      .toMatchObject({
        code: "23503",
      });
  });
});

describe("the generated reference", () => {
  test("uses immutable functions only, as every Postgres 15 wants it", async () => {
    // Before 15.6 the check looks at the expression as written, where `text || integer` is only stable.
    const used = await sql.person(
      `select distinct found[1]::oid::regprocedure::text as function, pg_proc.provolatile
       from pg_attrdef
       cross join lateral regexp_matches(pg_attrdef.adbin::text, ':(?:opfuncid|funcid) (\\d+)', 'g') as found
       join pg_proc on pg_proc.oid = found[1]::oid
       where pg_attrdef.adrelid = 'tracker.orders'::regclass
         and pg_attrdef.adnum = (select attnum from pg_attribute
           where attrelid = 'tracker.orders'::regclass and attname = 'reference')`,
    );
    expect(used.length).toBeGreaterThan(0);
    expect(used.filter((row) => row["provolatile"] !== "i")).toEqual([]);
  });
});

describe("shipments", () => {
  async function parcel(order: string, also: Record<string, string> = {}): Promise<string> {
    const columns = {
      order_id: order,
      state: "'SHIPPED'",
      carrier: "'Post'",
      tracking_number: "'T1'",
      ...also,
    };
    const row = await one(
      sql.machinery,
      `insert into tracker.shipments (${Object.keys(columns).join(", ")})
       values (${Object.values(columns).join(", ")}) returning id`,
    );
    return String(row["id"]);
  }

  test("an order may have several parcels, each once", async () => {
    const order = await orderIn(sql.person, "SHIPPED", people);
    await parcel(order);
    await parcel(order, { tracking_number: "'T2'" });
    await parcel(order, { carrier: "'Courier'" });
    await expect(parcel(order)).rejects.toMatchObject({ constraint: "one_row_per_parcel" });
  });

  test.each([
    ["shipment_state_is_known", { state: "'PLACED'" }],
    ["a_delivered_parcel_has_delivered_at", { state: "'DELIVERED'" }],
    ["shipments_order_id_fkey", { order_id: "999999" }],
  ])("%s refuses %j", async (constraint, also) => {
    const order = await orderIn(sql.person, "SHIPPED", people);
    await expect(parcel(order, also)).rejects.toMatchObject({ constraint });
  });

  test("a parcel only moves forward, as its column's comment says", async () => {
    const order = await orderIn(sql.person, "DELIVERED", people);
    const id = await parcel(order, { state: "'DELIVERED'", delivered_at: "clockwork.now()" });
    await expect(sql.machinery(`update tracker.shipments set state = 'SHIPPED' where id = ${id}`)).rejects
      .toMatchObject({
        code: "23514",
        message: `Parcel ${id} is DELIVERED. Parcels only go forward, never back to SHIPPED.`,
      });
    await sql.machinery(`update tracker.shipments set state = 'RETURNED' where id = ${id}`);
  });

  test.each(["delete from tracker.shipments", "truncate tracker.shipments"])(
    "%s is refused",
    async (statement) => {
      const order = await orderIn(sql.person, "SHIPPED", people);
      const id = await parcel(order);
      await expect(sql.person(statement)).rejects.toMatchObject({ code: "23514" });
      expect(await sql.person(`select id from tracker.shipments where id = ${id}`)).toHaveLength(1);
    },
  );
});
