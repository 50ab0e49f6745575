import type { Database } from "../db/database.ts";
import { type Queue, QUEUES, reason } from "../queue/reasons.ts";
import type { StepTable } from "../queue/run.ts";
import { insertTasks, type NewTask } from "../queue/tasks.ts";
import {
  type Json,
  type RawWebhook,
  UnreadableEvent,
  type VendorEvent,
  type WebhookConnector,
} from "../vendors/contract.ts";
import { sha256Hex } from "../vendors/signing.ts";
import { isStorable } from "./storable.ts";

/** What became of a signed webhook. `repeat`: it was recorded before. */
export type Recorded = "recorded" | "repeat" | "parked" | "unreadable";

/** Records a webhook whose signature was right: one insert, and nothing of the body but what the step names. */
export async function recordWebhook(
  db: Database,
  steps: StepTable,
  connector: WebhookConnector,
  webhook: RawWebhook,
): Promise<Recorded> {
  const task = await taskOf(steps, connector, webhook);
  const inserted = await insertTasks(db, [task]);
  if (task.reason?.code === "UNREADABLE_EVENT") return "unreadable";
  if (inserted.length === 0) return "repeat";
  return task.status === "PARKED" ? "parked" : "recorded";
}

async function taskOf(steps: StepTable, connector: WebhookConnector, webhook: RawWebhook): Promise<NewTask> {
  const event = readStorable(connector, webhook);
  if (!event) {
    const sha256 = await sha256Hex(webhook.body);
    const details = { source: connector.source, sha256, bytes: webhook.body.length };
    return {
      step: "webhook.unreadable",
      key: `${connector.source}:${sha256}`,
      vendor: queueOf(connector.source),
      data: details,
      status: "MANUAL_INTERVENTION",
      reason: reason("UNREADABLE_EVENT", details),
    };
  }
  const name = `${connector.source}.${event.type}`;
  const base = { step: name, key: event.id };
  const step = steps.find(name);
  if (!step) {
    return {
      ...base,
      vendor: queueOf(connector.source),
      data: event.attributes,
      status: "PARKED",
      reason: reason("UNKNOWN_EVENT", { step: name }),
    };
  }
  return { ...base, vendor: step.queue, data: pick(event.attributes, step.keys) };
}

/** The event, or undefined for a body that is none, or that holds what the database would refuse each time. */
function readStorable(connector: WebhookConnector, webhook: RawWebhook): VendorEvent | undefined {
  try {
    const event = connector.read(webhook);
    return isStorable(event) ? event : undefined;
  } catch (error) {
    if (error instanceof UnreadableEvent) return undefined;
    throw error;
  }
}

/** Only what the step's schema names gets past the door. */
function pick(attributes: Record<string, Json>, keys: readonly string[]): Record<string, Json> {
  return Object.fromEntries(Object.entries(attributes).filter(([key]) => keys.includes(key)));
}

/** The queue an event is counted under: its vendor's, or `internal` for a vendor without a role. */
function queueOf(source: string): Queue {
  return QUEUES.find((queue) => queue === source) ?? "internal";
}
