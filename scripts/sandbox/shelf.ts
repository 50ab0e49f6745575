/**
 * Objects by id in the order of creation, walked newest first from any of them without a copy of the rest.
 * With `groupOf` each group (a customer's subscriptions) can be walked alone. An object with a new group counts as new.
 */
export class Shelf<T extends { id: string }> extends Map<string, T> {
  readonly #groupOf: ((object: T) => string) | undefined;
  readonly #groups = new Map<string, Shelf<T>>();
  /** Ids by position; a deleted one leaves a hole. */
  readonly #ids: (string | undefined)[] = [];
  readonly #positions = new Map<string, number>();

  constructor(groupOf?: (object: T) => string) {
    super();
    this.#groupOf = groupOf;
  }

  /** Puts the object under its id, and returns it. */
  add(object: T): T {
    this.set(object.id, object);
    return object;
  }

  override set(id: string, object: T): this {
    const former = this.get(id);
    if (former !== undefined && this.#groupOf?.(former) !== this.#groupOf?.(object)) this.delete(id);
    if (!this.#positions.has(id)) {
      this.#positions.set(id, this.#ids.length);
      this.#ids.push(id);
    }
    if (this.#groupOf !== undefined) {
      const key = this.#groupOf(object);
      const group = this.#groups.get(key) ?? new Shelf<T>();
      this.#groups.set(key, group.set(id, object));
    }
    return super.set(id, object);
  }

  override delete(id: string): boolean {
    const object = this.get(id);
    const position = this.#positions.get(id);
    if (object === undefined || position === undefined) return false;
    this.#ids[position] = undefined;
    this.#positions.delete(id);
    if (this.#groupOf !== undefined) this.#groups.get(this.#groupOf(object))?.delete(id);
    return super.delete(id);
  }

  override clear(): void {
    this.#ids.length = 0;
    this.#positions.clear();
    this.#groups.clear();
    super.clear();
  }

  group(key: string): Shelf<T> {
    return this.#groups.get(key) ?? new Shelf<T>();
  }

  /** One group, or everything without a key. */
  only(key: string | null | undefined): Shelf<T> {
    return key === undefined || key === null ? this : this.group(key);
  }

  /** From just behind `after` (absent: from the newest) to the oldest. */
  *newestFirst(after?: string): Generator<T> {
    const from = after === undefined ? this.#ids.length : this.#positions.get(after) ?? 0;
    for (let i = from - 1; i >= 0; i--) yield* this.#at(i);
  }

  /** From the next newer one than `before` to the newest. */
  *newerThan(before: string): Generator<T> {
    const from = this.#positions.get(before) ?? this.#ids.length;
    for (let i = from + 1; i < this.#ids.length; i++) yield* this.#at(i);
  }

  *#at(position: number): Generator<T> {
    const id = this.#ids[position];
    const object = id === undefined ? undefined : this.get(id);
    if (object !== undefined) yield object;
  }
}

/** The first `count` entries of a walk that `fits`, or those before the first entry at which it `endsAt`. */
export function take<T>(
  walk: Iterable<T>,
  count: number,
  fits: (entry: T) => boolean,
  endsAt: (entry: T) => boolean = () => false,
): T[] {
  const taken: T[] = [];
  for (const entry of walk) {
    if (endsAt(entry)) break;
    if (fits(entry)) taken.push(entry);
    if (taken.length === count) break;
  }
  return taken;
}

/** The object with this id. Throws for an unknown id: a mistake of the calling test or script. */
export function mustHave<Value>(map: ReadonlyMap<string, Value>, id: string): Value {
  const value = map.get(id);
  if (value === undefined) throw new Error(`the sandbox has no ${id}`);
  return value;
}
