import { parseArgs } from "node:util";
import { aligned, indented } from "./table.ts";

/** An option of a command. */
export interface Option<T> {
  /** For `--help`. */
  means: string;
  /** Its value in `--help`, e.g. `N`. Null: it is a switch. */
  takes: string | null;
  /** True: a word by itself, not behind `--name`. Such options are filled in the order of the table. */
  isOperand?: boolean;
  /** May be given several times. */
  isRepeated?: boolean;
  /** Turns all typed values into the option's value; none gives its default. Throws a sentence for the person. */
  read(given: readonly string[], name: string): T;
  /** The default in words. */
  usual?: string;
}

type OptionTable = Readonly<Record<string, Option<unknown>>>;
type Values<Table extends OptionTable> = {
  [Name in keyof Table]: Table[Name] extends Option<infer T> ? T : never;
};

/** A command that people type. */
export interface Command<Options> {
  /** `npm run demo` */
  name: string;
  about: string;
  table: OptionTable;
  /** Throws a sentence for the person who typed it. */
  parse(args: readonly string[]): Options;
  /** An error as a sentence, in place of its stack. */
  explain?: (error: unknown) => string;
  /** The exit code after Ctrl-C. Default: 130. */
  interruptedCode?: number;
}

export type OptionsOf<C> = C extends Command<infer Options> ? Options : never;

/** A command with its options; `more` is the rest of {@link Command}. */
export function defineCommand<Table extends OptionTable>(
  name: string,
  about: string,
  table: Table,
  more: Pick<Command<unknown>, "explain" | "interruptedCode"> = {},
): Command<Values<Table>> {
  return { name, about, table, parse: (args) => parse(table, args), ...more };
}

function parse<Table extends OptionTable>(table: Table, args: readonly string[]): Values<Table> {
  const named = Object.entries(table).filter(([, { isOperand }]) => !isOperand);
  const operands = Object.entries(table).filter(([, { isOperand }]) => isOperand).map(([name]) => name);
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: operands.length > 0,
    options: Object.fromEntries(named.map(([name, { takes }]) => [
      name,
      { type: takes === null ? "boolean" as const : "string" as const, multiple: true },
    ])),
  });
  const given = (name: string) => {
    const at = operands.indexOf(name);
    if (at < 0) return [values[name] ?? []].flat().map(String);
    // The last operand reads all remaining words, and refuses more than one.
    return positionals.slice(at, at === operands.length - 1 ? undefined : at + 1);
  };
  return Object.fromEntries(
    Object.entries(table).map(([name, option]) => [name, option.read(given(name), `--${name}`)]),
  ) as Values<Table>;
}

/** A switch: off unless it is given. */
export function flag(means: string): Option<boolean> {
  return { means, takes: null, read: (given) => given.length > 0 };
}

/** An option. The last typed value counts. */
function option<T, D>(
  takes: string,
  means: string,
  usual: D,
  read: (typed: string, name: string) => T,
): Option<T | D> {
  return {
    means,
    takes,
    read: (given, name) => given.length === 0 ? usual : read(given.at(-1) ?? "", name),
    ...(usual === null ? {} : { usual: String(usual) }),
  };
}

/** Any text. */
export function text<D>(takes: string, means: string, usual: D): Option<string | D> {
  return option(takes, means, usual, (typed) => typed);
}

/** A whole number from `from` on. */
export function whole<D>(means: string, { from, usual }: { from: number; usual: D }): Option<number | D> {
  return option("N", means, usual, (typed, name) => {
    if (/^\d{1,9}$/.test(typed) && Number(typed) >= from) return Number(typed);
    throw new Error(`${name} must be a whole number from ${from} on`);
  });
}

/** A number from `from` (or above `above`) to `to`. */
export function decimal<D>(
  means: string,
  bounds: ({ from: number } | { above: number }) & { to: number; usual: D },
): Option<number | D> {
  const { to, usual } = bounds;
  const [isIn, words] = "from" in bounds
    ? [(value: number) => value >= bounds.from, `from ${bounds.from} to ${to}`]
    : [(value: number) => value > bounds.above, `above ${bounds.above} and at most ${to}`];
  return option("N", means, usual, (typed, name) => {
    if (isIn(Number(typed)) && Number(typed) <= to) return Number(typed);
    throw new Error(`${name} must be a number ${words}`);
  });
}

/** One of some words. */
export function among<W extends string, D>(words: readonly W[], means: string, usual: D): Option<W | D> {
  return option(words.join("|"), means, usual, (typed, name) => {
    const word = words.find((one) => one === typed);
    if (word === undefined) throw new Error(`${name} must be one of ${words.join(", ")}`);
    return word;
  });
}

/** The seed of the dice. Without `usual`, other dice each time. */
export function seed(usual?: number): Option<number> {
  const { read, ...given } = whole("the same number gives the same run again", { from: 0, usual });
  return {
    ...given,
    read: (typed, name) => read(typed, name) ?? Math.floor(Math.random() * 1_000_000),
    ...(usual === undefined ? { usual: "another each time" } : {}),
  };
}

/** One line: the command with all its options. */
export function usageOf({ name, table }: Command<unknown>): string {
  const words = Object.entries(table).map(([option, { takes, isOperand, isRepeated }]) => {
    if (isOperand) return `<${takes}>`;
    return `[${named(option, takes)}]${isRepeated ? "..." : ""}`;
  });
  return words.length === 0 ? name : `${name} -- ${words.join(" ")}`;
}

/** The text of `--help`. */
export function helpOf(command: Command<unknown>): string {
  const rows = Object.entries(command.table).map(([option, { takes, means, usual, isOperand }]) => [
    isOperand ? `<${takes}>` : named(option, takes),
    usual === undefined ? means : `${means} (default: ${usual})`,
  ]);
  const lines = indented(aligned(rows, () => false));
  return [command.about, "", `Usage: ${usageOf(command)}`, "", ...lines].join("\n").trimEnd();
}

function named(option: string, takes: string | null): string {
  return takes === null ? `--${option}` : `--${option} ${takes}`;
}

/** The tools of a command's work. */
interface Tools {
  /** A line on stderr, with the seconds since the start. */
  progress(line: string): void;
  /** From now on the first Ctrl-C only calls `stop`. Before, and the second time, the process ends at once. */
  onInterrupt(stop: () => void): void;
}

/**
 * Runs a command on the typed arguments, and exits with the result of `work` (nothing: 0). A wrong option prints one
 * sentence and the usage, and gives exit code 2. Ctrl-C needs no more than an exit: the processes that it started end
 * with this one in any case (stack/guarded.ts). Only reports and `--help` go to stdout.
 */
export async function run<Options>(
  command: Command<Options>,
  work: (options: Options, tools: Tools) => Promise<number | void> | number | void,
): Promise<void> {
  const args = process.argv.slice(2);
  if (args.includes("--help")) return console.log(helpOf(command));
  let options: Options;
  try {
    options = command.parse(args);
  } catch (error) {
    // parseArgs adds a hint that does not fit here.
    const sentence = sentenceOf(error).replace(/^(Unknown option '[^']*')\. .*$/s, "$1");
    console.error(`${sentence}\nUsage: ${usageOf(command)}`);
    process.exitCode = 2;
    return;
  }
  let stop: (() => void) | undefined;
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => {
      const first = stop;
      stop = undefined;
      if (first) first();
      else process.exit(command.interruptedCode ?? 130);
    });
  }
  const tools: Tools = {
    progress: (line) => console.error(timed(line)),
    onInterrupt: (handler) => void (stop = handler),
  };
  try {
    process.exitCode = (await work(options, tools)) ?? 0;
  } catch (error) {
    if (!command.explain) throw error;
    console.error(command.explain(error));
    process.exitCode = 1;
  }
}

/** A line behind the seconds since this process began. */
export function timed(line: string): string {
  return `${(performance.now() / 1000).toFixed(1).padStart(6)} s  ${line}`;
}

/** An error as its message: for errors that are meant for the person. */
export function sentenceOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
