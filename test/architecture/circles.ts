import { dirname, join } from "node:path";
import { importsOf } from "../edge/imports.ts";
import type { SourceFile } from "./sources.ts";

/** `[file, file]` for every relative import, types' included. */
export function importsAmong(files: readonly SourceFile[]): [from: string, to: string][] {
  return files.flatMap(({ path, text }) =>
    [...importsOf(text)].filter((name) => name.startsWith("."))
      .map((name): [string, string] => [path, join(dirname(path), name)])
  );
}

/** The files that import each other on some way: a group for every circle. */
export function circlesIn(imports: readonly (readonly [from: string, to: string])[]): string[][] {
  const next = Map.groupBy(imports, ([from]) => from);
  const reach = (start: string): Set<string> => {
    const found = new Set<string>();
    const open = [start];
    for (let from = open.pop(); from !== undefined; from = open.pop()) {
      for (const [, to] of next.get(from) ?? []) {
        if (!found.has(to)) open.push(to);
        found.add(to);
      }
    }
    return found;
  };
  const reached = new Map([...next.keys()].map((file) => [file, reach(file)]));
  const circles = new Set<string>();
  for (const [file, others] of reached) {
    if (!others.has(file)) continue;
    circles.add([...others].filter((other) => reached.get(other)?.has(file)).sort().join(" "));
  }
  return [...circles].map((circle) => circle.split(" "));
}
