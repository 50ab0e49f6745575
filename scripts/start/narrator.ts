import { setTimeout as sleep } from "node:timers/promises";
import type { Pool } from "pg";
import type { FunctionLine } from "../stack/function-log.ts";
import type { Out } from "./out.ts";

const POLL_EVERY_MS = 1000;

/** Prints the news of Clockwork's own tables: orders that move on, and tasks that stop or are tried again. */
export async function narrate(pool: Pool, out: Out, ended: AbortSignal): Promise<void> {
  const orders = new Map<string, string>();
  let history = 0;
  while (!ended.aborted) {
    const { rows } = await pool.query<{ id: string; state: string; email: string; tracking: string | null }>(`
      select orders.id, orders.state, customers.email,
        (select max(carrier || ' ' || tracking_number) from tracker.shipments where order_id = orders.id) as tracking
      from tracker.orders join registry.customers on customers.id = orders.customer_id
      where orders.ended_at is null or orders.ended_at > clockwork.now() - interval '1 hour'
      order by orders.id`);
    for (const { id, state, email, tracking } of rows) {
      if (orders.get(id) === state) continue;
      orders.set(id, state);
      if (SHOWN.has(state)) {
        const parcel = state === "SHIPPED" && tracking ? ` (${tracking})` : "";
        out.line("clockwork", `order ${id} of ${email} is ${state}${parcel}`);
      }
    }
    const { rows: stops } = await pool.query<
      { id: string; task_id: string; to_status: string; reason: string }
    >(
      `select task_history.id, task_id, to_status, tasks.reason from clockwork.task_history
       join clockwork.tasks on tasks.id = task_id
       where task_history.id > $1 and to_status in ('MANUAL_INTERVENTION', 'QUEUED') and from_status = 'QUEUED'
         and tasks.reason is not null order by 1`,
      [history],
    );
    for (const { id, task_id, to_status, reason } of stops) {
      history = Number(id);
      const news = to_status === "QUEUED" ? "is tried again" : "needs a person";
      out.line("clockwork", `task ${task_id} ${news}: ${reason}`);
    }
    await sleep(POLL_EVERY_MS, undefined, { signal: ended }).catch(() => {});
  }
}

/** READY is over too soon to be shown, and FILLING and OUT_FOR_DELIVERY are no news. */
const SHOWN = new Set([
  "AWAITING_PRESCRIPTION",
  "AWAITING_SUBSCRIPTION",
  "HELD",
  "PLACED",
  "SHIPPED",
  "DELIVERED",
  "CANCELLED",
  "FAILED",
  "RETURNED",
]);

/** Prints a line of the functions, unless it is a drain's usual end. */
export function tellFunctionLine(out: Out, line: FunctionLine): void {
  if (line.event === "drained") return;
  if (line.event === null) out.line("clockwork", `${line.function}: ${line.text}`);
  else {
    const fields = Object.entries(line.fields).map(([name, value]) => `${name}=${String(value)}`);
    out.line("clockwork", `${line.function}: ${[line.event, ...fields].join(" ")}`);
  }
}
