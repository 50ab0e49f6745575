import { sql } from "kysely";
import { type Role, VendorError } from "../vendors/contract.ts";
import type { Deps } from "./deps.ts";
import { type Queue, Wait } from "./reasons.ts";

/** Failures in a row that open a pause: a vendor that is down should not eat up every task's tries. */
export const FAILURES_THAT_PAUSE = 5;
/** The first pause; each further failure after one doubles it. */
const PAUSE_SECONDS = 30;
const LONGEST_PAUSE_SECONDS = 600;
/** What we wait when a vendor says 429 and not how long. */
const RATE_LIMIT_PAUSE_SECONDS = 10;

/** Until somebody sets the right key nothing can succeed; a task is not to blame. */
const REFUSED_KEY_PAUSE_SECONDS = 300;

/** A key that the vendor no longer takes is trouble with the vendor, not with the task that met it. */
export function refusesOurKey(error: VendorError): boolean {
  return error.failure === "refused" && error.details.status === 401;
}

interface VendorState {
  pausedUntil: Date | null;
  failuresInARow: number;
  /** When this drain opened the last pause, by the same clock. */
  pauseOpenedAt: number;
  lastSuccessAt: Date | null;
}

/**
 * Stands between the steps and the vendors: holds calls to a paused vendor, counts
 * failures in a row and opens the pause. One instance a drain run; what it learns is written to `clockwork.vendors`.
 */
export class VendorGate {
  readonly #deps: Deps;
  readonly #states = new Map<Queue, VendorState>();
  #isMaintenance = false;

  private constructor(deps: Deps) {
    this.#deps = deps;
  }

  static async load(deps: Deps): Promise<VendorGate> {
    const gate = new VendorGate(deps);
    await gate.refresh();
    return gate;
  }

  /** Reads what people and other drains changed. */
  async refresh(): Promise<void> {
    const rows = await this.#deps.db
      .selectFrom("clockwork.vendors")
      .innerJoin("clockwork.settings", (join) => join.onTrue())
      .select(["vendor", "paused_until", "failures_in_a_row", "rate_per_second", "maintenance"])
      .execute();
    for (const row of rows) {
      this.#isMaintenance = row.maintenance;
      this.#deps.pace?.setRate(row.vendor, Number(row.rate_per_second));
      const news = { pausedUntil: row.paused_until };
      const known = this.#states.get(row.vendor);
      // Calls under way hold on to the state they began with; failures are counted here and only written there.
      if (known) Object.assign(known, news);
      else {
        this.#states.set(row.vendor, {
          ...news,
          failuresInARow: row.failures_in_a_row,
          pauseOpenedAt: -Infinity,
          lastSuccessAt: null,
        });
      }
    }
  }

  /** True while nothing of this queue may be taken up. */
  isHeld(queue: Queue): boolean {
    return this.#isMaintenance || this.pausedUntil(queue) !== null;
  }

  /** The end of the vendor's pause when it lies ahead. */
  pausedUntil(vendor: Queue): Date | null {
    const until = this.#states.get(vendor)?.pausedUntil ?? null;
    return until && until > this.#deps.clock() ? until : null;
  }

  /** After a failure the next batch is one task: a probe. */
  isProbing(vendor: Queue): boolean {
    return this.#state(vendor).failuresInARow > 0;
  }

  /** A client whose every call passes the gate. */
  guard<Client extends object>(vendor: Role, client: Client): Client {
    return new Proxy(client, {
      get: (target, property, receiver) => {
        const method: unknown = Reflect.get(target, property, receiver);
        if (typeof method !== "function") return method;
        return async (...args: unknown[]) =>
          await this.#call(vendor, () => Reflect.apply(method, target, args));
      },
    });
  }

  async #call(vendor: Role, call: () => unknown): Promise<unknown> {
    const state = this.#state(vendor);
    const pausedUntil = this.pausedUntil(vendor);
    if (pausedUntil) throw new Wait(pausedUntil, "VENDOR_PAUSED", { vendor });
    const beganAt = performance.now();
    try {
      const result = await call();
      await this.#succeeded(vendor, state);
      return result;
    } catch (error) {
      if (error instanceof VendorError) await this.#failed(vendor, state, error, beganAt);
      throw error;
    }
  }

  async #succeeded(vendor: Role, state: VendorState): Promise<void> {
    state.lastSuccessAt = this.#deps.clock();
    if (state.failuresInARow === 0) return;
    state.failuresInARow = 0;
    await this.flush();
    this.#deps.log("vendor_answers_again", { vendor });
  }

  async #failed(vendor: Role, state: VendorState, error: VendorError, beganAt: number): Promise<void> {
    if (refusesOurKey(error)) {
      await this.#pause(vendor, state, REFUSED_KEY_PAUSE_SECONDS, "the vendor refuses our key (401)");
      return;
    }
    if (error.failure === "refused") {
      // An answer, if not the one we wanted.
      await this.#succeeded(vendor, state);
      return;
    }
    if (error.failure === "rate_limited") {
      const seconds = error.details.retryAfterSeconds ?? RATE_LIMIT_PAUSE_SECONDS;
      await this.#pause(vendor, state, seconds, "the vendor asked us to slow down (429)");
      return;
    }
    // Calls that were under way when the pause opened tell nothing new, and must not draw it out.
    if (beganAt < state.pauseOpenedAt) return;
    state.failuresInARow += 1;
    const beyond = state.failuresInARow - FAILURES_THAT_PAUSE;
    if (beyond < 0) {
      await this.#recordFailure(vendor, state);
      return;
    }
    const seconds = Math.min(PAUSE_SECONDS * 2 ** Math.min(beyond, 10), LONGEST_PAUSE_SECONDS);
    await this.#pause(vendor, state, seconds, `${state.failuresInARow} calls in a row without an answer`);
  }

  async #recordFailure(vendor: Role, state: VendorState): Promise<void> {
    await this.#deps.db
      .updateTable("clockwork.vendors")
      // Calls side by side may write out of turn.
      .set({
        failures_in_a_row: sql`greatest(failures_in_a_row, ${state.failuresInARow})`,
        last_failure_at: sql`clockwork.now()`,
      })
      .where("vendor", "=", vendor)
      .execute();
  }

  async #pause(vendor: Role, state: VendorState, seconds: number, why: string): Promise<void> {
    const until = new Date(this.#deps.clock().getTime() + seconds * 1000);
    if (state.pausedUntil && state.pausedUntil >= until) return;
    state.pausedUntil = until;
    state.pauseOpenedAt = performance.now();
    await this.#deps.db
      .updateTable("clockwork.vendors")
      .set({
        // A longer pause that a person set stands.
        paused_reason: sql`case when paused_until > ${until} then paused_reason else ${why} end`,
        paused_until: sql`greatest(paused_until, ${until})`,
        failures_in_a_row: state.failuresInARow,
        last_failure_at: sql`clockwork.now()`,
      })
      .where("vendor", "=", vendor)
      .execute();
    this.#deps.log("vendor_paused", { vendor, seconds, failures_in_a_row: state.failuresInARow });
  }

  /** Writes what was learnt of vendors that answered, and reads what people or other drains changed. */
  async flush(): Promise<void> {
    const answered = [...this.#states].filter(([, state]) => state.lastSuccessAt !== null);
    for (const [vendor, state] of answered) {
      await this.#deps.db
        .updateTable("clockwork.vendors")
        .set({ failures_in_a_row: state.failuresInARow, last_success_at: state.lastSuccessAt })
        .where("vendor", "=", vendor)
        .execute();
      state.lastSuccessAt = null;
    }
    await this.refresh();
  }

  #state(vendor: Queue): VendorState {
    const state = this.#states.get(vendor);
    if (!state) throw new Error(`no row in clockwork.vendors for ${vendor}`);
    return state;
  }
}

/** Renewed with every batch and every heartbeat (10 s): a drain that died holds its queues no longer than this. */
export const QUEUE_LEASE_SECONDS = 35;

/** Takes the queue for this drain, or gives false: another drain works it. Only for rate; correctness never rests on it. */
export async function leaseQueue(
  deps: Deps,
  queue: Queue,
  drainId: string,
  seconds: number,
): Promise<boolean> {
  const row = await deps.db
    .updateTable("clockwork.vendors")
    .set({ leased_by: drainId, leased_until: sql`clockwork.now() + ${`${seconds} seconds`}::interval` })
    .where("vendor", "=", queue)
    .where((eb) =>
      eb.or([
        eb("leased_until", "is", null),
        eb("leased_until", "<", sql<Date>`clockwork.now()`),
        eb("leased_by", "=", drainId),
      ])
    )
    .returning("vendor")
    .executeTakeFirst();
  return row !== undefined;
}

export async function releaseQueue(deps: Deps, queue: Queue, drainId: string): Promise<void> {
  await deps.db
    .updateTable("clockwork.vendors")
    .set({ leased_by: null, leased_until: null })
    .where("vendor", "=", queue)
    .where("leased_by", "=", drainId)
    .execute();
}
