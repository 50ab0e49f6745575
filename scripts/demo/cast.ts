import type { PriceId } from "../sandbox/clinic.ts";
import { shuffle } from "../sandbox/random.ts";

/** The customers' roles in the story, with their shares of all customers. Every role has at least one. */
const SHARES = [
  ["refunded_before_charge_is_heard", 0.02],
  ["refunded_in_outage", 0.02],
  ["refunded_after_placing", 0.02],
  ["refunded_after_shipping", 0.015],
  ["disputed_before_placing", 0.01],
  ["disputed_after_placing", 0.015],
  ["partly_refunded", 0.02],
  ["one_of_two_lines_credited", 0.01],
  ["pauses_and_resumes", 0.015],
  ["pauses", 0.01],
  ["product_unknown", 0.03],
  ["customer_unknown", 0.02],
  ["prescribed_later", 0.025],
  ["never_prescribed", 0.01],
  ["prescription_expired", 0.01],
  ["prescription_unclear", 0.015],
  ["one_fill_only", 0.015],
  ["pharmacy_cancels", 0.02],
  ["pharmacy_fails", 0.015],
  ["card_declined", 0.015],
  ["quarterly", 0.08],
  ["quarterly_late", 0.02],
  ["renews", 0.15],
] as const;
export type Role = (typeof SHARES)[number][0] | "one_month";

export interface Part {
  role: Role;
  price: PriceId;
  /** Signs up in this wave of the first day; later ones come next month. */
  wave: number;
}

/** The waves of the first day. The pharmacy is out from the fourth to the fifth. */
export const WAVES = 6;
export const OUTAGE_WAVE = 3;
/** The beginners come while Stripe loses requests and replies. */
export const BEGINNERS_WAVE = 2;
const NEXT_MONTH = WAVES;

/** The cast. The same seed and number give the same one. */
export function castParts(customers: number, random: () => number): Part[] {
  const roles: Role[] = [];
  for (const [role, share] of SHARES) {
    const count = Math.max(1, Math.round(share * customers));
    for (let i = 0; i < count; i++) roles.push(role);
  }
  while (roles.length < customers) roles.push("one_month");
  return shuffle(roles.slice(0, customers), random).map((role, index) => ({
    role,
    price: priceFor(role, random),
    wave: waveFor(role, index),
  }));
}

function priceFor(role: Role, random: () => number): PriceId {
  if (role === "product_unknown") return "price_pen_month";
  if (role === "quarterly" || role === "quarterly_late") return "price_morning_quarter";
  return random() < 0.6 ? "price_morning_month" : "price_evening_month";
}

function waveFor(role: Role, index: number): number {
  if (role === "quarterly_late") return NEXT_MONTH;
  if (role === "refunded_in_outage") return OUTAGE_WAVE;
  // Nobody else needs the outage for their part, and some need to be placed on the first day.
  return index % WAVES;
}
