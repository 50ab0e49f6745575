import type { MiddlewareHandler } from "hono";
import type { HttpBindings } from "@hono/node-server";

/**
 * What can go wrong on the way to a vendor, on request.
 * - `lose_answer`: the vendor does it, then the connection breaks before the answer (a timeout after commit).
 * - `lose_request`: the connection breaks and nothing was done.
 * - `late_commit`: the connection breaks at once; the vendor does it when {@link Faults.commitLate} is called,
 *   that is: only after we looked.
 * - `status`: answers with `status` (429 with `retryAfterSeconds`) and does nothing.
 */
export interface Fault {
  /** The operation's name, as the sandbox names it; absent: every operation. */
  operation?: string;
  kind: "lose_answer" | "lose_request" | "late_commit" | "status";
  status?: number;
  retryAfterSeconds?: number;
  /** How many calls it hits; absent: until it is cleared. */
  times?: number;
  /** The share of calls it hits, 0 to 1; absent: every one. */
  share?: number;
}

/** A sandbox's faults and its count of calls. One instance a sandbox. */
export class Faults {
  /** Calls seen, by operation, failed ones included. */
  readonly calls = new Map<string, number>();
  /** Calls that met a fault, by kind (`status 503`, `lose_answer`, …). */
  readonly met = new Map<string, number>();
  #faults: Fault[] = [];
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

  /** Does what `late_commit` kept back. */
  async commitLate(): Promise<void> {
    for (const commit of this.#late.splice(0)) await commit();
  }

  /** The next fault that hits this operation, used up by one. */
  #draw(operation: string): Fault | undefined {
    for (const fault of this.#faults) {
      if (fault.operation !== undefined && fault.operation !== operation) continue;
      if (fault.share !== undefined && this.#random() >= fault.share) continue;
      if (fault.times !== undefined && --fault.times < 0) continue;
      return fault;
    }
    return undefined;
  }

  /**
   * Runs `handle` for `operation` through the faults.
   * `breakConnection` is what the transport does to lose an answer.
   */
  async run(
    operation: string,
    handle: () => Promise<Response>,
    breakConnection: () => void,
  ): Promise<Response> {
    this.calls.set(operation, (this.calls.get(operation) ?? 0) + 1);
    const fault = this.#draw(operation);
    if (fault) {
      const kind = fault.kind === "status" ? `status ${fault.status ?? 500}` : fault.kind;
      this.met.set(kind, (this.met.get(kind) ?? 0) + 1);
    }
    switch (fault?.kind) {
      case undefined:
        return await handle();
      case "status": {
        const headers = fault.retryAfterSeconds === undefined
          ? {}
          : { "retry-after": String(fault.retryAfterSeconds) };
        return Response.json({ error: { message: "fault on request" } }, {
          status: fault.status ?? 500,
          headers,
        });
      }
      case "lose_answer":
        await handle();
        break;
      case "late_commit":
        this.#late.push(handle);
        break;
      case "lose_request":
        break;
    }
    breakConnection();
    return new Response(null, { status: 499 });
  }
}

/**
 * Wraps one Hono route: `app.post("/v1/x", withFaults(faults, "create x"), handler)`.
 * Read the request body inside `operationOf` only through a clone (`c.req.raw.clone()`), or by Hono's cached `c.req.json()`.
 */
export function withFaults(
  faults: Faults,
  operation: string | ((c: Parameters<MiddlewareHandler>[0]) => string | Promise<string>),
): MiddlewareHandler<{ Bindings: HttpBindings }> {
  return async (c, next) => {
    const name = typeof operation === "string" ? operation : await operation(c);
    // Hono can only run `next` during the request: a late commit reads the body first and replays it.
    // A body that `operation` read through Hono is kept by Hono.
    if (!c.req.raw.bodyUsed) await c.req.raw.clone().arrayBuffer();
    const response = await faults.run(
      name,
      async () => {
        await next();
        return c.res;
      },
      () => c.env.incoming?.socket.destroy(),
    );
    c.res = undefined;
    c.res = response;
  };
}
