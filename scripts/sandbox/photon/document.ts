import type { Json } from "../../../src/shared/vendors/contract.ts";
import { Refusal } from "../app.ts";

/** A field and, for an object, the fields asked of it. */
export interface Selection {
  name: string;
  fields: Selection[] | null;
}

export interface ParsedOperation {
  kind: string;
  /** Declared variables; true where the type ends in `!`. */
  variables: Map<string, boolean>;
  field: string;
  /** Argument name to variable name. */
  args: Map<string, string>;
  selection: Selection[] | null;
}

/** The fields an object type has; `true` for a plain value. */
export interface FieldMap {
  [name: string]: true | FieldMap;
}

/**
 * Reads the part of GraphQL that a machine client sends: one operation with one root field, whose arguments are
 * variables. Aliases, fragments, directives and literals are refused, not misread.
 */
export function parseOperation(text: string): ParsedOperation {
  const tokens = tokenize(text);
  let at = 0;
  const peek = () => tokens[at];
  const take = (): string => {
    const token = tokens[at++];
    if (token === undefined) throw invalidQuery("the document ends too early");
    return token;
  };
  const expect = (wanted: string) => {
    if (take() !== wanted) throw invalidQuery(`expected ${wanted}`);
  };
  const name = (): string => {
    const token = take();
    if (!/^[A-Za-z_]/.test(token)) throw invalidQuery("expected a name");
    return token;
  };
  const parenthesised = (read: () => void) => {
    if (peek() !== "(") return;
    take();
    while (peek() !== ")") read();
    take();
  };
  const selectionSet = (): Selection[] => {
    expect("{");
    const fields: Selection[] = [];
    while (peek() !== "}") {
      fields.push({ name: name(), fields: peek() === "{" ? selectionSet() : null });
    }
    take();
    return fields;
  };

  const kind = name();
  if (peek() !== "(" && peek() !== "{") name();
  const variables = new Map<string, boolean>();
  parenthesised(() => {
    expect("$");
    const variable = name();
    expect(":");
    let last = "";
    while (peek() !== "$" && peek() !== ")") last = take();
    variables.set(variable, last === "!");
  });
  expect("{");
  const field = name();
  const args = new Map<string, string>();
  parenthesised(() => {
    const arg = name();
    expect(":");
    expect("$");
    args.set(arg, name());
  });
  const selection = peek() === "{" ? selectionSet() : null;
  expect("}");
  if (at !== tokens.length) throw invalidQuery("one operation, please");
  return { kind, variables, field, args, selection };
}

function tokenize(text: string): string[] {
  const tokens: string[] = [];
  const pattern = /[\s,]+|#[^\n]*|([A-Za-z_]\w*|[{}()[\]:!$])|(.)/gy;
  for (const [, token, other] of text.matchAll(pattern)) {
    if (other !== undefined) throw invalidQuery("not understood");
    if (token !== undefined) tokens.push(token);
  }
  return tokens;
}

/** Refuses a selection that the type does not have, before the operation runs, as a real server does. */
export function checkSelection(selection: Selection[] | null, type: true | FieldMap, path: string): void {
  if (type === true) {
    if (selection !== null) throw invalidQuery(`${path} has no fields`);
    return;
  }
  if (selection === null || selection.length === 0) throw invalidQuery(`${path} needs fields`);
  for (const { name, fields } of selection) {
    const field = Object.hasOwn(type, name) ? type[name] : undefined;
    if (field === undefined) throw invalidQuery(`cannot query ${path}.${name}`);
    checkSelection(fields, field, `${path}.${name}`);
  }
}

/** Cuts an answer down to the fields asked for. */
export function pick(value: Json, selection: Selection[] | null): Json {
  if (selection === null || value === null || typeof value !== "object") return value;
  if (Array.isArray(value)) return value.map((item) => pick(item, selection));
  return Object.fromEntries(selection.map(({ name, fields }) => [name, pick(value[name] ?? null, fields)]));
}

export function invalidQuery(message: string): Refusal {
  return new Refusal(400, "GRAPHQL_VALIDATION_FAILED", message);
}
