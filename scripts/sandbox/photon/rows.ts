/** Rows by id in the order they were made, found by patient and by cursor without a look at all of them. */
export class Rows<Row extends { id: string; patientId: string }> extends Map<string, Row> {
  readonly #all: Row[] = [];
  readonly #byPatient = new Map<string, Row[]>();
  /** Where a row stands among all, and among its patient's. */
  readonly #places = new Map<string, { overall: number; own: number }>();

  override set(id: string, row: Row): this {
    if (this.has(id)) this.delete(id);
    const own = this.#byPatient.get(row.patientId) ?? [];
    this.#byPatient.set(row.patientId, own);
    this.#places.set(id, { overall: this.#all.push(row) - 1, own: own.push(row) - 1 });
    return super.set(id, row);
  }

  /** For tests that tamper: Photon deletes nothing. Places are counted anew. */
  override delete(id: string): boolean {
    const kept = [...this.values()].filter((row) => row.id !== id);
    const had = this.has(id);
    if (had) {
      this.clear();
      for (const row of kept) this.set(row.id, row);
    }
    return had;
  }

  override clear(): void {
    super.clear();
    this.#all.length = 0;
    this.#byPatient.clear();
    this.#places.clear();
  }

  /** Newest first, at most `first` rows that `fits`, beginning after the row `after`; null when that is no row of the list. */
  page(query: {
    patientId: string | null;
    after: string | null;
    first: number;
    fits: (row: Row) => boolean;
  }): Row[] | null {
    const { patientId, after, first, fits } = query;
    const rows = patientId === null ? this.#all : this.#byPatient.get(patientId) ?? [];
    let at = rows.length;
    if (after !== null) {
      const place = this.#places.get(after);
      at = (patientId === null ? place?.overall : place?.own) ?? -1;
      if (rows[at]?.id !== after) return null;
    }
    const found: Row[] = [];
    while (--at >= 0 && found.length < first) {
      const row = rows[at];
      if (row && fits(row)) found.push(row);
    }
    return found;
  }
}
