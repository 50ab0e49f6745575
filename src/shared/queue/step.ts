import type { z } from "zod";
import type { Trx } from "../db/database.ts";
import type { Crm } from "../vendors/crm.ts";
import type { HealthRecord } from "../vendors/health.ts";
import type { Login } from "../vendors/login.ts";
import type { Pharmacy } from "../vendors/pharmacy.ts";
import type { EventName } from "../vendors/webhook.ts";
import type { StripeClient } from "../vendors/stripe/client.ts";
import type { Deps } from "./deps.ts";
import type { Effect } from "./effects.ts";
import { type FollowUp, Permanent, type Queue, type Reason } from "./reasons.ts";
import { STEP_DATA, type StepName } from "./step-data.ts";
import type { TaskInfo } from "./tasks.ts";

/** The vendors, one client a role. Chosen in one place: `connectors.ts`. */
export interface Vendors {
  stripe: StripeClient;
  health: HealthRecord;
  pharmacy: Pharmacy;
  crm: Crm;
  login: Login;
}

export interface StepContext {
  deps: Deps;
  task: TaskInfo;
  vendors: Vendors;
  /** Every step there is: for one that takes in events which no webhook brought. */
  steps: StepTable;
  now(): Date;
  /** Says whose story this task belongs to; its follow-ups inherit it. */
  about(story: { customerId?: number; invoiceId?: string }): void;
  /** Does a thing outside once, through the effects ledger. Gives the vendor's id for it. */
  once(effect: Effect): Promise<string | null>;
}

/** Database work of an outcome: runs inside the settling transaction after the task moved, so both happen or neither. */
export type Commit = (trx: Trx) => Promise<FollowUp[] | void>;

/** How a run ended when nothing was thrown. `stopped` asks a person; waiting is never counted as a failure. */
export type Outcome =
  | { kind: "done"; commit?: Commit }
  | { kind: "cancelled"; reason: Reason; commit?: Commit }
  | { kind: "parked"; reason: Reason }
  | { kind: "stopped"; reason: Reason; commit?: Commit }
  | { kind: "wait"; until: Date; reason: Reason; commit?: Commit };

/** A step as the drain sees it: it takes `tasks.data` as it stands and refuses what it does not know. */
export interface Step {
  /** The values of `tasks.step` it runs for. */
  handles: readonly string[];
  /** The queue, that is: the vendor it mostly calls. */
  queue: Queue;
  /** The attributes of an event that its schema names; all else is dropped at the door. */
  keys: readonly string[];
  /** How many ordinary tasks' CPU one run costs: a page of a hundred is not one task. */
  weight: number;
  run(ctx: StepContext, data: unknown): Promise<Outcome>;
}

/** The steps by the value of `tasks.step`, as one table. */
export interface StepTable {
  /** Every name there is a step for. */
  names: readonly string[];
  find(step: string): Step | undefined;
  queueOf(step: string): Queue;
}

/**
 * What a step does. `run` throws {@link Permanent}, `Retryable` or `Wait`, or a `VendorError`, for everything that is not
 * an outcome.
 */
interface Definition<Schema extends z.ZodObject> {
  queue: Queue;
  /** Default: 1. See {@link Step.weight}. */
  weight?: number;
  run(ctx: StepContext, data: z.output<Schema>): Promise<Outcome>;
}

/** Defines a step of ours, whose data is that of its name in {@link STEP_DATA}. */
export function defineOwnStep<Name extends StepName>(
  name: Name,
  definition: Definition<(typeof STEP_DATA)[Name]>,
): Step {
  return makeStep([name], STEP_DATA[name], definition);
}

/** Defines a step for vendors' events. `data` must be a strict zod object of ids, states and times. */
export function defineStep<Schema extends z.ZodObject>(
  { handles, data, ...definition }: Definition<Schema> & { handles: readonly EventName[]; data: Schema },
): Step {
  return makeStep(handles, data, definition);
}

function makeStep<Schema extends z.ZodObject>(
  handles: readonly string[],
  schema: Schema,
  { queue, weight = 1, run }: Definition<Schema>,
): Step {
  return {
    handles,
    queue,
    keys: Object.keys(schema.shape),
    weight,
    async run(ctx, data) {
      const parsed = schema.safeParse(data);
      if (!parsed.success) {
        const issue = parsed.error.issues[0];
        throw new Permanent("INVALID_DATA", {
          problem: `${issue?.path.join(".") || "data"}: ${issue?.code ?? "invalid"}`,
        });
      }
      return await run(ctx, parsed.data);
    },
  };
}
