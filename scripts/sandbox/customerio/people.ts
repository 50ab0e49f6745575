import type { Json } from "../../../src/shared/vendors/contract.ts";
import { randomId } from "../random.ts";
import { mustHave } from "../shelf.ts";

export interface SandboxPerson {
  id: string;
  cioId: string;
  /** Each attribute with the time (s) of its last write. A cleared one is null or empty. */
  attributes: Map<string, { value: Json; at: number }>;
}

interface PeopleDeps {
  random: () => number;
  /** Now, in whole seconds. */
  seconds: () => number;
  /** Called when a known person's email or phone changes. */
  onContactChange: (person: SandboxPerson) => void;
}

/** The people of the workspace and their attributes. */
export class People {
  readonly byId = new Map<string, SandboxPerson>();
  readonly suppressed = new Set<string>();
  readonly #byCioId = new Map<string, string>();
  readonly #writes = new Map<string, number>();
  readonly #deps: PeopleDeps;

  constructor(deps: PeopleDeps) {
    this.#deps = deps;
  }

  /** Throws for an unknown person. */
  get(id: string): SandboxPerson {
    return mustHave(this.byId, id);
  }

  /** Our id of the person in a path, which has our id or `cio_` and Customer.io's. */
  idIn(segment: string): string {
    return segment.startsWith("cio_") ? this.#byCioId.get(segment.slice(4)) ?? segment : segment;
  }

  create(id: string): SandboxPerson {
    const cioId = randomId(this.#deps.random, "", 12, "0123456789abcdef");
    const person: SandboxPerson = { id, cioId, attributes: new Map() };
    this.byId.set(id, person);
    this.#byCioId.set(cioId, id);
    return person;
  }

  /** An API call writes attributes: `_update` never makes a person, `_timestamp` is the time (s) of the values. */
  identify(id: string, { _timestamp, _update, ...values }: Record<string, Json>): void {
    if (this.suppressed.has(id)) return;
    const known = this.byId.get(id);
    if (!known && _update === true) return;
    this.#writes.set(id, this.writes(id) + 1);
    const at = typeof _timestamp === "number" ? _timestamp : this.#deps.seconds();
    if (known) this.change(known, values, at);
    else this.write(this.create(id), values, at);
  }

  /** The number of API calls that wrote to this person, with or without an effect. */
  writes(id: string): number {
    return this.#writes.get(id) ?? 0;
  }

  /** As {@link People.write}, and sets off the campaign. Our own updates do so too: it cannot tell them apart. */
  change(person: SandboxPerson, values: Record<string, Json>, at = this.#deps.seconds()): void {
    const before = contact(person);
    this.write(person, values, at);
    if (contact(person) !== before) this.#deps.onContactChange(person);
  }

  /** Each attribute's later time wins; an empty value removes it. */
  write(person: SandboxPerson, values: Record<string, Json>, at = this.#deps.seconds()): void {
    for (const [name, value] of Object.entries(values)) {
      if (at >= (person.attributes.get(name)?.at ?? 0)) person.attributes.set(name, { value, at });
    }
  }

  act(id: string, action: "delete" | "suppress" | "unsuppress"): void {
    if (action === "suppress") this.suppressed.add(id);
    if (action === "unsuppress") this.suppressed.delete(id);
    else this.byId.delete(id);
  }

  /** `into` takes the attributes that it lacks; `from` is gone, and its id is free again. */
  merge(from: string, into: string): void {
    const [gone, kept] = [this.get(from), this.get(into)];
    const gaps = [...gone.attributes].filter(([name]) => text(kept, name) === "");
    this.byId.delete(from);
    this.change(kept, Object.fromEntries(gaps.map(([name, { value }]) => [name, value])));
  }
}

/** An attribute as Liquid renders it: a missing one is empty. */
export function text(person: SandboxPerson, name: string): string {
  const value = person.attributes.get(name)?.value ?? "";
  return typeof value === "string" ? value : JSON.stringify(value);
}

function contact(person: SandboxPerson): string {
  return [text(person, "email"), text(person, "phone")].join();
}
