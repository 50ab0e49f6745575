/** Where the day's lines go. */
export interface Out {
  /** The time, who, and what happened. */
  line(who: Who, what: string): void;
  plain(text: string): void;
}
export type Who = "clinic" | "stripe" | "pharmacy" | "trouble" | "clockwork" | "person";

const COLOURS: Record<Who, number> = {
  clinic: 36,
  stripe: 35,
  pharmacy: 34,
  trouble: 31,
  clockwork: 32,
  person: 33,
};

/** Colour only where somebody looks at a terminal. */
export function makeOut(stream: NodeJS.WriteStream = process.stdout): Out {
  const colour = stream.isTTY && !process.env["NO_COLOR"];
  const write = (text: string) => void stream.write(`${text}\n`);
  return {
    plain: write,
    line(who, what) {
      const label = who.padEnd(9);
      const time = new Date().toTimeString().slice(0, 8);
      write(`${time}  ${colour ? `\x1b[${COLOURS[who]}m${label}\x1b[0m` : label}  ${what}`);
    },
  };
}
