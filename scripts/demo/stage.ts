import type { Mail } from "../sandbox/mail.ts";
import type { Life } from "../stack/life.ts";
import type { Stack } from "../stack/stack.ts";
import type { OpsPerson } from "../sandbox/ops-person.ts";

/** The stage of the demo. */
export interface Stage {
  stack: Stack;
  life: Life;
  mail: Mail;
  ops: OpsPerson;
  /** Casts the parts. The sandboxes draw from another one, in an order that concurrency can change. */
  random: () => number;
  customers: number;
  progress: (line: string) => void;
}
