/**
 * Objects by id in the order of creation, to be walked newest first from any of them without copying the rest.
 * With `groupOf` also the objects of one group (a customer's subscriptions) alone; an object never changes its group.
 */
export class Shelf<T> extends Map<string, T> {
  readonly #groupOf: ((object: T) => string) | undefined;
  readonly #groups = new Map<string, Shelf<T>>();
  /** Ids by position; a deleted one leaves a hole. */
  readonly #ids: (string | undefined)[] = [];
  readonly #positions = new Map<string, number>();

  constructor(groupOf?: (object: T) => string) {
    super();
    this.#groupOf = groupOf;
  }

  override set(id: string, object: T): this {
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

  /** The group when it is asked for, else everything. */
  only(key: string | undefined): Shelf<T> {
    return key === undefined ? this : this.group(key);
  }

  /** From just behind `after` (absent: from the newest) to the oldest. */
  *newestFirst(after?: string): Generator<T> {
    const from = after === undefined ? this.#ids.length : this.#positions.get(after) ?? 0;
    for (let i = from - 1; i >= 0; i--) yield* this.#at(i);
  }

  /** From just before `before` in the list, that is: from the next newer one to the newest. */
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
