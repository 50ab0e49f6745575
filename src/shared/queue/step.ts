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
  /** Every step, to find the queue of a new task. */
  steps: StepTable;
  now(): Date;
  /** Sets the customer and the invoice of the task; its follow-ups inherit them. */
  about(story: { customerId?: number; invoiceId?: string }): void;
  /** Does an effect through `clockwork.effects`. Returns the vendor's id of it. */
  once(effect: Effect): Promise<string | null>;
}

/** Database work of an outcome, in the settling transaction after the task moved. Returns the follow-ups. */
export type Commit = (trx: Trx) => FollowUp[] | void | Promise<FollowUp[] | void>;

/** How a run ended. `stopped` asks a person; `wait` is not counted as a try. */
export type Outcome =
  | { kind: "done"; commit?: Commit }
  | { kind: "cancelled" | "stopped" | "parked"; reason: Reason; commit?: Commit }
  | { kind: "wait"; until: Date; reason: Reason; commit?: Commit };

/** Ends a run with `outcome` from anywhere within it, such as the guard of an effect. Not a failure. */
export class Halt extends Error {
  override name = "Halt";
  readonly outcome: Outcome;
  constructor(outcome: Outcome) {
    super(outcome.kind);
    this.outcome = outcome;
  }
}

/** A step as the drain sees it. `run` refuses data that its schema does not allow. */
export interface Step {
  /** The values of `tasks.step` it runs for. */
  handles: readonly string[];
  /** The queue, named by the vendor that the step mostly calls. */
  queue: Queue;
  /** Event attributes that are stored. Ingest drops every other one. */
  keys: readonly string[];
  /** How many ordinary tasks' CPU one run costs: a page of a hundred is not one task. */
  weight: number;
  run(ctx: StepContext, data: unknown): Promise<Outcome>;
}

/** All steps, by the value of `tasks.step`. */
export interface StepTable {
  names: readonly string[];
  find(step: string): Step | undefined;
  queueOf(step: string): Queue;
}

/** The work of a step. `run` throws {@link Permanent}, `Retryable`, `Wait` or a `VendorError` for every failure. */
interface Definition<Schema extends z.ZodObject> {
  queue: Queue;
  /** Default: 1. See {@link Step.weight}. */
  weight?: number;
  run(ctx: StepContext, data: z.output<Schema>): Outcome | Promise<Outcome>;
}

/** Defines a step of ours. Its data has the schema of its name in {@link STEP_DATA}. */
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
      const parsed = schema.safeParse(withoutFacts(data));
      if (!parsed.success) {
        const issue = parsed.error.issues[0];
        throw new Permanent("INVALID_DATA", {
          problem: `${issue?.path.join(".") || "data"}: ${issue?.code ?? "invalid"}`,
        });
      }
      try {
        return await run(ctx, parsed.data);
      } catch (error) {
        if (error instanceof Halt) return error.outcome;
        throw error;
      }
    },
  };
}

/** A question's data without its facts: `ask` alone reads them, and no step has them in its schema. */
function withoutFacts(data: unknown): unknown {
  if (typeof data !== "object" || data === null || !("facts" in data)) return data;
  const { facts: _, ...ofStep } = data;
  return ofStep;
}
