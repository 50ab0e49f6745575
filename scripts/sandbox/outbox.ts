/**
 * How a vendor sends its webhooks: signed anew for each try, kept until the endpoint took them,
 * and, on request, doubled, shuffled, silent or dropped. Nothing here runs on a timer: whoever runs the
 * sandbox calls {@link Outbox.flush}.
 */
export interface OutboxMessage {
  /** The vendor's event id; equal for every try. */
  id: string;
  /** The exact bytes and headers of one try, signed as of `now`. */
  sign(now: Date): Promise<{ body: string | Uint8Array; headers: Record<string, string> }>;
}

export interface OutboxRules {
  /** True when this answer ends the vendor's tries (Photon: any 4xx but 408 and 429). 2xx always does. */
  givesUpOn(status: number): boolean;
  /** Customer.io: later events wait until the first one went through. */
  headOfLine: boolean;
}

export interface OutboxFaults {
  /** The share of messages sent twice, 0 to 1. */
  doubled: number;
  /** Sends what waits in random order. */
  shuffled: boolean;
  /** Sends nothing; messages wait. */
  silent: boolean;
  /** The share of messages never sent at all, 0 to 1. */
  dropped: number;
}

export interface OutboxDeps {
  url: string;
  fetch: typeof fetch;
  now: () => Date;
  random: () => number;
}

export interface Delivery {
  id: string;
  status: number | null;
  body: string;
}

export class Outbox {
  readonly faults: OutboxFaults = { doubled: 0, shuffled: false, silent: false, dropped: 0 };
  /** Every message the endpoint answered 2xx to, by id: what the vendor believes was taken. */
  readonly acknowledged = new Set<string>();
  /** Ids of messages the vendor gave up on. */
  readonly givenUp = new Set<string>();
  readonly #deps: OutboxDeps;
  readonly #rules: OutboxRules;
  #waiting: OutboxMessage[] = [];

  constructor(deps: OutboxDeps, rules: OutboxRules) {
    this.#deps = deps;
    this.#rules = rules;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  push(message: OutboxMessage): void {
    if (this.#deps.random() < this.faults.dropped) return;
    this.#waiting.push(message);
    if (this.#deps.random() < this.faults.doubled) this.#waiting.push(message);
  }

  /** One round: every waiting message is tried once, `concurrency` at a time (one by one where head of line). */
  async flush(concurrency = 8): Promise<Delivery[]> {
    if (this.faults.silent) return [];
    const round = this.#waiting.splice(0);
    if (this.faults.shuffled) shuffle(round, this.#deps.random);
    const deliveries: Delivery[] = [];
    const again: OutboxMessage[] = [];
    let stalled = false;
    const worker = async () => {
      for (let message = round.shift(); message; message = round.shift()) {
        if (stalled) {
          again.push(message);
          continue;
        }
        const delivery = await this.#deliver(message);
        deliveries.push(delivery);
        if (delivery.status !== null && delivery.status >= 200 && delivery.status < 300) {
          this.acknowledged.add(message.id);
        } else if (delivery.status !== null && this.#rules.givesUpOn(delivery.status)) {
          this.givenUp.add(message.id);
        } else {
          again.push(message);
          stalled = this.#rules.headOfLine;
        }
      }
    };
    const workers = this.#rules.headOfLine ? 1 : concurrency;
    await Promise.all(Array.from({ length: workers }, worker));
    // Before what was pushed meanwhile: a later event must not overtake the one that holds it back.
    this.#waiting.unshift(...again);
    return deliveries;
  }

  async #deliver(message: OutboxMessage): Promise<Delivery> {
    const { body, headers } = await message.sign(this.#deps.now());
    try {
      const response = await this.#deps.fetch(this.#deps.url, {
        method: "POST",
        headers,
        body: body as BodyInit,
      });
      return { id: message.id, status: response.status, body: await response.text() };
    } catch {
      return { id: message.id, status: null, body: "" };
    }
  }
}

/** Fisher-Yates, in place. */
export function shuffle<T>(items: T[], random: () => number): T[] {
  for (let i = items.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    const held = items[i] as T;
    items[i] = items[j] as T;
    items[j] = held;
  }
  return items;
}
