import { Permanent, type Queue } from "../queue/reasons.ts";
import type { StepTable } from "../queue/run.ts";
import type { Step } from "../queue/step.ts";
import { orderTellCrm } from "./order-tell-crm.ts";
import { driftCustomers } from "./drift-customers.ts";
import { driftLogins } from "./drift-logins.ts";
import { driftLook } from "./drift-look.ts";
import { invoicePaid } from "./invoice-paid.ts";
import { chargeRefundedOrDisputed, invoiceVoided } from "./money-back.ts";
import { orderCancelDuplicate } from "./order-cancel-duplicate.ts";
import { orderCancel } from "./order-cancel.ts";
import { orderPlace } from "./order-place.ts";
import { orderReplace } from "./order-replace.ts";
import { pharmacyOrderEvent } from "./pharmacy-order-event.ts";
import { profileChanged, stripeCustomerUpdated } from "./contact-changed.ts";
import { invoicePaymentFailed, ownerTellPaymentFailed } from "./invoice-payment-failed.ts";
import { orderReaddress } from "./order-readdress.ts";
import { ownerCheckAddress } from "./owner-check-address.ts";
import { ownerPropagateContact } from "./owner-propagate-contact.ts";
import { ownerPropagateLogin } from "./owner-propagate-login.ts";
import { ownerPropagatePlan } from "./owner-propagate-plan.ts";
import { patientChanged } from "./patient-changed.ts";
import { invoiceUpcoming } from "./invoice-upcoming.ts";
import { prescriptionAtPharmacy, prescriptionUsedUp, prescriptionWritten } from "./prescription-written.ts";
import { renewalAdvance } from "./renewal-advance.ts";
import { renewalPauseBilling, renewalResumeBilling } from "./renewal-billing.ts";
import { renewalCheck } from "./renewal-check.ts";
import { renewalFind } from "./renewal-find.ts";
import { renewalTellCrm } from "./renewal-tell-crm.ts";
import { subscriptionChanged } from "./subscription-changed.ts";
import { webhookUnreadable } from "./webhook-unreadable.ts";

/** Every step there is. A new one is one file and one line here. */
export const STEPS: readonly Step[] = [
  invoicePaid,
  chargeRefundedOrDisputed,
  invoiceVoided,
  prescriptionWritten,
  prescriptionAtPharmacy,
  prescriptionUsedUp,
  invoiceUpcoming,
  subscriptionChanged,
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
  patientChanged,
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
    find: (name) => byName.get(name),
    queueOf(name): Queue {
      const step = byName.get(name);
      if (!step) throw new Permanent("UNKNOWN_STEP", { step: name });
      return step.queue;
    },
  };
}
