import type { Fetch } from "../vendors/call.ts";
import type { Role } from "../vendors/contract.ts";

/** Keeps each vendor's rate over all requests of a process. One call of a client can be several requests. */
export class Pace {
  readonly #sleep: (milliseconds: number) => Promise<void>;
  readonly #perSecond = new Map<string, number>();
  /** When the next request may go out, in milliseconds of the process's own clock. */
  readonly #nextAt = new Map<Role, number>();

  constructor(sleep: (milliseconds: number) => Promise<void>) {
    this.#sleep = sleep;
  }

  /** Requests a second at most, from `clockwork.vendors`; no limit until it is set. */
  setRate(vendor: string, perSecond: number): void {
    this.#perSecond.set(vendor, perSecond);
  }

  /** `fetch`, held back so that the vendor's requests are evenly spaced. */
  paced(vendor: Role, fetch: Fetch): Fetch {
    return async (...request: Parameters<Fetch>) => {
      const perSecond = this.#perSecond.get(vendor);
      if (perSecond !== undefined) {
        const now = performance.now();
        const at = Math.max(this.#nextAt.get(vendor) ?? 0, now);
        this.#nextAt.set(vendor, at + 1000 / perSecond);
        if (at > now) await this.#sleep(at - now);
      }
      return await fetch(...request);
    };
  }
}
