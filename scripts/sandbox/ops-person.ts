import type { Pool } from "pg";
import { PRICES } from "./clinic.ts";

export type OpsPerson = ReturnType<typeof makeOpsPerson>;

/**
 * The person at the table editor: reads `ops.manual_intervention`, and repairs by plain updates of one cell. Knows
 * nothing that the views do not show.
 * @param log is called with each statement that the table editor sends
 */
export function makeOpsPerson(pool: Pool, log: (sql: string) => void = () => {}) {
  let edits = 0;

  async function setOne(status: "PENDING" | "CANCELLED", taskId: string): Promise<void> {
    await pool.query("update clockwork.tasks set status = $2 where id = $1", [taskId, status]);
    log(`update clockwork.tasks set status = '${status}' where id = ${taskId}`);
    edits += 1;
  }

  async function stoppedFor(reasonCode: string, limit: number): Promise<string[]> {
    const { rows } = await pool.query<{ task_id: string }>(
      "select task_id from ops.manual_intervention where reason_code = $1 order by task_id limit $2",
      [reasonCode, limit],
    );
    return rows.map(({ task_id }) => task_id);
  }

  async function set(status: "PENDING" | "CANCELLED", reasonCode: string, limit = 1000): Promise<number> {
    const ids = await stoppedFor(reasonCode, limit);
    for (const id of ids) await setOne(status, id);
    return ids.length;
  }

  return {
    /** The number of edited cells. */
    edits: () => edits,

    /** Sets tasks that stopped for this reason to PENDING, at most `limit`. */
    resend: (reasonCode: string, limit?: number) => set("PENDING", reasonCode, limit),

    /** Chooses an answer for tasks that stopped for this reason, at most `limit`. */
    async answer(reasonCode: string, word: string, limit = 1000): Promise<void> {
      for (const taskId of await stoppedFor(reasonCode, limit)) {
        await pool.query("update clockwork.tasks set answer = $2 where id = $1", [taskId, word]);
        log(`update clockwork.tasks set answer = '${word}' where id = ${taskId}`);
        edits += 1;
      }
    },

    /** Sets tasks that stopped for this reason to CANCELLED, at most `limit`. */
    cancel: (reasonCode: string, limit?: number) => set("CANCELLED", reasonCode, limit),

    /** Adds the missing prices of the shop to `registry.product_keys` and resends the tasks that stopped for them. */
    async addMissingProducts(): Promise<void> {
      const { rows } = await pool.query<{ task_id: string; reason: string }>(
        "select task_id, reason from ops.manual_intervention where reason_code = 'UNKNOWN_PRODUCT' order by task_id",
      );
      for (const { task_id, reason } of rows) {
        const price = PRICES.find(({ id }) => reason.includes(id));
        if (!price) continue; // no price of the shop: its product is unknown here
        const { id, product, fills } = price;
        const { rowCount } = await pool.query(
          `insert into registry.product_keys (system, key, product_id, fills_per_charge)
           select 'stripe_price', $1, id, $2 from registry.products where name = $3 on conflict do nothing`,
          [id, fills, product],
        );
        edits += rowCount ?? 0;
        if (rowCount) {
          log(`insert into registry.product_keys … ('stripe_price', '${id}', '${product}', ${fills})`);
        }
        await setOne("PENDING", task_id);
      }
    },

    /** Puts Stripe's missing keys into the customers' rows and resends. Returns the number of resent tasks. */
    async addMissingCustomers(stripeIds: ReadonlyMap<number, string>): Promise<number> {
      for (const [customerId, stripeId] of stripeIds) {
        const { rowCount } = await pool.query(
          "update registry.customers set stripe_customer_id = $2 where id = $1 and stripe_customer_id is null",
          [customerId, stripeId],
        );
        edits += rowCount ?? 0;
      }
      return await set("PENDING", "UNKNOWN_CUSTOMER");
    },

    /** The fills (`<invoice line>:<fill>`) of the orders, or of the invoices, that stopped for this reason. */
    async fillsOf(reasonCode: string, limit = 1000): Promise<string[]> {
      const { rows } = await pool.query<{ fill: string }>(
        `select orders.invoice_line_id || ':' || orders.fill_number as fill
         from ops.manual_intervention as stopped
         join tracker.orders on orders.id = (stopped.data ->> 'order_id')::bigint
           or orders.invoice_id = stopped.data ->> 'invoice_id'
         where stopped.reason_code = $1 order by stopped.task_id limit $2`,
        [reasonCode, limit],
      );
      return rows.map(({ fill }) => fill);
    },
  };
}
