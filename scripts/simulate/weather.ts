import type { LocalVendors } from "../sandbox/vendors.ts";
import { DAY_MS, type Dice } from "./dice.ts";
import { count } from "./stage.ts";

/** The sandboxes that can be out. */
const VENDORS = ["stripe", "health", "pharmacy", "crm"] as const;
type Vendor = (typeof VENDORS)[number];

interface Spell {
  kind: "down" | "silent" | "cron";
  vendor: Vendor;
  from: number;
  until: number;
}

/** The number of spells a year, and their least and most days. */
const SPELLS = [
  { kind: "down", timesAYear: 3, days: [0.2, 2.5] },
  { kind: "silent", timesAYear: 4, days: [0.5, 3] },
] as const;
const CRON_OUT = { timesAYear: 3, days: [0.5, 1.8] } as const;

const TICKS_LOST = 0.2;
const TICKS_DOUBLED = 0.2;
/** Of the webhooks and calls on a fair day. */
const WEBHOOKS_DROPPED = 0.02;
const WEBHOOKS_DOUBLED = 0.05;
const CALLS_FAILED = 0.002;

/** Trouble without anybody's doing: vendors that are down or late for days, ticks that are lost or doubled. */
export function makeWeather(
  { dice, vendors, begins, days, busy, tally }: {
    dice: Dice;
    vendors: LocalVendors;
    begins: Date;
    days: number;
    busy: number;
    tally: Map<string, number>;
  },
) {
  const spells: Spell[] = [];
  const end = begins.getTime() + days * DAY_MS;
  const draw = (
    kind: Spell["kind"],
    vendor: Vendor,
    timesAYear: number,
    [least, most]: readonly [number, number],
  ) => {
    for (let at = begins.getTime() + dice.wait(timesAYear); at < end; at += dice.wait(timesAYear)) {
      spells.push({ kind, vendor, from: at, until: at + dice.between(least, most) * DAY_MS });
      count(tally, kind === "cron" ? "cron outages" : kind === "down" ? "vendor outages" : "late webhooks");
    }
  };
  for (const vendor of VENDORS) {
    for (const spell of SPELLS) draw(spell.kind, vendor, spell.timesAYear * busy, spell.days);
  }
  draw("cron", "stripe", CRON_OUT.timesAYear * busy, CRON_OUT.days);
  const at = (when: Date, kind: Spell["kind"], vendor?: Vendor) =>
    spells.some((spell) =>
      spell.kind === kind && (vendor === undefined || spell.vendor === vendor) &&
      spell.from <= when.getTime() && when.getTime() < spell.until
    );

  return {
    /** Sets the vendors' faults for a moment. */
    set(when: Date): void {
      for (const vendor of VENDORS) {
        const { faults, outbox } = vendors[vendor];
        faults.clear();
        if (at(when, "down", vendor)) {
          faults.add(dice.chance(0.5) ? { kind: "status", status: 503 } : { kind: "lose_request" });
        }
        faults.add({ kind: "status", status: 500, share: CALLS_FAILED });
        faults.add({ kind: "lose_answer", share: CALLS_FAILED });
        faults.add({ kind: "status", status: 429, retryAfterSeconds: 30, share: CALLS_FAILED / 4 });
        Object.assign(outbox.faults, {
          silent: at(when, "silent", vendor),
          shuffled: true,
          doubled: WEBHOOKS_DOUBLED,
          dropped: WEBHOOKS_DROPPED,
        });
      }
    },
    /** A tick arrives 0, 1 or 2 times, the two sometimes at once. */
    ticks(when: Date): { times: number; atOnce: boolean } {
      if (at(when, "cron")) return { times: 0, atOnce: false };
      const fate = dice.roll();
      if (fate < TICKS_LOST) {
        count(tally, "ticks lost");
        return { times: 0, atOnce: false };
      }
      if (fate < TICKS_LOST + TICKS_DOUBLED) {
        count(tally, "ticks doubled");
        return { times: 2, atOnce: dice.chance(0.5) };
      }
      return { times: 1, atOnce: false };
    },
  };
}
