import { sql } from "kysely";
import { cancel } from "./billing.ts";
import type { Customer, Refill } from "./customer.ts";
import { DAY_MS, type Dice } from "./dice.ts";
import { isoDay } from "../sandbox/clinic.ts";
import { prescribe } from "./pharmacy.ts";
import { twinsOf } from "./truth.ts";
import { count, note, type Stage, surprise } from "./stage.ts";

interface Row {
  task_id: number;
  reason: string;
  reason_code: string;
  customer_id: number | null;
  step: string;
  data: { subscription_id?: string; renewal_id?: number };
}

/** The person who reads ops.manual_intervention and does what its repair says, after a day or a week. */
export interface OpsPerson {
  /** Reads the list. Gives the customers that an open row is about. */
  read(): Promise<ReadonlySet<Customer>>;
}

/** Rows that a resend settles, or that nobody at the desk can do more about. */
const RESEND: ReadonlySet<string> = new Set([
  "VENDOR_UNANSWERED",
  "NOT_YET_VISIBLE",
  "OUTCOME_UNKNOWN",
  "DRAIN_DIED",
]);

export function makeOpsPerson(stage: Stage, dice: Dice): OpsPerson {
  const { world: { db, now, vendors }, agenda, tally } = stage;
  const planned = new Map<number, number>();

  async function about(
    { data, customer_id }: Row,
  ): Promise<{ customer: Customer; refill: Refill | undefined } | undefined> {
    let subscription = data.subscription_id;
    if (data.renewal_id !== undefined) {
      const renewal = await db.selectFrom("tracker.renewals").select("subscription_id")
        .where("id", "=", data.renewal_id).executeTakeFirst();
      subscription = renewal?.subscription_id;
    }
    const known = stage.refills.get(subscription ?? "");
    if (known) return known;
    const customer = stage.customers.find(({ person }) => person.customerId === customer_id);
    return customer && { customer, refill: undefined };
  }

  async function rows(): Promise<Row[]> {
    const { rows } = await sql<Row>`
      select task_id, reason, reason_code, customer_id, step, data from ops.manual_intervention`.execute(db);
    return rows;
  }

  async function setStatus(taskId: number, status: "PENDING" | "CANCELLED"): Promise<void> {
    await sql`update clockwork.tasks set status = ${status}::clockwork.task_status
      where id = ${taskId} and status = 'MANUAL_INTERVENTION'`.execute(db);
  }

  /** The customer and the prescriber were talked to: mostly there is a new prescription then, sometimes an end. */
  async function talk({ customer, refill }: { customer: Customer; refill: Refill }, row: Row): Promise<void> {
    const outcome = dice.weighted([[72, "prescribe"], [16, "cancel"], [12, "stop"]] as const);
    if (outcome === "prescribe") prescribe(stage, customer, refill.priceId);
    else if (outcome === "cancel" || row.data.renewal_id === undefined) {
      cancel(stage, customer, refill, false);
    } else {
      surprise(stage, customer, "a person stops a renewal by hand", String(row.data.renewal_id));
      await sql`update tracker.renewals set state = 'CANCELLED' where id = ${row.data.renewal_id} and closed_at is null`
        .execute(db);
      await setStatus(row.task_id, "CANCELLED");
      // The stop ends the campaign; what is still uncovered opens as a cycle of its own.
      refill.askedForThis = 0;
      // Stopped, because a prescription is promised for later.
      agenda.plan(now().getTime() + dice.between(10, 50) * DAY_MS, () => {
        if (refill.wish === "refill") prescribe(stage, customer, refill.priceId);
      });
    }
  }

  function complete({ customer }: { customer: Customer }): void {
    for (const { healthId, pharmacyId } of customer.prescriptions) {
      const held = vendors.health.state.prescriptions.get(healthId);
      if (held?.status !== "active" || held.dispenseRequest?.validityPeriod?.end !== undefined) continue;
      surprise(stage, customer, "a prescription is completed");
      const atPharmacy = pharmacyId ? vendors.pharmacy.state.prescriptions.get(pharmacyId) : undefined;
      // As it was written; at times by guess, and then the pharmacy's copy says otherwise.
      const validUntil = atPharmacy && dice.chance(0.8)
        ? atPharmacy.expirationDate
        : isoDay(new Date(now().getTime() + dice.between(60, 300) * DAY_MS));
      vendors.health.updatePrescription(healthId, { validUntil });
    }
  }

  async function repair(taskId: number): Promise<void> {
    const row = (await rows()).find(({ task_id }) => task_id === taskId);
    planned.delete(taskId);
    if (!row) return;
    // About nobody in particular; by now another night came to its end, or the row comes again.
    if (row.reason_code === "NIGHT_UNFINISHED") return await setStatus(taskId, "CANCELLED");
    const known = await about(row);
    if (!known) throw new Error(`task ${taskId} is about nobody: ${row.reason}`);
    const { customer, refill } = known;
    stage.breaks.looked("a person knows what to do");
    note(stage, customer, "a person sees to", `${row.reason_code} (task ${taskId})`);
    if (RESEND.has(row.reason_code)) return await setStatus(taskId, "PENDING");
    switch (row.reason_code) {
      case "RENEWAL_LAPSED":
      case "REFILL_WITHOUT_PRESCRIPTION":
        // One who paused meanwhile is left alone: the row waits.
        if (refill?.wish === "refill") await talk({ customer, refill }, row);
        return;
      case "REFILL_DATES_UNKNOWN":
        return complete({ customer });
      case "REFILL_TWICE":
        if (refill && twinsOf(customer, refill).length > 0) cancel(stage, customer, refill, false);
        return;
      case "HEALTH_PATIENT_UNANSWERED":
        return; // closes by itself
      default:
        stage.breaks.add(customer, "a person knows what to do", `${row.reason_code}: ${row.reason}`);
    }
  }

  return {
    async read() {
      const customers = new Set<Customer>();
      const open = await rows();
      for (const row of open) {
        const known = await about(row);
        if (known) customers.add(known.customer);
        if (planned.has(row.task_id)) continue;
        planned.set(row.task_id, 1);
        count(tally, `row for a person: ${row.reason_code}`);
        if (known) {
          note(stage, known.customer, "a row for a person", `${row.reason_code} (task ${row.task_id})`);
        }
        agenda.plan(now().getTime() + dice.between(0.3, 8) * DAY_MS, () => repair(row.task_id));
      }
      return customers;
    },
  };
}
