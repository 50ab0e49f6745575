/** The kinds of finding, in the order of a report. */
const KINDS = ["lost", "doubled", "unexplained"] as const;

/** The findings of a check. Each is a sentence with ids; a check passes with none. */
export interface Check extends Record<(typeof KINDS)[number], string[]> {
  name: string;
  /** What was checked, in words with counts. */
  scope: string;
}

export function check(name: string): Check {
  return { name, scope: "", lost: [], doubled: [], unexplained: [] };
}

export function isOk(check: Check): boolean {
  return findingsOf(check).length === 0;
}

/** All findings, each behind its kind. */
export function findingsOf(check: Check): string[] {
  return KINDS.flatMap((kind) => check[kind].map((one) => `${kind}: ${one}`));
}

/** The number of findings of several checks, by kind; `ok` when there is none. */
export interface Sum extends Record<(typeof KINDS)[number], number> {
  ok: boolean;
}

export function sumOf(checks: readonly Check[]): Sum {
  const sum = (kind: (typeof KINDS)[number]) => checks.reduce((count, one) => count + one[kind].length, 0);
  return {
    ok: checks.every(isOk),
    lost: sum("lost"),
    doubled: sum("doubled"),
    unexplained: sum("unexplained"),
  };
}

/** A report shows so many findings of a check. */
const SHOWN = 10;

/** A check as the demo and chaos print it: a line, and its findings below. */
export function renderCheck(check: Check): string {
  const found = findingsOf(check);
  const more = found.length > SHOWN ? [`… and ${found.length - SHOWN} more`] : [];
  const lines = [...found.slice(0, SHOWN), ...more].map((one) => `\n        ${one}`).join("");
  return `  ${isOk(check) ? "ok  " : "FAIL"}  ${check.name} (${check.scope})${lines}`;
}

/** The last line of a report. */
export function renderSum({ lost, doubled, unexplained }: Sum): string {
  return `${lost} lost, ${doubled} doubled, ${unexplained} unexplained`;
}
