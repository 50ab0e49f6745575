import { z } from "zod";
import type { Account } from "./account.ts";
import type { NoteLine } from "./credit-note-lines.ts";
import { creditNote, voidCreditNote } from "./credit-notes.ts";
import { invalidRequest, need } from "./errors.ts";
import { expand, mergeMetadata, metadata, text } from "./params.ts";
import type { StripeRouter } from "./router.ts";

const cents = z.coerce.number().int().min(0).optional();

const line = z.strictObject({
  type: z.enum(["invoice_line_item", "custom_line_item"]),
  amount: z.coerce.number().int().optional(),
  description: text,
  invoice_line_item: text,
  quantity: z.coerce.number().int().positive().optional(),
  tax_rates: z.array(z.string()).optional(),
  unit_amount: z.coerce.number().int().optional(),
});

export function addCreditNoteRoutes(router: StripeRouter, account: Account): void {
  const { state, events } = account;
  const { creditNotes } = state;
  const inPath = (id: string) => need(creditNotes, "credit note", id, "id", 404);
  router.getter("/v1/credit_notes", "credit note", creditNotes);
  router.collection("/v1/credit_notes", "credit note", creditNotes, ["invoice", "customer"]);
  router.lister(
    "/v1/credit_notes/:id/lines",
    "line item",
    {},
    (_params, id) => inPath(id).lines.data,
    "list credit note lines",
  );
  router.route("POST", "/v1/credit_notes", "create credit note", {
    invoice: z.string(),
    lines: z.array(line).min(1),
    refund_amount: cents,
    refunds: z.array(z.strictObject({
      refund: z.string(),
      amount_refunded: cents,
      type: z.literal("refund").optional(),
    })).optional(),
    credit_amount: cents,
    out_of_band_amount: cents,
    memo: text,
    reason: z.enum(["duplicate", "fraudulent", "order_change", "product_unsatisfactory"]).optional(),
    metadata,
    expand,
  }, (params) => {
    const note = creditNote(account, need(state.invoices, "invoice", params.invoice, "invoice"), {
      lines: params.lines.map(toLine),
      giving: {
        refundAmount: params.refund_amount,
        refunds: params.refunds,
        creditAmount: params.credit_amount,
        outOfBandAmount: params.out_of_band_amount,
      },
      memo: params.memo ?? null,
      reason: params.reason ?? null,
    });
    note.metadata = mergeMetadata({}, params.metadata);
    return note;
  });
  router.route("POST", "/v1/credit_notes/:id", "update credit note", { memo: text, metadata, expand }, (
    params,
    id,
  ) => {
    const note = inPath(id);
    const previous = { memo: note.memo, metadata: note.metadata };
    note.memo = params.memo ?? note.memo;
    note.metadata = mergeMetadata(note.metadata, params.metadata);
    events.emit("credit_note.updated", note, previous);
    return note;
  });
  router.route(
    "POST",
    "/v1/credit_notes/:id/void",
    "void credit note",
    { expand },
    (_params, id) => voidCreditNote(account, inPath(id)),
  );
}

function toLine(given: z.output<typeof line>): NoteLine {
  const { amount, quantity, invoice_line_item: lineId, unit_amount: unitAmount } = given;
  if (given.type === "custom_line_item" && unitAmount !== undefined) {
    const { description = "", tax_rates: taxRateIds } = given;
    return { description, quantity: quantity ?? 1, unitAmount, taxRateIds };
  }
  if (given.type === "invoice_line_item" && lineId !== undefined) {
    if (quantity !== undefined) return { lineId, quantity };
    if (amount !== undefined) return { lineId, amount };
  }
  throw invalidRequest("A credit note line needs an amount, a quantity, or a unit amount.", {
    param: "lines[0]",
  });
}
