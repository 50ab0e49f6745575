import { z } from "zod";
import { invalidRequest, need } from "./errors.ts";
import type { Account } from "./account.ts";
import { choose } from "./lists.ts";
import { addCreditNoteRoutes } from "./credit-note-routes.ts";
import type { Charge } from "./money-objects.ts";
import { expand, mergeMetadata, metadata, text } from "./params.ts";
import { changeRefund } from "./refund-status.ts";
import { refund } from "./refunds.ts";
import type { StripeRouter } from "./router.ts";
import type { StripeState } from "./state.ts";

/** The routes of charges and of all that gives their money back. */
export function addMoneyRoutes(router: StripeRouter, account: Account): void {
  const { state } = account;
  const { paymentIntents, charges, coupons, disputes } = state;
  addCreditNoteRoutes(router, account);
  router.getter("/v1/payment_intents", "payment intent", paymentIntents);
  router.getter("/v1/charges", "charge", charges);
  router.collection("/v1/charges", "charge", charges, ["customer", "payment_intent"]);
  addRefundRoutes(router, account);
  router.getter("/v1/coupons", "coupon", coupons);
  router.lister(
    "/v1/customers/:id/balance_transactions",
    "customer balance transaction",
    {},
    (_params, id) => {
      need(state.customers, "customer", id, "customer", 404);
      return choose(state.customerBalanceTransactions.group(id), {});
    },
    "list balance transactions",
  );
  router.getter("/v1/disputes", "dispute", disputes);
  router.collection("/v1/disputes", "dispute", disputes, ["charge", "payment_intent"]);
}

function addRefundRoutes(router: StripeRouter, account: Account): void {
  const { state, events } = account;
  const { refunds } = state;
  const inPath = (id: string) => need(refunds, "refund", id, "id", 404);
  router.getter("/v1/refunds", "refund", refunds);
  router.collection("/v1/refunds", "refund", refunds, ["charge", "payment_intent"]);
  router.route("POST", "/v1/refunds", "create refund", {
    charge: text,
    payment_intent: text,
    amount: z.coerce.number().int().positive().optional(),
    reason: z.enum(["duplicate", "fraudulent", "requested_by_customer"]).optional(),
    metadata,
    expand,
  }, ({ amount, reason = null, ...params }) => {
    const made = refund(account, chargeOf(state, params), amount, { reason });
    made.metadata = mergeMetadata({}, params.metadata);
    return made;
  });
  router.route("POST", "/v1/refunds/:id", "update refund", { metadata, expand }, (params, id) => {
    const changed = inPath(id);
    const previous = { metadata: changed.metadata };
    changed.metadata = mergeMetadata({ ...changed.metadata }, params.metadata);
    events.emit("refund.updated", changed, previous);
    return changed;
  });
  router.route("POST", "/v1/refunds/:id/cancel", "cancel refund", { expand }, (_params, id) => {
    const canceled = inPath(id);
    // The API cancels no other: a refund to a card is canceled in the Dashboard alone.
    if (canceled.status !== "requires_action") {
      throw invalidRequest("Only refunds with a status of requires_action can be canceled.");
    }
    return changeRefund(account, canceled, "canceled");
  });
}

/** The charge itself, or the one that its payment intent made last. */
function chargeOf(
  { charges, paymentIntents }: StripeState,
  { charge, payment_intent: intentId }: { charge?: string | undefined; payment_intent?: string | undefined },
): Charge {
  if (charge !== undefined) return need(charges, "charge", charge, "charge");
  if (intentId === undefined) {
    throw invalidRequest(
      "One of the following params should be provided for this request: payment_intent or charge.",
    );
  }
  const intent = need(paymentIntents, "payment_intent", intentId, "payment_intent");
  if (intent.latest_charge === null) {
    throw invalidRequest(`This PaymentIntent (${intentId}) does not have a successful charge to refund.`);
  }
  return need(charges, "charge", intent.latest_charge, "charge");
}
