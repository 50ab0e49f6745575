import type { Pool } from "pg";
import { PRICES, productOf } from "../sandbox/clinic.ts";
import type { Out } from "./out.ts";

// What an ops person does in the table editor, as the SQL that the table editor sends.

/** Tells Clockwork which product an unknown price sells, and resends what stopped for it. */
export async function addUnknownProducts(pool: Pool, out: Out): Promise<void> {
  const { rows } = await pool.query<{ task_id: string; reason: string }>(
    "select task_id, reason from ops.manual_intervention where reason_code = 'UNKNOWN_PRODUCT' order by task_id",
  );
  for (const { task_id, reason } of rows) {
    const price = PRICES.find(({ id }) => reason.includes(id));
    if (!price) continue;
    const name = productOf(price.id).name;
    const { rowCount } = await pool.query(
      `insert into registry.product_keys (system, key, product_id, fills_per_charge)
       select 'stripe_price', $1, id, $2 from registry.products where name = $3 on conflict do nothing`,
      [price.id, price.fills, name],
    );
    if (rowCount) {
      out.line(
        "person",
        `insert into registry.product_keys … ('stripe_price', '${price.id}', '${name}', ${price.fills})`,
      );
    }
    await resend(pool, out, task_id);
  }
}

/** Asks for replacements of what the pharmacy cancelled or could not fill. */
export async function decideReplacements(pool: Pool, out: Out): Promise<void> {
  const { rows } = await pool.query<{ task_id: string }>(
    `select task_id from ops.manual_intervention
     where reason_code in ('PHARMACY_CANCELLED', 'PHARMACY_FAILED') order by task_id`,
  );
  for (const { task_id } of rows) await resend(pool, out, task_id);
}

async function resend(pool: Pool, out: Out, taskId: string): Promise<void> {
  await pool.query("update clockwork.tasks set status = 'PENDING' where id = $1", [taskId]);
  out.line("person", `update clockwork.tasks set status = 'PENDING' where id = ${taskId}`);
}
