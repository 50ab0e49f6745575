import type { Pool } from "pg";
import { PRICES, productOf } from "./clinic.ts";

/**
 * The person at the table editor: reads ops.manual_intervention, and repairs with plain updates of one cell, as
 * anybody with the dashboard open would. Knows nothing that the views do not show.
 */
export interface OpsPerson {
  /** Adds the prices of the shop to registry.product_keys and resends what stopped for them. */
  addMissingProducts(): Promise<void>;
  /** Puts Stripe's key into the customer's row and resends. */
  addMissingCustomers(stripeIds: ReadonlyMap<number, string>): Promise<number>;
  /** Sets what stopped for this reason to PENDING; `limit` leaves the rest. */
  resend(reasonCode: string, limit?: number): Promise<number>;
  /** Sets what stopped for this reason to CANCELLED. */
  drop(reasonCode: string, limit?: number): Promise<number>;
  /** The fills (`<invoice line>:<fill>`) of the orders that stopped for this reason. */
  fillsOf(reasonCode: string, limit?: number): Promise<string[]>;
  /** Cells edited so far. */
  edits(): number;
}

/** @param tell hears of each statement that the table editor sends */
export function makeOpsPerson(pool: Pool, tell: (sql: string) => void = () => {}): OpsPerson {
  let edits = 0;

  async function setOne(status: "PENDING" | "CANCELLED", taskId: string): Promise<void> {
    await pool.query("update clockwork.tasks set status = $2 where id = $1", [taskId, status]);
    tell(`update clockwork.tasks set status = '${status}' where id = ${taskId}`);
    edits += 1;
  }

  async function set(status: "PENDING" | "CANCELLED", reasonCode: string, limit = 1000): Promise<number> {
    const { rows } = await pool.query<{ task_id: string }>(
      "select task_id from ops.manual_intervention where reason_code = $1 order by task_id limit $2",
      [reasonCode, limit],
    );
    for (const { task_id } of rows) await setOne(status, task_id);
    return rows.length;
  }

  return {
    edits: () => edits,
    resend: (reasonCode, limit) => set("PENDING", reasonCode, limit),
    drop: (reasonCode, limit) => set("CANCELLED", reasonCode, limit),

    async addMissingProducts() {
      const { rows } = await pool.query<{ task_id: string; reason: string }>(
        "select task_id, reason from ops.manual_intervention where reason_code = 'UNKNOWN_PRODUCT' order by task_id",
      );
      for (const { task_id, reason } of rows) {
        const price = PRICES.find(({ id }) => reason.includes(id));
        if (!price) continue; // no price of the shop: nobody here knows what it sells
        const name = productOf(price.id).name;
        const { rowCount } = await pool.query(
          `insert into registry.product_keys (system, key, product_id, fills_per_charge)
           select 'stripe_price', $1, id, $2 from registry.products where name = $3 on conflict do nothing`,
          [price.id, price.fills, name],
        );
        edits += rowCount ?? 0;
        if (rowCount) {
          tell(
            `insert into registry.product_keys … ('stripe_price', '${price.id}', '${name}', ${price.fills})`,
          );
        }
        await setOne("PENDING", task_id);
      }
    },

    async addMissingCustomers(stripeIds) {
      for (const [customerId, stripeId] of stripeIds) {
        const { rowCount } = await pool.query(
          "update registry.customers set stripe_customer_id = $2 where id = $1 and stripe_customer_id is null",
          [customerId, stripeId],
        );
        edits += rowCount ?? 0;
      }
      return await set("PENDING", "UNKNOWN_CUSTOMER");
    },

    async fillsOf(reasonCode, limit = 1000) {
      const { rows } = await pool.query<{ fill: string }>(
        `select orders.invoice_line_id || ':' || orders.fill_number as fill
         from ops.manual_intervention as stopped
         join tracker.orders on orders.id = (stopped.data ->> 'order_id')::bigint
         where stopped.reason_code = $1 order by stopped.task_id limit $2`,
        [reasonCode, limit],
      );
      return rows.map(({ fill }) => fill);
    },
  };
}
