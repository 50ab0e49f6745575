import { sql, type UpdateObject } from "kysely";
import type { DB } from "../db/types.ts";
import { type Role, VendorError } from "../vendors/contract.ts";
import type { Deps } from "./deps.ts";
import { type Queue, Wait } from "./reasons.ts";

/** Failures in a row that open a pause: a vendor that is down should not eat up every task's tries. */
export const FAILURES_THAT_PAUSE = 5;
/** The first pause; each further failure after one doubles it. */
const PAUSE_SECONDS = 30;
const LONGEST_PAUSE_SECONDS = 600;
/** For a 429 that names no time. */
const RATE_LIMIT_PAUSE_SECONDS = 10;
/** Nothing can succeed until somebody sets the right key. */
const REFUSED_KEY_PAUSE_SECONDS = 300;

/** A refused key is trouble with the vendor, and no fault of the task that met it. */
export function refusesOurKey(error: VendorError): boolean {
  return error.failure === "refused" && error.details.status === 401;
}

interface VendorState {
  pausedUntil: Date | null;
  failuresInARow: number;
  /** When this drain opened the last pause, in milliseconds of `performance.now()`. */
  pauseOpenedAt: number;
  lastSuccessAt: Date | null;
}

/**
 * Stands between the steps and the vendors: refuses calls to a paused vendor, counts failures in a row and opens pauses.
 * One instance for each drain; it writes its counts to `clockwork.vendors`.
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

  /** Reads the changes of people and other drains. */
  async refresh(): Promise<void> {
    const rows = await this.#deps.db
      .selectFrom("clockwork.vendors")
      .innerJoin("clockwork.settings", (join) => join.onTrue())
      .select(["vendor", "paused_until", "failures_in_a_row", "rate_per_second", "maintenance"])
      .execute();
    for (const row of rows) {
      this.#isMaintenance = row.maintenance;
      this.#deps.pace?.setRate(row.vendor, Number(row.rate_per_second));
      const known = this.#states.get(row.vendor);
      // Calls under way keep the state they began with. Failures are counted in it, and only written to the table.
      if (known) known.pausedUntil = row.paused_until;
      else {
        this.#states.set(row.vendor, {
          pausedUntil: row.paused_until,
          failuresInARow: row.failures_in_a_row,
          pauseOpenedAt: -Infinity,
          lastSuccessAt: null,
        });
      }
    }
  }

  /** True while no task of this queue may be taken. */
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
    const { failure, details: { retryAfterSeconds = RATE_LIMIT_PAUSE_SECONDS } } = error;
    if (refusesOurKey(error)) {
      await this.#pause(vendor, state, REFUSED_KEY_PAUSE_SECONDS, "the vendor refuses our key (401)");
    } else if (failure === "refused") {
      // A refusal is a reply.
      await this.#succeeded(vendor, state);
    } else if (failure === "rate_limited") {
      await this.#pause(vendor, state, retryAfterSeconds, "the vendor asked us to slow down (429)");
    } else if (beganAt >= state.pauseOpenedAt) {
      // A call that was under way when the pause opened must not draw it out.
      state.failuresInARow += 1;
      await this.#countFailure(vendor, state);
    }
  }

  async #countFailure(vendor: Role, state: VendorState): Promise<void> {
    const beyond = state.failuresInARow - FAILURES_THAT_PAUSE;
    if (beyond >= 0) {
      const seconds = Math.min(PAUSE_SECONDS * 2 ** Math.min(beyond, 10), LONGEST_PAUSE_SECONDS);
      const why = `the vendor did not reply to ${state.failuresInARow} calls in a row`;
      return await this.#pause(vendor, state, seconds, why);
    }
    await this.#write(vendor, {
      // Calls side by side may write out of turn.
      failures_in_a_row: sql`greatest(failures_in_a_row, ${state.failuresInARow})`,
      last_failure_at: sql`clockwork.now()`,
    });
  }

  async #pause(vendor: Role, state: VendorState, seconds: number, why: string): Promise<void> {
    const until = new Date(this.#deps.clock().getTime() + seconds * 1000);
    if (state.pausedUntil && state.pausedUntil >= until) return;
    state.pausedUntil = until;
    state.pauseOpenedAt = performance.now();
    await this.#write(vendor, {
      // A longer pause that a person set stands.
      paused_reason: sql`case when paused_until > ${until} then paused_reason else ${why} end`,
      paused_until: sql`greatest(paused_until, ${until})`,
      failures_in_a_row: state.failuresInARow,
      last_failure_at: sql`clockwork.now()`,
    });
    this.#deps.log("vendor_paused", { vendor, seconds, failures_in_a_row: state.failuresInARow });
  }

  /** Writes the successes, and refreshes. */
  async flush(): Promise<void> {
    for (const [vendor, state] of this.#states) {
      const { failuresInARow: failures_in_a_row, lastSuccessAt: last_success_at } = state;
      if (last_success_at === null) continue;
      await this.#write(vendor, { failures_in_a_row, last_success_at });
      state.lastSuccessAt = null;
    }
    await this.refresh();
  }

  async #write(vendor: Queue, values: UpdateObject<DB, "clockwork.vendors">): Promise<void> {
    await this.#deps.db.updateTable("clockwork.vendors").set(values).where("vendor", "=", vendor).execute();
  }

  #state(vendor: Queue): VendorState {
    const state = this.#states.get(vendor);
    if (!state) throw new Error(`no row in clockwork.vendors for ${vendor}`);
    return state;
  }
}
