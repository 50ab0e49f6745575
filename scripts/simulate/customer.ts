import type { Person } from "../sandbox/clinic.ts";
import type { Dice } from "./dice.ts";
import type { PriceId, ProductName } from "./shop.ts";

/** A customer's wish for a refill. Stripe's state may differ. */
export type Wish = "refill" | "pause" | "end" | "ended";

/** One thing a customer refills: a subscription of one price. */
export interface Refill {
  subscriptionId: string;
  itemId: string;
  priceId: PriceId;
  wish: Wish;
  /** Invoices that were paid for before the wish counts. */
  wishSince: Date;
  /** Charges without a fill yet. */
  owed: number;
  /** Campaigns since a prescription made it well: covered for so long that nobody would ask. */
  asked: number;
  /** Campaigns since a prescription for it was last written in full, extended or completed. */
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
  /** The events so far, to find the cause of a break. */
  story: { at: Date; what: string }[];
  /** The last change that nobody could foresee. Work that was done before it could not know it. */
  surprisedAt: Date;
}
