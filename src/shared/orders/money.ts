import type { StripeInvoice, StripeInvoiceLine } from "../vendors/stripe/client.ts";
import type { Case } from "./cases.ts";
import { isCredited, type Slot } from "./credits.ts";
import { invoiceStateOf } from "./invoices.ts";
import type { Kept } from "./kept.ts";

/** The facts about the money of an invoice's fills. */
export interface MoneyFacts {
  invoice: StripeInvoice;
  kept: Kept;
  /** Proration lines of invoices that are not void, and such items that wait for their invoice. */
  changes: readonly StripeInvoiceLine[];
  /** The product of a Stripe price, as the registry has it. */
  productOf(priceId: string | null): number | undefined;
}

/** The fills that a line pays for. */
export interface LineFills {
  all: number;
  notSent: number;
}

/** The case of a fill by its money alone. */
export function moneyCaseOf(slot: Slot, fills: LineFills, facts: MoneyFacts): Case {
  const { invoice, kept: { total, kept, lost, disputed, isInquired, unnamed, creditedByLine } } = facts;
  if (invoiceStateOf(invoice) !== "PAID") return "NOT_PAID";
  if (total > 0 && kept <= 0) return lost > 0 ? "DISPUTE_LOST" : "ALL_BACK";
  const { line } = slot;
  const credited = creditedByLine.get(line.id) ?? 0;
  if (credited > 0 && credited >= line.amount) return "LINE_CREDITED";
  // A share is rounded by at most one unit a fill.
  const share = (line.amount * fills.notSent) / fills.all - fills.all;
  if (credited > 0 && credited >= share) return "REST_CREDITED";
  if (isCredited(slot, facts.changes, facts.productOf)) return "SLOT_CREDITED";
  if (disputed > 0) return kept - disputed <= 0 ? "DISPUTED" : "PART_DISPUTED";
  if (isInquired) return "INQUIRED";
  if (credited > 0 || unnamed > fills.all) return "PART_BACK";
  return "FINE";
}
