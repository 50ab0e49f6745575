/** A request's parameters: text, with its brackets turned into objects and arrays. */
type FormValue = string | FormValue[] | { [key: string]: FormValue };

export type Form = Record<string, FormValue>;

interface Node {
  [key: string]: Node | string;
}

/** `items[0][price]=p&expand[]=x` → `{ items: [{ price: "p" }], expand: ["x"] }`, as Stripe reads forms and queries. */
export function decodeForm(text: string): Form {
  const root: Node = {};
  for (const [name, value] of new URLSearchParams(text)) {
    const path = name.replaceAll("]", "").split("[");
    const last = path.pop() ?? name;
    let node = root;
    for (const part of path) {
      const child = node[part];
      node = typeof child === "object" ? child : node[part] = {};
    }
    node[last === "" ? String(Object.keys(node).length) : last] = value;
  }
  return Object.fromEntries(Object.entries(root).map(([name, value]) => [name, unfold(value)]));
}

/** An object with only numbers as keys is an array. */
function unfold(value: Node | string): FormValue {
  if (typeof value === "string") return value;
  const entries = Object.entries(value);
  if (entries.every(([key]) => /^\d+$/.test(key))) return entries.map(([, entry]) => unfold(entry));
  return Object.fromEntries(entries.map(([key, entry]) => [key, unfold(entry)]));
}
