import type { Database, Trx } from "../db/database.ts";
import { type Queue, QUEUES, reason } from "../queue/reasons.ts";
import type { StepTable } from "../queue/step.ts";
import { insertTasks, type NewTask } from "../queue/tasks.ts";
import type { Json } from "../vendors/contract.ts";
import { HINTS } from "../vendors/hints.ts";
import { sha256Hex } from "../vendors/signing.ts";
import {
  type EventSource,
  type RawWebhook,
  UnreadableEvent,
  type VendorEvent,
  type WebhookConnector,
} from "../vendors/webhook.ts";
import { isStorable } from "./storable.ts";

/** The result of a signed webhook. `repeat`: it was recorded before. */
type Recorded = "recorded" | "repeat" | "parked" | "unreadable";

/** Records a webhook with a right signature: one insert, with only a few attributes of the body. */
export async function recordWebhook(
  db: Database,
  steps: StepTable,
  connector: WebhookConnector,
  webhook: RawWebhook,
): Promise<Recorded> {
  const { source } = connector;
  const event = readStorable(connector, webhook);
  const task = event ? taskOf(steps, source, event) : await unreadable(source, webhook.body);
  const inserted = await insertTasks(db, [task]);
  if (!event) return "unreadable";
  if (inserted.length === 0) return "repeat";
  return task.status === "PARKED" ? "parked" : "recorded";
}

/**
 * Records the events of a vendor's own list as its webhooks would have been. Events already recorded are skipped. Returns
 * the ids of the new tasks; `causedBy` is the task that found them.
 */
export async function recordEvents(
  trx: Trx,
  steps: StepTable,
  source: EventSource,
  events: readonly VendorEvent[],
  causedBy: number,
): Promise<number[]> {
  const tasks: NewTask[] = [];
  // By id, so that two tasks with the same events never wait for each other.
  for (const event of events.toSorted((a, b) => (a.id < b.id ? -1 : 1))) {
    const task = isStorable(event)
      ? taskOf(steps, source, event)
      : await unreadable(source, new TextEncoder().encode(JSON.stringify(event)));
    tasks.push({ ...task, causedBy });
  }
  return await insertTasks(trx, tasks);
}

/** The task of an event, from a webhook or a check. */
function taskOf(steps: StepTable, source: EventSource, event: VendorEvent): NewTask {
  const name = `${source}.${event.type}` as const;
  const step = steps.find(name);
  const base = { step: name, key: event.id, data: pick(event, step?.keys ?? hintedBy(source)) };
  if (step) return { ...base, vendor: step.queue };
  return {
    ...base,
    vendor: queueOf(source),
    status: "PARKED",
    reason: reason("UNKNOWN_EVENT", { step: name }),
  };
}

/** The task for a person about an unreadable body, with its size and its hash alone. */
async function unreadable(source: string, body: Uint8Array): Promise<NewTask> {
  const sha256 = await sha256Hex(body);
  const details = { source, sha256, bytes: body.length };
  return {
    step: "webhook.unreadable",
    key: `${source}:${sha256}`,
    vendor: queueOf(source),
    data: details,
    status: "MANUAL_INTERVENTION",
    reason: reason("UNREADABLE_EVENT", details),
  };
}

/** The event, or undefined for a body that is none, or one that the database would refuse each time. */
function readStorable(connector: WebhookConnector, webhook: RawWebhook): VendorEvent | undefined {
  try {
    const event = connector.read(webhook);
    return isStorable(event) ? event : undefined;
  } catch (error) {
    if (error instanceof UnreadableEvent) return undefined;
    throw error;
  }
}

/** The attributes that are stored; ingest keeps no others. */
function pick({ attributes }: VendorEvent, keys: readonly string[]): Record<string, Json> {
  const kept: Record<string, Json> = {};
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== undefined && keys.includes(key)) kept[key] = value;
  }
  return kept;
}

/** The attributes in the source's hint: a step that is written later takes all of them. */
function hintedBy(source: EventSource): string[] {
  const [role] = source.split(".");
  return Object.entries(HINTS).flatMap(([name, { shape }]) => name === role ? Object.keys(shape) : []);
}

/** The queue of an event: its vendor's, or `internal` for a vendor without a role. */
function queueOf(source: string): Queue {
  return QUEUES.find((queue) => queue === source) ?? "internal";
}
