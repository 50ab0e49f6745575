import { EventEmitter, once } from "node:events";
import { z } from "zod";

/** One line that a function wrote. `event` is null for a line that is not one of Clockwork's own. */
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
  /** The number of drains that have ended. */
  drainsEnded(): number;
  /** Resolves with the last drain's end when more than `before` drains have ended. Throws when that takes too long. */
  drainEnds(before: number): Promise<DrainEnd>;
}

/** The tasks that a drain brought to an end or a wait, and those it lost to another drain. */
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

/** Reads the functions' lines. A drain answers at once: only its line `drained` tells when it has ended. */
export function makeFunctionLog(onLine: (line: FunctionLine) => void = () => {}): FunctionLog {
  const lines: string[] = [];
  const drains = new EventEmitter();
  let ended = 0;
  let last: DrainEnd = { settled: 0, lost: 0 };
  return {
    lines,
    take(line) {
      lines.push(line);
      if (lines.length > KEPT_LINES) lines.splice(0, KEPT_LINES / 10);
      const [, name = "", text = line] = /^\[([\w-]+)\] (.*)$/s.exec(line) ?? [];
      const { event, ...fields } = read(text);
      onLine({ function: name, text, event, fields });
      // A queue that fails by itself writes `drain_failed`, too, and the drain goes on.
      if (event === "drained" || (event === "drain_failed" && !("queue" in fields))) {
        ended += 1;
        last = drainEnd.parse(fields);
        drains.emit("end");
      }
    },
    drainsEnded: () => ended,
    async drainEnds(before) {
      const signal = AbortSignal.timeout(LONGEST_DRAIN_MS);
      while (ended <= before) {
        await once(drains, "end", { signal }).catch(() => {
          throw new Error("the drain did not end in time");
        });
      }
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
