import { sentenceOf, timed } from "../command.ts";

/** Prints each claim as it is proven, and counts them. */
export interface Report {
  step(line: string): void;
  /** One claim. `work` throws when it does not hold, and returns a note to show beside it. */
  check(claim: string, work: () => Promise<string | void>): Promise<void>;
  fail(what: string, error: unknown): void;
  /** The closing line, and whether all is well. */
  close(): { line: string; passed: boolean };
}

export function makeReport(print: (line: string) => void): Report {
  let [passed, failed] = [0, 0];
  const say = (line: string) => print(timed(line));
  const fail = (what: string, error: unknown) => {
    failed += 1;
    say(`FAIL  ${what}: ${sentenceOf(error)}`);
  };
  return {
    step: (line) => say(`      ${line}`),
    async check(claim, work) {
      try {
        const note = await work();
        passed += 1;
        say(`ok    ${claim}${note ? ` (${note})` : ""}`);
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
