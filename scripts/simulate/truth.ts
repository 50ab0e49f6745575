import { dayIn } from "../../src/shared/day.ts";
import { periodEnd } from "../sandbox/stripe/periods.ts";
import type { Customer, Refill } from "./customer.ts";
import { DAY_MS } from "./dice.ts";
import { productOf } from "./shop.ts";
import type { World } from "./world.ts";

/** A refill's cover, from the sandboxes alone: a check of the engine must not ask the engine. */
interface Truth {
  /** False while nobody is to be asked or charged: paused, ended, or to end. */
  isWanted: boolean;
  /** The first wanted refill that no prescription on record can fill (ms). */
  gapAt: number;
  /** The earliest of the gap, the last valid day and the drug's last day (ms). */
  endsAt: number;
  /** True when a prescription on record could be filled now. */
  isCovered: boolean;
}

const HORIZON_DAYS = 500;
/** Stripe's marker of a pause of ours. */
const OUR_PAUSE = "clockwork_paused_for_renewal";

/** True while Stripe says that the customer wants refills. */
function isWanted({ vendors }: World, refill: Refill): boolean {
  const subscription = vendors.stripe.state.subscriptions.get(refill.subscriptionId);
  if (!subscription || subscription.cancel_at_period_end) return false;
  if (!["active", "trialing", "past_due"].includes(subscription.status)) return false;
  return !subscription.pause_collection || Boolean(subscription.metadata[OUR_PAUSE]);
}

/**
 * @param counts `on record`: by the health record. `real`: by the pharmacy's own copy and count, which reach the health
 * record some days late.
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
  const usable = onRecord(world, customer, refill, now, timeZone, counts);
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
  return { isWanted: isWanted(world, refill), gapAt, endsAt, isCovered };
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
  for (const filed of customer.prescriptions) {
    if (filed.product !== name) continue;
    const record = vendors.health.state.prescriptions.get(filed.healthId);
    if (record?.status !== "active") continue;
    const { validityPeriod, numberOfRepeatsAllowed: repeats } = record.dispenseRequest ?? {};
    if (typeof repeats !== "number" || validityPeriod?.end === undefined) continue;
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
  return usable.sort((a, b) => a.until - b.until);
}

function fillsOnRecord({ health }: World["vendors"], prescriptionId: string): number {
  return [...health.dispensesOf(prescriptionId)].filter(({ status }) => status === "completed").length;
}

const ends = new Map<string, number>();

/** The last moment of a day, which ends at midnight in the pharmacy's zone. A time with its offset is that moment. */
export function lastMoment(text: string, timeZone: string): number {
  if (text.includes("T")) return Date.parse(text);
  const key = `${text} ${timeZone}`;
  const known = ends.get(key);
  if (known !== undefined) return known;
  const nextDay = dayIn(new Date(Date.parse(text) + DAY_MS), "UTC");
  const midnightBy = (offset: string) => Date.parse(`${nextDay}T00:00:00${offset}`);
  // The offset of a first guess is wrong in the hours around a change of clocks, so it is asked for twice.
  const guess = midnightBy(offsetAt(midnightBy("Z"), timeZone));
  const end = midnightBy(offsetAt(guess, timeZone)) - 1;
  ends.set(key, end);
  return end;
}

/** The zone's offset from UTC at a moment, as ISO writes it. */
function offsetAt(moment: number, timeZone: string): string {
  const parts = new Intl.DateTimeFormat("en-US", { timeZone, timeZoneName: "longOffset" }).formatToParts(
    moment,
  );
  return parts.find(({ type }) => type === "timeZoneName")?.value.slice("GMT".length) || "Z";
}
