import type { EventLog } from "./events.ts";
import type { Customer, Invoice, InvoiceItem, Subscription } from "./objects.ts";
import type { NewLine, StripeState } from "./state.ts";

/** What an invoice item is made of. Amounts in cents; a credit is negative. */
interface NewInvoiceItem
  extends Pick<InvoiceItem, "amount" | "customer" | "parent" | "period" | "pricing" | "quantity"> {
  description?: string | null;
  /** Present on a proration: the billed time that it gives back, or null for a charge. */
  credits?: Debit | null;
}

/** A span of time that was billed to a subscription item. `net`: cents after discounts. */
export interface Debit {
  /** The invoice item that billed it, else the line. */
  key: string;
  net: number;
  start: number;
  end: number;
  /** Null while the charge itself is pending. */
  line: { invoice: string; id: string } | null;
}

/** Pending until an invoice takes it in. Sends `invoiceitem.created`. */
export function addInvoiceItem(
  { state, events }: { state: StripeState; events: EventLog },
  { credits, description = null, ...fields }: NewInvoiceItem,
): InvoiceItem {
  const proration = credits !== undefined;
  const item = state.invoiceItems.add({
    id: state.newId("ii_1", 23),
    object: "invoiceitem",
    currency: "usd",
    date: state.nowSeconds(),
    description,
    // Discounts are inside the amount of a proration already.
    discountable: !proration && fields.amount >= 0,
    invoice: null,
    livemode: state.livemode,
    metadata: {},
    proration,
    ...fields,
    ...(proration
      ? { proration_details: { credited_items: creditedBy(credits), discount_amounts: [] } }
      : {}),
  });
  if (credits) state.credits.set(credits.key, [...(state.credits.get(credits.key) ?? []), item]);
  events.emit("invoiceitem.created", item);
  return item;
}

function creditedBy(debit: Debit | null) {
  if (debit === null) return null;
  if (debit.line === null) return { type: "invoice_item", invoice_item: debit.key };
  const { invoice, id } = debit.line;
  return {
    type: "invoice_line_items",
    invoice_line_item_details: { invoice, invoice_line_items: [id] },
  };
}

/** Only a pending one can be deleted. Sends `invoiceitem.deleted`. */
export function deleteInvoiceItem(
  { state, events }: { state: StripeState; events: EventLog },
  item: InvoiceItem,
): { id: string; object: "invoiceitem"; deleted: true } {
  state.invoiceItems.delete(item.id);
  events.emit("invoiceitem.deleted", item);
  return { id: item.id, object: "invoiceitem", deleted: true };
}

/** The pending items of the subscription's next invoice: its own, and those of the customer alone. */
export function pendingItems(state: StripeState, owner: Subscription | Customer): InvoiceItem[] {
  const isSubscription = owner.object === "subscription";
  const all = [...state.invoiceItems.group(isSubscription ? owner.customer : owner.id).values()];
  return all.filter(({ invoice, parent }) =>
    invoice === null &&
    (parent === null || (isSubscription && parent.subscription_details.subscription === owner.id))
  );
}

/** Puts the pending items on the invoice, as its lines. */
export function takePending(
  state: StripeState,
  owner: Subscription | Customer,
  invoiceId: string,
): (NewLine & { id: string })[] {
  const taken = pendingItems(state, owner);
  for (const item of taken) item.invoice = invoiceId;
  const ids = new Map(taken.map(({ id }) => [id, state.newId("il_1", 23)]));
  return taken.map((item) => ({
    id: ids.get(item.id) ?? "",
    amount: item.amount,
    description: item.description,
    discountable: item.discountable,
    quantity: item.quantity,
    period: item.period,
    parent: lineParent(state, item, ids),
    pricing: item.pricing,
    subscription: item.parent?.subscription_details.subscription ?? null,
  }));
}

/** A line of a subscription item says so, though an invoice item made it. */
function lineParent(state: StripeState, item: InvoiceItem, ids: Map<string, string>): NewLine["parent"] {
  const details = {
    invoice_item: item.id,
    proration: item.proration,
    proration_details: { credited_items: creditedLines(state, item, ids) },
    subscription: item.parent?.subscription_details.subscription ?? null,
  };
  const subscription_item = item.parent?.subscription_details.subscription_item;
  if (subscription_item === undefined) {
    return { type: "invoice_item_details", invoice_item_details: details, subscription_item_details: null };
  }
  return {
    type: "subscription_item_details",
    invoice_item_details: null,
    subscription_item_details: { ...details, subscription_item },
  };
}

/** A charge that was pending with its credit is a line by now: of the same invoice, or of an earlier one. */
function creditedLines(state: StripeState, item: InvoiceItem, ids: Map<string, string>) {
  const credited = item.proration_details?.credited_items;
  if (!credited) return null;
  if (credited.invoice_line_item_details) return credited.invoice_line_item_details;
  const charge = state.invoiceItems.get(credited.invoice_item ?? "");
  const invoice = charge && state.invoices.get(charge.invoice ?? "");
  const line = charge && (ids.get(charge.id) ?? lineOf(invoice, charge.id));
  return charge?.invoice && line ? { invoice: charge.invoice, invoice_line_items: [line] } : null;
}

/** The line that an invoice item became. */
function lineOf(invoice: Invoice | undefined, invoiceItem: string): string | undefined {
  return invoice?.lines.data.find(({ parent }) =>
    (parent?.subscription_item_details ?? parent?.invoice_item_details)?.invoice_item === invoiceItem
  )?.id;
}
