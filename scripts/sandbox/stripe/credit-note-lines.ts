import { invalidRequest, need, noSuch } from "./errors.ts";
import { priceLines, shareOf, sumOf } from "./invoice-amounts.ts";
import type { CreditNoteLine } from "./money-objects.ts";
import type { Invoice, InvoiceLine } from "./objects.ts";
import type { StripeState } from "./state.ts";

/** What is credited: an amount or a quantity of an invoice's line, before its discount and tax, or something of its own. */
export type NoteLine =
  | { lineId: string; amount: number }
  | { lineId: string; quantity: number }
  | { description: string; quantity: number; unitAmount: number; taxRateIds?: string[] | undefined };

/** The line of a credit note, with its share of the discount and tax of the line that it credits. */
export function noteLine(state: StripeState, invoice: Invoice, line: NoteLine): CreditNoteLine {
  const base = {
    id: state.newId("cnli_1", 23),
    object: "credit_note_line_item" as const,
    livemode: state.livemode,
    metadata: {},
  };
  if (!("lineId" in line)) {
    const { description, quantity, unitAmount, taxRateIds = [] } = line;
    if (unitAmount < 0) throw invalidRequest("A custom line item cannot be negative.");
    const rates = taxRateIds.map((id) => need(state.taxRates, "tax rate", id, "lines[0][tax_rates][0]"));
    const [priced] = priceLines([{ amount: quantity * unitAmount, discountable: false }], [], rates);
    return {
      ...base,
      amount: quantity * unitAmount,
      description,
      discount_amount: 0,
      discount_amounts: [],
      quantity,
      taxes: priced?.taxes ?? [],
      type: "custom_line_item",
      unit_amount: unitAmount,
    };
  }
  const credited = invoice.lines.data.find(({ id }) => id === line.lineId);
  if (!credited) throw noSuch("invoice line item", line.lineId, "lines[0][invoice_line_item]");
  const quantity = "quantity" in line ? line.quantity : null;
  const amount = "amount" in line
    ? line.amount
    : Math.round(credited.amount * line.quantity / (credited.quantity ?? 1));
  mustFit(state, credited, { amount, quantity });
  const share = shareOf(credited, amount, credited.amount);
  return {
    ...base,
    amount,
    description: credited.description,
    discount_amount: sumOf(share.discount_amounts),
    ...share,
    invoice_line_item: credited.id,
    quantity,
    type: "invoice_line_item",
    unit_amount: null,
  };
}

/** No more than the line has left, and by amount or by quantity as it was credited before. */
function mustFit(
  { creditNotes }: StripeState,
  line: InvoiceLine,
  { amount, quantity }: { amount: number; quantity: number | null },
): void {
  const former = [...creditNotes.group(line.invoice).values()]
    .filter(({ status }) => status === "issued")
    .flatMap((note) => note.lines.data)
    .filter((one) => one.invoice_line_item === line.id);
  if (former.some((one) => (one.quantity === null) !== (quantity === null))) {
    throw invalidRequest("A line item is credited by amount or by quantity, not by both.");
  }
  const left = line.amount - sumOf(former);
  if (Math.sign(amount) !== Math.sign(line.amount) || Math.abs(amount) > Math.abs(left)) {
    throw invalidRequest("The credit amount is greater than what is left of the line item.");
  }
}
