/**
 * An amount for people: `43.00 USD`.
 * @param amount in the currency's smallest unit
 * @param currency a code of ISO 4217, in any case
 */
export function formatMoney(amount: number, currency: string): string {
  const code = currency.toUpperCase();
  const { maximumFractionDigits: digits = 2 } = new Intl.NumberFormat("en-US", {
    style: "currency",
    currency: code,
  })
    .resolvedOptions();
  return `${(amount / 10 ** digits).toFixed(digits)} ${code}`;
}
