import { type RawBuilder, sql } from "kysely";
import type { Database, Trx } from "../db/database.ts";
import type { ClockworkTaskStatus } from "../db/types.ts";
import type { Json } from "../vendors/contract.ts";
import type { Reason, ReasonCode } from "./reasons.ts";
import type { DataOf, StepName } from "./step-data.ts";
import { reasonText } from "./tasks.ts";

/** Waiting, at work or retried. */
export const UNDER_WAY: readonly ClockworkTaskStatus[] = ["PENDING", "QUEUED"];
/** Waiting, at work, or in front of a person. */
export const OPEN: readonly ClockworkTaskStatus[] = [...UNDER_WAY, "MANUAL_INTERVENTION"];

type Plain = string | number | boolean;
type OneOrMore<Value> = Value | readonly Value[];
type Attributes = Readonly<Record<string, OneOrMore<Plain> | undefined>>;

/** Attributes of a step's data and their values. */
export type About<Name extends StepName> = {
  readonly [Key in keyof DataOf<Name>]?: OneOrMore<Extract<DataOf<Name>[Key], Plain>>;
};

/** A condition on tasks; all parts must hold. A list means any of its values, so an empty one matches nothing. */
export interface Which<Name extends StepName> {
  ids?: readonly number[];
  step?: OneOrMore<Name>;
  about?: About<Name>;
  /** An attribute that the data has, with any value. */
  has?: string & keyof DataOf<Name>;
  status?: OneOrMore<ClockworkTaskStatus>;
  reasonCode?: OneOrMore<ReasonCode>;
  /** The reason with its details. */
  reason?: Reason;
  customerId?: number;
  invoiceId?: readonly string[];
  causedBy?: number;
  /** The id of the task that asks: its own row does not count. */
  except?: number;
}

/** A task as a step may read it. A person may have edited its data. */
export type FoundTask = Awaited<ReturnType<ReturnType<typeof tasks>["execute"]>>[number];

/** Finds tasks of any status, oldest first. */
export async function findTasks<Name extends StepName>(
  db: Database | Trx,
  which: Which<Name>,
): Promise<FoundTask[]> {
  return matchesNothing(which) ? [] : await tasks(db).where(matching(which)).execute();
}

/**
 * Finds recorded events, oldest first, also those that have no step.
 * @param events the beginning of their names: `pharmacy.order.`
 */
export async function findEvents(
  db: Database | Trx,
  events: string,
  about: Attributes,
): Promise<FoundTask[]> {
  return await tasks(db).where(sql<boolean>`step like ${sql.lit(`${events}%`)}`).where(matching({ about }))
    .execute();
}

/** True when there is such a task, of any status. */
export async function hasTask<Name extends StepName>(
  db: Database | Trx,
  which: Which<Name>,
): Promise<boolean> {
  if (matchesNothing(which)) return false;
  const found = await db.selectFrom("clockwork.tasks").select("id").where(matching(which)).limit(1)
    .executeTakeFirst();
  return found !== undefined;
}

function tasks(db: Database | Trx) {
  return db
    .selectFrom("clockwork.tasks")
    .select(["id", "step", "status", "reason", "reason_code as reasonCode", "customer_id as customerId"])
    .select(["invoice_id as invoiceId", "created_at as createdAt", "updated_at as updatedAt"])
    .select(sql<Readonly<Record<string, Json>>>`data`.as("data"))
    .orderBy("id");
}

/** The condition on `clockwork.tasks`. Names of attributes are literals, so that the indexes on them serve. */
export function matching<Name extends StepName>(which: Which<Name>): RawBuilder<boolean> {
  const { ids, step, has, status, reasonCode, reason, customerId, invoiceId, causedBy, except } = which;
  const about: Attributes = which.about ?? {};
  const conditions = [
    ...(ids ? [sql`id = any (${ids}::bigint[])`] : []),
    ...(step ? [sql`step = any (${listOf(step)}::text[])`] : []),
    ...Object.entries(about).map(([name, value]) =>
      sql`data ->> ${sql.lit(name)} = any (${listOf(value ?? []).map(String)}::text[])`
    ),
    ...(has ? [sql`data ? ${sql.lit(has)}`] : []),
    ...(status ? [sql`status = any (${listOf(status)}::clockwork.task_status[])`] : []),
    ...(reasonCode ? [sql`reason_code = any (${listOf(reasonCode)}::text[])`] : []),
    ...(reason ? [sql`reason_code = ${reason.code} and reason = ${reasonText(reason)}`] : []),
    ...(customerId === undefined ? [] : [sql`customer_id = ${customerId}`]),
    ...(invoiceId ? [sql`invoice_id = any (${invoiceId}::text[])`] : []),
    ...(causedBy === undefined ? [] : [sql`caused_by = ${causedBy}`]),
    ...(except === undefined ? [] : [sql`id <> ${except}`]),
  ];
  return sql<boolean>`${sql.join(conditions, sql` and `)}`;
}

/** True when a list is empty, so that no statement is needed to know that nothing matches. */
export function matchesNothing<Name extends StepName>({ ids, about = {}, invoiceId }: Which<Name>): boolean {
  const lists = [ids, invoiceId, ...Object.values(about)];
  return lists.some((values) => Array.isArray(values) && values.length === 0);
}

/** The attributes of the data that have a plain value. */
export function aboutOf(data: object): Attributes {
  return Object.fromEntries(
    Object.entries(data).filter(([, value]) => ["string", "number", "boolean"].includes(typeof value)),
  );
}

function listOf<Value extends Plain>(values: OneOrMore<Value>): readonly Value[] {
  return typeof values === "object" ? values : [values];
}
