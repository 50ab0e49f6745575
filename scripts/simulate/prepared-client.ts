import pg from "pg";

const names = new Map<string, string>();

/**
 * A connection that prepares each statement once. Two years are millions of statements of a few hundred kinds, and
 * planning is the larger part of most. Not for a transaction pooler, which hands connections on.
 */
export class PreparedClient extends pg.Client {
  // pg declares a dozen ways to call it; Kysely uses one.
  override query(...args: unknown[]): never {
    const [text, values] = args;
    const isStatement = typeof text === "string" && Array.isArray(values) && !text.includes(";");
    const call: unknown[] = isStatement ? [{ name: nameOf(text), text, values }] : args;
    return Reflect.apply(super.query, this, call) as never;
  }
}

function nameOf(text: string): string {
  const name = names.get(text) ?? `s${names.size}`;
  names.set(text, name);
  return name;
}
