import { invalidRequest, StripeApiError } from "./errors.ts";

/** Stripe may forget a key after this time. The sandbox always does. */
const MEMORY_MS = 24 * 60 * 60 * 1000;

const MAX_KEY_LENGTH = 255;

export interface Answer {
  status: number;
  body: object;
}

/** The first answer to each idempotency key. */
export class IdempotencyMemory {
  readonly #now: () => Date;
  readonly #kept = new Map<string, Answer & { request: string; at: number }>();

  constructor(now: () => Date) {
    this.#now = now;
  }

  /** The first answer. Throws when the key came with another `request` (path and parameters). */
  recall(key: string, request: string): Answer | undefined {
    if (key.length > MAX_KEY_LENGTH) {
      throw invalidRequest(`Idempotency keys may be up to ${MAX_KEY_LENGTH} characters long.`);
    }
    const kept = this.#kept.get(key);
    if (!kept || this.#now().getTime() - kept.at >= MEMORY_MS) return undefined;
    if (kept.request !== request) {
      throw new StripeApiError(400, {
        type: "idempotency_error",
        message:
          "Keys for idempotent requests can only be used with the same parameters they were first used with.",
      });
    }
    return { status: kept.status, body: kept.body };
  }

  keep(key: string, request: string, answer: Answer): void {
    this.#kept.set(key, { ...structuredClone(answer), request, at: this.#now().getTime() });
  }

  forget(): void {
    this.#kept.clear();
  }
}
