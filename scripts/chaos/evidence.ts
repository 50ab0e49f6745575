import { type Check, findingsOf } from "../proof/check.ts";
import type { Stack } from "../stack/stack.ts";

const STORIES = 3;

/** Prints the whole story of the first invoice lines that a check complains of, to find the cause. */
export async function tellStories(
  stack: Stack,
  checks: readonly Check[],
  progress: (line: string) => void,
): Promise<void> {
  const lines = new Set(checks.flatMap(findingsOf).flatMap((one) => one.match(/\bil_\w+/g) ?? []));
  for (const line of [...lines].slice(0, STORIES)) {
    progress(`the story of ${line}`);
    for (const order of stack.vendors.pharmacy.state.orders.values()) {
      if (!order.externalId?.startsWith(line)) continue;
      const { id, externalId, state, createdAt, fulfillment } = order;
      progress(
        `  at the pharmacy: ${id} (${externalId}) of ${createdAt}: ${state} ${fulfillment?.state ?? ""}`,
      );
    }
    const { rows: effects } = await stack.pool.query(
      `select operation, key, state, reference, attempt, sent_at, settled_at from clockwork.effects
       where key like $1 || '%' order by id`,
      [line],
    );
    for (const effect of effects) progress(`  effect ${JSON.stringify(effect)}`);
    const { rows: moves } = await stack.pool.query(
      `select coalesce(task_history.changed_at, tasks.created_at) as at, tasks.id, tasks.step, tasks.data,
         tasks.status, task_history.from_status, task_history.to_status, task_history.after -> 'reason_code' as why
       from tracker.orders join clockwork.tasks using (invoice_id)
       left join clockwork.task_history on task_history.task_id = tasks.id
       where invoice_line_id = $1 order by 1, tasks.id`,
      [line],
    );
    for (const { at, id, step, data, status, from_status, to_status, why } of moves) {
      const move = from_status === null ? `born ${status}` : `${from_status} -> ${to_status} ${why ?? ""}`;
      progress(`  ${at.toISOString()} task ${id} ${step} ${JSON.stringify(data)}: ${move}`);
    }
  }
}
