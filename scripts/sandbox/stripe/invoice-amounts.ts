import type { DiscountAmount, LineTax, TaxRate } from "./objects.ts";

/** What a coupon takes off: `percentOff` of 100, or `amountOff` in cents. The other is null. */
export interface Reduction {
  discount: string;
  percentOff: number | null;
  amountOff: number | null;
}

interface PlainLine {
  amount: number;
  /** False for prorations: their amounts have their discount in them. */
  discountable: boolean;
}

interface PricedLine {
  discount_amounts: DiscountAmount[];
  taxes: LineTax[];
}

/**
 * The discounts and taxes of each line, in cents. Discounts come first, one after the other, each in proportion to what
 * is left of the lines; then the tax on what is left, rounded line by line (docs.stripe.com/tax/tax-rates).
 */
export function priceLines<Line extends PlainLine>(
  lines: readonly Line[],
  reductions: readonly Reduction[],
  rates: readonly TaxRate[],
): (Line & PricedLine)[] {
  const priced = lines.map((line) => {
    const amounts: PricedLine = { discount_amounts: [], taxes: [] };
    return { ...line, ...amounts };
  });
  for (const { discount, ...reduction } of reductions) {
    const bases = priced.map((line) => line.discountable ? Math.max(0, leftOf(line)) : 0);
    const shares = reduce(bases, reduction);
    priced.forEach((line, i) => {
      if (line.discountable) line.discount_amounts.push({ amount: shares[i] ?? 0, discount });
    });
  }
  for (const line of priced) line.taxes = taxesOn(leftOf(line), rates);
  return priced;
}

function leftOf(
  { amount, discount_amounts }: { amount: number; discount_amounts: DiscountAmount[] },
): number {
  return amount - sumOf(discount_amounts);
}

/** The part of each base that goes. A fixed amount is spread over them, the odd cent on the last, and takes no more than there is. */
function reduce(bases: readonly number[], { percentOff, amountOff }: Omit<Reduction, "discount">): number[] {
  if (percentOff !== null) return bases.map((base) => round(base * percentOff / 100));
  const total = bases.reduce((sum, base) => sum + base, 0);
  const off = Math.min(amountOff ?? 0, total);
  let seen = 0;
  let taken = 0;
  return bases.map((base) => {
    seen += base;
    const share = total === 0 ? 0 : Math.floor(off * seen / total) - taken;
    taken += share;
    return share;
  });
}

/** Inclusive rates are within the amount; exclusive ones come on top of what is left without them. */
function taxesOn(amount: number, rates: readonly TaxRate[]): LineTax[] {
  const inclusive = rates.filter((rate) => rate.inclusive);
  const share = inclusive.reduce((sum, { percentage }) => sum + percentage, 0);
  const net = amount / (1 + share / 100);
  const within = inclusive.map((rate) => ({ rate, tax: round(net * rate.percentage / 100) }));
  const taxable = amount - within.reduce((sum, { tax }) => sum + tax, 0);
  const onTop = rates.filter((rate) => !rate.inclusive)
    .map((rate) => ({ rate, tax: round(taxable * rate.percentage / 100) }));
  return [...within, ...onTop].map(({ rate, tax }) => ({
    amount: tax,
    tax_behavior: rate.inclusive ? "inclusive" : "exclusive",
    tax_rate_details: { tax_rate: rate.id },
    taxability_reason: "not_available",
    taxable_amount: taxable,
    type: "tax_rate_details",
  }));
}

/** The sums of an invoice or of a credit note. */
interface Totals {
  subtotal: number;
  subtotal_excluding_tax: number;
  total: number;
  total_excluding_tax: number;
  discount_amounts: DiscountAmount[];
  total_taxes: LineTax[];
}

export function totalsOf(lines: readonly (PricedLine & { amount: number })[]): Totals {
  const subtotal = sumOf(lines);
  const discounts = lines.flatMap((line) => line.discount_amounts);
  const taxes = lines.flatMap((line) => line.taxes);
  const within = sumOf(taxes.filter((tax) => tax.tax_behavior === "inclusive"));
  const onTop = sumOf(taxes) - within;
  const discounted = subtotal - sumOf(discounts);
  return {
    subtotal,
    // Without the tax that the lines would hold before their discounts.
    subtotal_excluding_tax: subtotal - (discounted === 0 ? 0 : round(within * subtotal / discounted)),
    total: discounted + onTop,
    total_excluding_tax: discounted - within,
    discount_amounts: addUp(discounts, ({ discount }) => discount, (one, other) => ({
      ...one,
      amount: one.amount + other.amount,
    })),
    total_taxes: addUp(taxes, ({ tax_rate_details: details }) => details?.tax_rate ?? "", (one, other) => ({
      ...one,
      amount: one.amount + other.amount,
      taxable_amount: (one.taxable_amount ?? 0) + (other.taxable_amount ?? 0),
    })),
  };
}

/** The share `part` of `whole` of a priced line, for a credit note. */
export function shareOf({ discount_amounts, taxes }: PricedLine, part: number, whole: number): PricedLine {
  const share = (amount: number) => whole === 0 ? 0 : round(amount * part / whole);
  return {
    discount_amounts: discount_amounts.map((one) => ({ ...one, amount: share(one.amount) })),
    taxes: taxes.map((tax) => ({
      ...tax,
      amount: share(tax.amount),
      taxable_amount: share(tax.taxable_amount ?? 0),
    })),
  };
}

export function sumOf(entries: readonly { amount: number }[]): number {
  return entries.reduce((sum, { amount }) => sum + amount, 0);
}

function addUp<T>(entries: readonly T[], keyOf: (entry: T) => string, add: (one: T, other: T) => T): T[] {
  const sums = new Map<string, T>();
  for (const entry of entries) {
    const former = sums.get(keyOf(entry));
    sums.set(keyOf(entry), former === undefined ? entry : add(former, entry));
  }
  return [...sums.values()];
}

/** Half a cent away from zero. The factor takes back what binary fractions lose (1.005 is 1.00499…). */
function round(cents: number): number {
  return Math.sign(cents) * Math.round(Math.abs(cents) * (1 + Number.EPSILON)) + 0;
}
