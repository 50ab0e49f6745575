import { sql } from "kysely";
import { isoDay } from "../sandbox/clinic.ts";
import { cancel } from "./billing.ts";
import type { Customer, Refill } from "./customer.ts";
import { DAY_MS, type Dice } from "./dice.ts";
import { beginCycle, prescribe } from "./pharmacy.ts";
import { count, later, note, type Stage, surprise } from "./stage.ts";
import { twinsOf } from "./truth.ts";

interface Row {
  task_id: number;
  reason: string;
  reason_code: string;
  customer_id: number | null;
  step: string;
  data: { subscription_id?: string; renewal_id?: number };
}

/** The customer whom a row is about, and the refill where the row names one. */
interface Subject {
  customer: Customer;
  refill: Refill | undefined;
}

/** The person who reads ops.manual_intervention and follows its repairs, after a day or a week. */
export function makeOpsPerson(stage: Stage, dice: Dice) {
  const { world: { db, now, vendors }, tally } = stage;
  /** Tasks that the person will see to. */
  const taken = new Set<number>();

  async function about({ data, customer_id }: Row): Promise<Subject | undefined> {
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

  /** Talks to the customer and the prescriber: mostly a new prescription follows, sometimes an end. */
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
      // The stop ends the campaign; a refill that is still uncovered opens a cycle of its own.
      refill.askedForThis = 0;
      // The reason of the stop: a prescription is promised for later.
      later(stage, dice.between(10, 50), () => {
        if (refill.wish === "refill") prescribe(stage, customer, refill.priceId);
      });
    }
  }

  function complete(customer: Customer): void {
    for (const filed of customer.prescriptions) {
      const { healthId, pharmacyId } = filed;
      const record = vendors.health.state.prescriptions.get(healthId);
      if (record?.status !== "active" || record.dispenseRequest?.validityPeriod?.end !== undefined) continue;
      beginCycle(customer, filed);
      surprise(stage, customer, "a prescription is completed");
      const copy = vendors.pharmacy.state.prescriptions.get(pharmacyId ?? "");
      // As it was written; at times by guess, unlike the pharmacy's copy.
      const validUntil = copy && dice.chance(0.8)
        ? copy.expirationDate
        : isoDay(new Date(now().getTime() + dice.between(60, 300) * DAY_MS));
      vendors.health.updatePrescription(healthId, { validUntil });
    }
  }

  async function repair(taskId: number): Promise<void> {
    const row = (await rows()).find(({ task_id }) => task_id === taskId);
    taken.delete(taskId);
    if (!row) return;
    // About nobody in particular; by now another night came to its end, or the row comes again.
    if (row.reason_code === "NIGHT_UNFINISHED") return await setStatus(taskId, "CANCELLED");
    const known = await about(row);
    if (!known) throw new Error(`task ${taskId} is about nobody: ${row.reason}`);
    const { customer } = known;
    note(stage, customer, "a person sees to", `${row.reason_code} (task ${taskId})`);
    const isKnown = await follow(row, known);
    stage.breaks.check(
      customer,
      "a person knows what to do",
      !isKnown && `${row.reason_code}: ${row.reason}`,
    );
  }

  /** Follows the row's repair. Gives false for a reason that the person does not know. */
  async function follow(row: Row, { customer, refill }: Subject): Promise<boolean> {
    switch (row.reason_code) {
      case "VENDOR_UNANSWERED":
      case "NOT_YET_VISIBLE":
      case "OUTCOME_UNKNOWN":
      case "DRAIN_DIED":
        await setStatus(row.task_id, "PENDING");
        return true;
      case "RENEWAL_LAPSED":
      case "REFILL_WITHOUT_PRESCRIPTION":
        // The row waits while the customer pauses.
        if (refill?.wish === "refill") await talk({ customer, refill }, row);
        return true;
      case "REFILL_DATES_UNKNOWN":
        complete(customer);
        return true;
      case "REFILL_TWICE":
        if (refill && twinsOf(customer, refill).length > 0) cancel(stage, customer, refill, false);
        return true;
      case "HEALTH_PATIENT_UNANSWERED":
        return true; // closes by itself
      default:
        return false;
    }
  }

  return {
    /** Reads the list. Gives the customers that an open row is about. */
    async read(): Promise<ReadonlySet<Customer>> {
      const customers = new Set<Customer>();
      const open = await rows();
      for (const row of open) {
        const known = await about(row);
        if (known) customers.add(known.customer);
        if (taken.has(row.task_id)) continue;
        taken.add(row.task_id);
        count(tally, `row for a person: ${row.reason_code}`);
        if (known) {
          note(stage, known.customer, "a row for a person", `${row.reason_code} (task ${row.task_id})`);
        }
        later(stage, dice.between(0.3, 8), () => repair(row.task_id));
      }
      return customers;
    },
  };
}
