import type { StripeInvoiceLine } from "../vendors/stripe/client.ts";

/** A fill of a paid line. */
export interface Slot {
  line: StripeInvoiceLine;
  productId: number;
  /** The begin of the slot, on which the fill is due. */
  dueOn: Date;
}

/**
 * True when a change of the subscription took the slot's payment back, and no debit of the same change pays for it again.
 * Time decides, money is not compared: a credit covers the slots of its line that begin at or after its own period does.
 * @param changes proration lines of invoices that are not void, and such items that wait for their invoice
 * @param productOf the product of a Stripe price
 */
export function isCredited(
  slot: Slot,
  changes: readonly StripeInvoiceLine[],
  productOf: (priceId: string | null) => number | undefined,
): boolean {
  const { line, dueOn, productId } = slot;
  const credits = changes.filter((one) => one.amount < 0 && one.periodStart <= dueOn && isAbout(one, line));
  return credits.some((credit) =>
    !changes.some((debit) =>
      debit.amount > 0 && debit.subscriptionId === line.subscriptionId && debit.periodEnd > dueOn &&
      debit.periodStart.getTime() === credit.periodStart.getTime() && productOf(debit.priceId) === productId
    )
  );
}

/** A credit names the lines that it takes back. One that names none is about its own item, price and period. */
function isAbout(credit: StripeInvoiceLine, line: StripeInvoiceLine): boolean {
  const { creditedLineIds, creditedItemId } = credit;
  if (creditedLineIds.length > 0) return creditedLineIds.includes(line.id);
  if (creditedItemId !== null) return creditedItemId === line.invoiceItemId;
  return credit.subscriptionItemId !== null && credit.subscriptionItemId === line.subscriptionItemId &&
    credit.priceId === line.priceId && credit.periodStart >= line.periodStart &&
    credit.periodEnd <= line.periodEnd;
}
