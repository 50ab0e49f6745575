/** Counts what was proven, and says each as it comes. */
export interface Report {
  /** Something that is being done. */
  step(line: string): void;
  /** One claim. `work` throws when it does not hold; what it returns is shown beside it. */
  check(claim: string, work: () => Promise<string | undefined> | string | undefined): Promise<void>;
  fail(what: string, error: unknown): void;
  /** The closing line, and whether all is well. */
  close(): { line: string; passed: boolean };
}

export function makeReport(print: (line: string) => void): Report {
  const startedAt = performance.now();
  let [passed, failed] = [0, 0];
  const say = (line: string) => {
    print(`${((performance.now() - startedAt) / 1000).toFixed(1).padStart(6)} s  ${line}`);
  };
  const fail = (what: string, error: unknown) => {
    failed += 1;
    say(`FAIL  ${what}: ${error instanceof Error ? error.message : error}`);
  };
  return {
    step: (line) => say(`      ${line}`),
    async check(claim, work) {
      try {
        const note = await work();
        passed += 1;
        say(`ok    ${claim}${note === undefined ? "" : ` (${note})`}`);
      } catch (error) {
        fail(claim, error);
      }
    },
    fail,
    close: () => ({ line: `${passed} passed, ${failed} failed`, passed: failed === 0 && passed > 0 }),
  };
}

/** Throws unless the two are the same as JSON. */
export function same(found: unknown, expected: unknown): void {
  const [is, wanted] = [JSON.stringify(found), JSON.stringify(expected)];
  if (is !== wanted) throw new Error(`found ${is}, expected ${wanted}`);
}
