import type { Mail } from "../sandbox/mail.ts";
import type { Life } from "../stack/life.ts";
import type { Stack } from "../stack/stack.ts";
import type { OpsPerson } from "../sandbox/ops-person.ts";

/** Where the demo is played. */
export interface Stage {
  stack: Stack;
  life: Life;
  mail: Mail;
  ops: OpsPerson;
  /** Casts the parts; the sandboxes draw from another one, whose order concurrency can change. */
  random: () => number;
  customers: number;
  progress: (line: string) => void;
}
