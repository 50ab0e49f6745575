import { z } from "zod";

/** One line that a function wrote. `event` is null for what is not one of Clockwork's own lines. */
export interface FunctionLine {
  function: string;
  text: string;
  event: string | null;
  fields: Record<string, unknown>;
}

export interface FunctionLog {
  /** Takes a line as `serveFunctions` gives it: `[<name>] <text>`. */
  take(line: string): void;
  /** Every line so far, as it came. The last {@link KEPT_LINES}. */
  lines: readonly string[];
  /** How many drains have ended. */
  drainsEnded(): number;
  /** Resolves when more than `before` drains have ended, with what the last one did. */
  drainEnds(before: number): Promise<DrainEnd>;
}

/** How many tasks a drain brought to an end or a wait, and how many it lost to somebody else. */
export interface DrainEnd {
  settled: number;
  lost: number;
}

/** Enough for a whole demo; `npm start` may run for days. */
const KEPT_LINES = 20_000;
/** A drain stops by itself after 50 s. */
const LONGEST_DRAIN_MS = 90_000;

const wireLine = z.looseObject({ event: z.string() });
const drainEnd = z.object({ settled: z.number(), lost: z.number() }).catch({ settled: 0, lost: 0 });

/** Listens to what the functions write: to know when a drain, which answers at once, has ended. */
export function makeFunctionLog(onLine: (line: FunctionLine) => void = () => {}): FunctionLog {
  const lines: string[] = [];
  let ended = 0;
  let last: DrainEnd = { settled: 0, lost: 0 };
  const waiting = new Set<() => void>();
  return {
    lines,
    take(line) {
      lines.push(line);
      if (lines.length > KEPT_LINES) lines.splice(0, KEPT_LINES / 10);
      const [, name = "", text = line] = /^\[([\w-]+)\] (.*)$/s.exec(line) ?? [];
      const { event, ...fields } = read(text);
      onLine({ function: name, text, event, fields });
      // A queue that fails by itself says so, too, and the drain goes on.
      if (event === "drained" || (event === "drain_failed" && !("queue" in fields))) {
        ended += 1;
        last = drainEnd.parse(fields);
        for (const wake of waiting) wake();
      }
    },
    drainsEnded: () => ended,
    async drainEnds(before) {
      if (ended > before) return last;
      await new Promise<void>((resolve, reject) => {
        const finish = (settle: () => void) => {
          clearTimeout(late);
          waiting.delete(wake);
          settle();
        };
        const wake = () => ended > before && finish(resolve);
        const late = setTimeout(
          () => finish(() => reject(new Error("the drain did not end in time"))),
          LONGEST_DRAIN_MS,
        );
        waiting.add(wake);
      });
      return last;
    },
  };
}

function read(text: string): { event: string | null } & Record<string, unknown> {
  try {
    const parsed = wireLine.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data : { event: null };
  } catch {
    return { event: null };
  }
}
