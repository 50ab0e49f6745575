import { shuffle } from "./random.ts";

/** A webhook that waits to be sent. */
export interface OutboxMessage {
  /** The vendor's event id; equal for every try. */
  id: string;
  /** The exact bytes and headers of one try, signed as of `now`. */
  sign(now: Date): Promise<{ body: string; headers: Record<string, string> }>;
}

export interface OutboxRules {
  /** True when this answer ends the vendor's tries (Photon: any 4xx but 408 and 429). Default: only 2xx ends them. */
  givesUpOn?(status: number): boolean;
  /** Customer.io: later events wait until the first one is taken. Default: false. */
  headOfLine?: boolean;
}

interface OutboxDeps {
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

/** A vendor's webhooks, kept until the endpoint takes them. No timer sends them: only {@link Outbox.flush} does. */
export class Outbox {
  readonly faults = {
    /** The share of messages sent twice, 0 to 1. */
    doubled: 0,
    /** Sends the waiting messages in random order. */
    shuffled: false,
    /** Sends nothing; messages wait. */
    silent: false,
    /** The share of messages never sent at all, 0 to 1. */
    dropped: 0,
  };
  /** The ids of the messages that the endpoint answered 2xx: the vendor believes that they were taken. */
  readonly acknowledged = new Set<string>();
  /** The ids of the messages that the vendor gave up on. */
  readonly givenUp = new Set<string>();
  readonly #deps: OutboxDeps;
  readonly #rules: Required<OutboxRules>;
  #waiting: OutboxMessage[] = [];

  constructor(deps: OutboxDeps, rules: OutboxRules = {}) {
    this.#deps = deps;
    this.#rules = { givesUpOn: () => false, headOfLine: false, ...rules };
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  push(message: OutboxMessage): void {
    if (this.#deps.random() < this.faults.dropped) return;
    this.#waiting.push(message);
    if (this.#deps.random() < this.faults.doubled) this.#waiting.push(message);
  }

  /** Tries every waiting message once, `concurrency` at a time (one by one where head of line). */
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
        const { id, status } = delivery;
        deliveries.push(delivery);
        if (status !== null && status >= 200 && status < 300) this.acknowledged.add(id);
        else if (status !== null && this.#rules.givesUpOn(status)) this.givenUp.add(id);
        else {
          again.push(message);
          stalled = this.#rules.headOfLine;
        }
      }
    };
    const workers = this.#rules.headOfLine ? 1 : concurrency;
    await Promise.all(Array.from({ length: workers }, worker));
    // Messages pushed during the round come behind: a later event must not overtake the one that holds it back.
    this.#waiting.unshift(...again);
    return deliveries;
  }

  async #deliver({ id, sign }: OutboxMessage): Promise<Delivery> {
    const { body, headers } = await sign(this.#deps.now());
    try {
      const response = await this.#deps.fetch(this.#deps.url, { method: "POST", headers, body });
      return { id, status: response.status, body: await response.text() };
    } catch {
      return { id, status: null, body: "" };
    }
  }
}
