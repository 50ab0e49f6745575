import type { Person } from "../sandbox/clinic.ts";
import type { Dice } from "./dice.ts";
import type { PriceId, ProductName } from "./shop.ts";

/** What a customer wants of a refill now, whatever Stripe or anybody else says. */
export type Wish = "refill" | "pause" | "end" | "ended";

/** One thing a customer refills: a subscription of one price. */
export interface Refill {
  subscriptionId: string;
  itemId: string;
  priceId: PriceId;
  wish: Wish;
  /** Invoices that were paid for before the wish counts. */
  wishSince: Date;
  /** Charges that nothing could be filled for yet. */
  owed: number;
  /** Campaigns since it was well, that is: covered for so long that nobody would ask. */
  asked: number;
  /** Campaigns since then, or since a prescription was last written for it. */
  askedForThis: number;
}

/** A prescription as it was filed. The pharmacy's copy can come days later. */
export interface Filed {
  healthId: string;
  pharmacyId: string | null;
  product: ProductName;
  daysSupply: number;
}

export interface Customer {
  number: number;
  person: Person;
  dice: Dice;
  refills: Refill[];
  prescriptions: Filed[];
  /** What happened, for whoever has to understand it. */
  story: { at: Date; what: string }[];
  /** When something last changed that nobody could foresee: before it nobody can be blamed for not knowing. */
  surprisedAt: Date;
}
