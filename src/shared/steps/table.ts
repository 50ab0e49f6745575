import { Permanent, type Queue } from "../queue/reasons.ts";
import type { Step, StepTable } from "../queue/step.ts";
import { completenessEndpoint } from "./completeness/endpoint.ts";
import { completenessHealth } from "./completeness/health.ts";
import { completenessInvoices } from "./completeness/invoices.ts";
import { completenessPharmacy } from "./completeness/pharmacy.ts";
import { completenessStripe } from "./completeness/stripe.ts";
import { customerLink } from "./customer/link.ts";
import { customerLinked } from "./customer/linked.ts";
import { customerMerge } from "./customer/merge.ts";
import { driftLook } from "./drift/look.ts";
import { driftCustomers, driftLogins } from "./drift/pages.ts";
import { profileChanged } from "./events/crm-profile-changed.ts";
import { healthPatient } from "./events/health-patient.ts";
import { prescriptionWritten } from "./events/health-prescription-written.ts";
import { pharmacyOrderEvent } from "./events/pharmacy-order.ts";
import { prescriptionAtPharmacy, prescriptionUsedUp } from "./events/pharmacy-prescription.ts";
import { stripeCheckoutCompleted } from "./events/stripe-checkout-completed.ts";
import { stripeCustomerCreated } from "./events/stripe-customer-created.ts";
import { stripeCustomerDeleted } from "./events/stripe-customer-deleted.ts";
import { stripeCustomerUpdated } from "./events/stripe-customer-updated.ts";
import { invoicePaid } from "./events/stripe-invoice-paid.ts";
import { invoicePaymentFailed } from "./events/stripe-invoice-payment-failed.ts";
import { invoiceUpcoming } from "./events/stripe-invoice-upcoming.ts";
import { moneyMoved } from "./events/stripe-money-moved.ts";
import { paymentMethodAttached } from "./events/stripe-payment-method-attached.ts";
import { subscriptionChanged } from "./events/stripe-subscription-changed.ts";
import { webhookUnreadable } from "./events/webhook-unreadable.ts";
import { orderCancelDuplicate } from "./order/cancel-duplicate.ts";
import { orderCancel } from "./order/cancel.ts";
import { orderDecide } from "./order/decide.ts";
import { orderMake } from "./order/make.ts";
import { orderPlace } from "./order/place.ts";
import { orderReaddress } from "./order/readdress.ts";
import { orderReplace } from "./order/replace.ts";
import { orderReview } from "./order/review.ts";
import { orderTellCrm } from "./order/tell-crm.ts";
import { ownerCheckAddress } from "./owner/check-address.ts";
import { ownerPropagateContact } from "./owner/propagate-contact.ts";
import { ownerPropagateLogin } from "./owner/propagate-login.ts";
import { ownerPropagatePlan } from "./owner/propagate-plan.ts";
import { ownerTellPaymentFailed } from "./owner/tell-payment-failed.ts";
import { productCheckKey } from "./product/check-key.ts";
import { productCountPharmacy, productCountStripe } from "./product/count.ts";
import { productMoveSubscription } from "./product/move-subscription.ts";
import { productRetire } from "./product/retire.ts";
import { renewalAdvance } from "./renewal/advance.ts";
import { renewalPauseBilling, renewalResumeBilling } from "./renewal/billing.ts";
import { renewalCheck } from "./renewal/check.ts";
import { renewalFind } from "./renewal/find.ts";
import { renewalTellCrm } from "./renewal/tell-crm.ts";
import { subscriptionCompare } from "./subscription/compare.ts";
import { subscriptionLook } from "./subscription/look.ts";
import { subscriptionStart } from "./subscription/start.ts";

/** Every step. A new one is one file and one line here. */
export const STEPS: readonly Step[] = [
  invoicePaid,
  moneyMoved,
  prescriptionWritten,
  prescriptionAtPharmacy,
  prescriptionUsedUp,
  invoiceUpcoming,
  subscriptionChanged,
  orderMake,
  orderReview,
  orderDecide,
  orderPlace,
  orderCancel,
  orderCancelDuplicate,
  orderReplace,
  pharmacyOrderEvent,
  orderTellCrm,
  orderReaddress,
  profileChanged,
  stripeCustomerUpdated,
  invoicePaymentFailed,
  ownerPropagatePlan,
  driftCustomers,
  driftLogins,
  driftLook,
  ownerPropagateContact,
  ownerPropagateLogin,
  ownerTellPaymentFailed,
  ownerCheckAddress,
  renewalFind,
  renewalCheck,
  renewalAdvance,
  renewalTellCrm,
  renewalPauseBilling,
  renewalResumeBilling,
  completenessStripe,
  completenessHealth,
  completenessPharmacy,
  completenessEndpoint,
  subscriptionLook,
  subscriptionStart,
  paymentMethodAttached,
  completenessInvoices,
  productCountStripe,
  productCountPharmacy,
  productCheckKey,
  productRetire,
  productMoveSubscription,
  stripeCustomerCreated,
  stripeCustomerDeleted,
  stripeCheckoutCompleted,
  healthPatient,
  customerLink,
  customerLinked,
  customerMerge,
  subscriptionCompare,
  webhookUnreadable,
];

/** Looks steps up by the value of `tasks.step`. Throws when two steps claim the same one. */
export function makeStepTable(steps: readonly Step[]): StepTable {
  const byName = new Map<string, Step>();
  for (const step of steps) {
    for (const name of step.handles) {
      if (byName.has(name)) throw new Error(`two steps handle ${name}`);
      byName.set(name, step);
    }
  }
  return {
    names: [...byName.keys()],
    find: (name) => byName.get(name),
    queueOf(name): Queue {
      const step = byName.get(name);
      if (!step) throw new Permanent("UNKNOWN_STEP", { step: name });
      return step.queue;
    },
  };
}

/** The events of Stripe that have a step, in alphabetical order: its endpoint subscribes to these. */
export const STRIPE_EVENTS: readonly string[] = STEPS.flatMap(({ handles }) => handles)
  .filter((name) => name.startsWith("stripe.")).map((name) => name.slice("stripe.".length)).sort();
