import type { Agenda } from "./agenda.ts";
import type { Breaks } from "./breaks.ts";
import type { Customer, Refill } from "./customer.ts";
import type { World } from "./world.ts";

/** Where the simulation is played. */
export interface Stage {
  world: World;
  agenda: Agenda;
  customers: Customer[];
  /** Whose refill a subscription is. */
  refills: Map<string, { customer: Customer; refill: Refill }>;
  /** How much happens to people; 1 is a usual life. */
  busy: number;
  timeZone: string;
  /** How often each thing happened. */
  tally: Map<string, number>;
  breaks: Breaks;
}

/** Writes it into the customer's story, and counts it. */
export function note({ world, tally }: Stage, customer: Customer, kind: string, more = ""): void {
  customer.story.push({ at: world.now(), what: more ? `${kind}: ${more}` : kind });
  count(tally, kind);
}

/** As {@link note}, for what nobody could foresee. */
export function surprise(stage: Stage, customer: Customer, kind: string, more = ""): void {
  customer.surprisedAt = stage.world.now();
  note(stage, customer, kind, more);
}

export function count(tally: Map<string, number>, kind: string, times = 1): void {
  tally.set(kind, (tally.get(kind) ?? 0) + times);
}
