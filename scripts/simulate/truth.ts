import { periodEnd } from "../sandbox/stripe/periods.ts";
import type { Customer, Refill } from "./customer.ts";
import { DAY_MS } from "./dice.ts";
import { productOf } from "./shop.ts";
import type { World } from "./world.ts";

/**
 * Until when a refill is covered, worked out from what the sandboxes hold and from nothing of the engine's: whoever
 * checks the engine must not ask it.
 */
export interface Truth {
  /** False while nobody is to be asked or charged: paused, ended, or to end. */
  isWanted: boolean;
  /** The first wanted refill that no prescription on record can fill (ms). */
  gapAt: number;
  /** The earliest day on which one could say that it ends: the gap, the last day of what is left, the last of the drug (ms). */
  endsAt: number;
  /** True when something is on record that could be filled now. */
  isCovered: boolean;
  /** Something on record lacks its end: nobody can tell. */
  isUnclear: boolean;
}

const HORIZON_DAYS = 500;
/** Stripe's marker of a pause of ours. */
const OUR_PAUSE = "clockwork_paused_for_renewal";

/** What Stripe says is wanted. */
export function isWanted({ vendors }: World, refill: Refill): boolean {
  const subscription = vendors.stripe.state.subscriptions.get(refill.subscriptionId);
  if (!subscription || subscription.cancel_at_period_end) return false;
  if (!["active", "trialing", "past_due"].includes(subscription.status)) return false;
  return !subscription.pause_collection || Boolean(subscription.metadata[OUR_PAUSE]);
}

/**
 * @param counts `on record`: as the health record has it. `real`: as the pharmacy fills, by its own copy and its own count,
 * of which the record hears some days late.
 */
export function truthOf(
  world: World,
  customer: Customer,
  refill: Refill,
  timeZone: string,
  counts: "on record" | "real",
): Truth {
  const now = world.now().getTime();
  const subscription = world.vendors.stripe.state.subscriptions.get(refill.subscriptionId);
  const item = subscription?.items.data[0];
  if (!subscription || !item) throw new Error(`no subscription ${refill.subscriptionId}`);
  const { usable, isUnclear } = onRecord(world, customer, refill, now, timeZone, counts);
  const isCovered = usable.some(({ from, left }) => from <= now && left > 0);
  const { interval, interval_count: every } = item.price.recurring;
  // Another refill of the customer for the same product uses the same fills.
  const together = 1 + twinsOf(customer, refill).filter((twin) => isWanted(world, twin)).length;
  let last: { at: number; supply: number } | null = null;
  let gapAt = now + HORIZON_DAYS * DAY_MS;
  // A charge that failed is tried again any moment; the period has moved on already.
  const charges = subscription.status === "past_due" ? [now] : [];
  for (
    let at = item.current_period_end;
    at * 1000 < now + HORIZON_DAYS * DAY_MS;
    at = periodEnd(subscription.billing_cycle_anchor, at, interval, every)
  ) charges.push(Math.max(at * 1000, now));
  for (const when of charges) {
    for (let fill = 0; fill < together; fill++) {
      const taken = usable.find((one) => one.left > 0 && one.from <= when && when <= one.until);
      if (taken) {
        taken.left -= 1;
        last = { at: when, supply: taken.supply };
      } else gapAt = Math.min(gapAt, when);
    }
    if (gapAt <= when) break;
  }
  const lastDays = usable.map(({ until }) => until);
  const drugEnds = last ? last.at + last.supply * DAY_MS : now;
  const endsAt = Math.min(gapAt, drugEnds, lastDays.length > 0 ? Math.max(...lastDays) : now);
  return { isWanted: isWanted(world, refill), gapAt, endsAt, isCovered, isUnclear };
}

/** The customer's other refills of the same product. */
export function twinsOf(customer: Customer, refill: Refill): Refill[] {
  const { name } = productOf(refill.priceId);
  return customer.refills.filter((one) =>
    one !== refill && one.wish !== "ended" && productOf(one.priceId).name === name
  );
}

function onRecord(
  { vendors }: World,
  customer: Customer,
  refill: Refill,
  now: number,
  timeZone: string,
  counts: "on record" | "real",
) {
  const { name } = productOf(refill.priceId);
  const usable: { from: number; until: number; left: number; supply: number }[] = [];
  let isUnclear = false;
  for (const filed of customer.prescriptions) {
    if (filed.product !== name) continue;
    const held = vendors.health.state.prescriptions.get(filed.healthId);
    if (held?.status !== "active") continue;
    const { validityPeriod, numberOfRepeatsAllowed: repeats } = held.dispenseRequest ?? {};
    if (typeof repeats !== "number" || validityPeriod?.end === undefined) {
      isUnclear = true;
      continue;
    }
    const atPharmacy = counts === "real" && filed.pharmacyId
      ? vendors.pharmacy.state.prescriptions.get(filed.pharmacyId)
      : undefined;
    const until = Math.min(
      lastMoment(validityPeriod.end, timeZone),
      atPharmacy ? lastMoment(atPharmacy.expirationDate, timeZone) : Infinity,
    );
    const left = Math.min(
      1 + repeats - fillsOnRecord(vendors, filed.healthId),
      atPharmacy?.fillsRemaining ?? Infinity,
    );
    if (until < now || left <= 0) continue;
    usable.push({ from: Date.parse(validityPeriod.start ?? ""), until, left, supply: filed.daysSupply });
  }
  usable.sort((a, b) => a.until - b.until);
  return { usable, isUnclear };
}

function fillsOnRecord({ health }: World["vendors"], prescriptionId: string): number {
  let fills = 0;
  for (const { status } of health.dispensesOf(prescriptionId)) if (status === "completed") fills += 1;
  return fills;
}

const ends = new Map<string, number>();

/** The last moment of a day, which ends at midnight where the pharmacy is; a time with its offset is that moment. */
export function lastMoment(text: string, timeZone: string): number {
  if (text.includes("T")) return Date.parse(text);
  const key = `${text} ${timeZone}`;
  const known = ends.get(key);
  if (known !== undefined) return known;
  const midnight = Date.parse(`${text}T00:00:00Z`) + DAY_MS;
  // Midnight there is the moment whose local reading is midnight; the offset of a first guess finds it, but for the hours
  // around a change of clocks, which a second look settles.
  let moment = midnight - offsetAt(midnight, timeZone);
  moment = midnight - offsetAt(moment, timeZone);
  ends.set(key, moment - 1);
  return moment - 1;
}

const formats = new Map<string, Intl.DateTimeFormat>();

function formatIn(timeZone: string): Intl.DateTimeFormat {
  const known = formats.get(timeZone);
  if (known) return known;
  const format = new Intl.DateTimeFormat("en-US", {
    timeZone,
    hourCycle: "h23",
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    minute: "numeric",
    second: "numeric",
  });
  formats.set(timeZone, format);
  return format;
}

/** How far the zone's clocks are ahead of UTC (ms). */
function offsetAt(moment: number, timeZone: string): number {
  const parts = Object.fromEntries(
    formatIn(timeZone).formatToParts(moment).map(({ type, value }) => [type, Number(value)]),
  );
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = parts;
  return Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(moment / 1000) * 1000;
}
