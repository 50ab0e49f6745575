/** What a check found. Each entry is a sentence with ids; an empty list is what it wants. */
export interface Check {
  name: string;
  /** What it looked at, in words with counts. */
  looked: string;
  lost: string[];
  doubled: string[];
  unexplained: string[];
}

export function check(name: string): Check {
  return { name, looked: "", lost: [], doubled: [], unexplained: [] };
}

export function isOk({ lost, doubled, unexplained }: Check): boolean {
  return lost.length + doubled.length + unexplained.length === 0;
}

/** All findings of the checks, counted; and whether there is none. */
export function sumOf(checks: readonly Check[]) {
  const sum = (kind: "lost" | "doubled" | "unexplained") =>
    checks.reduce((count, one) => count + one[kind].length, 0);
  return {
    ok: checks.every(isOk),
    lost: sum("lost"),
    doubled: sum("doubled"),
    unexplained: sum("unexplained"),
  };
}

/** More than these of one kind tell nothing new. */
const SHOWN = 10;

/** A check as the demo and chaos print it: a line, and below it what it found. */
export function renderCheck(check: Check): string {
  const { name, looked, lost, doubled, unexplained } = check;
  const found = [
    ...lost.map((one) => `lost: ${one}`),
    ...doubled.map((one) => `doubled: ${one}`),
    ...unexplained.map((one) => `unexplained: ${one}`),
  ];
  const more = found.length > SHOWN ? [`… and ${found.length - SHOWN} more`] : [];
  const lines = [...found.slice(0, SHOWN), ...more].map((one) => `\n        ${one}`).join("");
  return `  ${isOk(check) ? "ok  " : "FAIL"}  ${name} (${looked})${lines}`;
}

/** The last line of a report. */
export function renderSum({ lost, doubled, unexplained }: ReturnType<typeof sumOf>): string {
  return `${lost} lost, ${doubled} doubled, ${unexplained} unexplained`;
}
