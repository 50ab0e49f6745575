const COLOURS = { clinic: 36, stripe: 35, trouble: 31, clockwork: 32, person: 33 };

/** The output of the day. */
export interface Out {
  /** The time, the actor, and the act. */
  line(actor: keyof typeof COLOURS, act: string): void;
  plain(text: string): void;
}

/** With colours on a terminal only. */
export function makeOut(stream: NodeJS.WriteStream = process.stdout): Out {
  const colour = stream.isTTY && !process.env["NO_COLOR"];
  const write = (text: string) => void stream.write(`${text}\n`);
  return {
    plain: write,
    line(actor, act) {
      const label = actor.padEnd(9);
      const time = new Date().toTimeString().slice(0, 8);
      write(`${time}  ${colour ? `\x1b[${COLOURS[actor]}m${label}\x1b[0m` : label}  ${act}`);
    },
  };
}
