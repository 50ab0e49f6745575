import type { Agenda } from "./agenda.ts";
import type { Breaks } from "./breaks.ts";
import type { Customer, Refill } from "./customer.ts";
import { DAY_MS } from "./dice.ts";
import type { World } from "./world.ts";

/** The stage of the simulation. */
export interface Stage {
  world: World;
  agenda: Agenda;
  customers: Customer[];
  /** Each subscription's refill and customer. */
  refills: Map<string, { customer: Customer; refill: Refill }>;
  /** How much happens to people; 1 is a usual life. */
  busy: number;
  timeZone: string;
  /** How often each thing happened. */
  tally: Map<string, number>;
  breaks: Breaks;
}

/** Puts an act down for so many days from now. */
export function later({ world, agenda }: Stage, days: number, act: () => void | Promise<void>): void {
  agenda.at(world.now().getTime() + days * DAY_MS, act);
}

/** Writes it into the customer's story, and counts it. */
export function note({ world, tally }: Stage, customer: Customer, kind: string, more = ""): void {
  customer.story.push({ at: world.now(), what: more ? `${kind}: ${more}` : kind });
  count(tally, kind);
}

/** As {@link note}, for a thing that nobody could foresee. */
export function surprise(stage: Stage, customer: Customer, kind: string, more = ""): void {
  customer.surprisedAt = stage.world.now();
  note(stage, customer, kind, more);
}

export function count(tally: Map<string, number>, kind: string): void {
  tally.set(kind, (tally.get(kind) ?? 0) + 1);
}
