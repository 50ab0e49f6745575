import type { MiddlewareHandler } from "hono";
import type { HttpBindings } from "@hono/node-server";

/**
 * A fault on the way to a vendor.
 * - `lose_answer`: the vendor acts, then the connection breaks before the answer (a timeout after commit).
 * - `lose_request`: the connection breaks, and the vendor does nothing.
 * - `late_commit`: the connection breaks at once; the vendor acts on {@link Faults.commitLate}, after our look.
 * - `status`: the vendor answers `status` (429 with `retryAfterSeconds`) and does nothing.
 * - `silence`: the vendor does nothing for `seconds`, then the connection breaks.
 */
export interface Fault {
  /** The sandbox's name for the operation; absent: every operation. */
  operation?: string;
  kind: "lose_answer" | "lose_request" | "late_commit" | "status" | "silence";
  status?: number;
  /** The vendor's code for a `status`, in the body of the answer. */
  code?: string;
  /** The id of the one object it hits, by the path of the call; absent: every object. */
  objectId?: string;
  /** The length of a `silence`, in real time. Default: 60. */
  seconds?: number;
  retryAfterSeconds?: number;
  /** The number of calls it hits; absent: every call until it is cleared. */
  times?: number;
  /** The share of calls it hits, 0 to 1; absent: every one. */
  share?: number;
}

/** The status of a broken connection. A caller behind a socket never sees it. */
export const CONNECTION_BROKE = 499;

/** A sandbox's faults and its counts of calls. One instance a sandbox. */
export class Faults {
  /** Calls by operation, failed ones included. */
  readonly calls = new Map<string, number>();
  /** Calls that met a fault, by kind (`status 503`, `lose_answer`, …). */
  readonly met = new Map<string, number>();
  /** Calls that met no fault. */
  answered = 0;
  /** Calls refused because they came faster than {@link limitRate} allows. */
  overRate = 0;
  #faults: Fault[] = [];
  #rate: { perSecond: number; tokens: number; at: number } | null = null;
  #late: (() => Promise<unknown>)[] = [];
  readonly #random: () => number;

  constructor(random: () => number) {
    this.#random = random;
  }

  add(fault: Fault): void {
    this.#faults.push({ ...fault });
  }

  clear(): void {
    this.#faults = [];
  }

  /**
   * Answers calls beyond the rate with 429 and Retry-After: 1, as a real vendor does. Null lifts the limit.
   * A token bucket in real time holds the calls of one second.
   */
  limitRate(perSecond: number | null): void {
    this.#rate = perSecond === null ? null : { perSecond, tokens: perSecond, at: performance.now() };
  }

  #isOverRate(): boolean {
    const rate = this.#rate;
    if (!rate) return false;
    const now = performance.now();
    rate.tokens = Math.min(rate.perSecond, rate.tokens + ((now - rate.at) / 1000) * rate.perSecond);
    rate.at = now;
    if (rate.tokens < 1) return true;
    rate.tokens -= 1;
    return false;
  }

  /** Runs the calls that `late_commit` kept back. */
  async commitLate(): Promise<void> {
    for (const commit of this.#late.splice(0)) await commit();
  }

  /** The first fault that hits this operation on this path. Counts its `times` down. */
  #draw(operation: string, path: string): Fault | undefined {
    for (const fault of this.#faults) {
      if (fault.operation !== undefined && fault.operation !== operation) continue;
      if (fault.objectId !== undefined && !path.split("/").includes(fault.objectId)) continue;
      if (fault.share !== undefined && this.#random() >= fault.share) continue;
      if (fault.times !== undefined && --fault.times < 0) continue;
      return fault;
    }
    return undefined;
  }

  /** Runs `handle` for `operation` through the faults. `breakConnection` makes the transport lose the answer. */
  async run(
    operation: string,
    handle: () => Promise<Response>,
    breakConnection: () => void,
    path = "",
  ): Promise<Response> {
    this.calls.set(operation, (this.calls.get(operation) ?? 0) + 1);
    if (this.#isOverRate()) {
      this.overRate += 1;
      const headers = { "retry-after": "1" };
      return Response.json({ error: { message: "too many requests" } }, { status: 429, headers });
    }
    const fault = this.#draw(operation, path);
    if (fault) {
      const kind = fault.kind === "status" ? `status ${fault.status ?? 500}` : fault.kind;
      this.met.set(kind, (this.met.get(kind) ?? 0) + 1);
    }
    switch (fault?.kind) {
      case undefined:
        this.answered += 1;
        return await handle();
      case "status": {
        const { status = 500, retryAfterSeconds, code } = fault;
        const headers = new Headers();
        if (retryAfterSeconds !== undefined) headers.set("retry-after", String(retryAfterSeconds));
        const error = { message: "fault on request", ...(code === undefined ? {} : { code }) };
        return Response.json({ error }, { status, headers });
      }
      case "lose_answer":
        await handle();
        break;
      case "late_commit":
        this.#late.push(handle);
        break;
      case "lose_request":
        break;
      case "silence":
        await new Promise((resolve) => setTimeout(resolve, (fault.seconds ?? 60) * 1000));
        break;
    }
    breakConnection();
    return new Response(null, { status: CONNECTION_BROKE });
  }
}

/**
 * Wraps one Hono route: `app.post("/v1/x", withFaults(faults, "create x"), handler)`.
 * An `operation` that reads the body uses a clone (`c.req.raw.clone()`) or Hono's cached `c.req.json()`.
 */
export function withFaults(
  faults: Faults,
  operation: string | ((c: Parameters<MiddlewareHandler>[0]) => string | Promise<string>),
): MiddlewareHandler<{ Bindings: HttpBindings }> {
  return async (c, next) => {
    const name = typeof operation === "string" ? operation : await operation(c);
    // A late commit runs after the request: Hono replays a body that it read before, here or for `operation`.
    if (c.req.raw.body !== null && !c.req.raw.bodyUsed) await c.req.raw.clone().arrayBuffer();
    const response = await faults.run(
      name,
      async () => {
        await next();
        return c.res;
      },
      () => c.env.incoming?.socket.destroy(),
      c.req.path,
    );
    c.res = undefined;
    c.res = response;
  };
}
