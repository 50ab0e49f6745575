import { CANARY, type Sender, SENDERS } from "../http/support.ts";

/** A vendor's message as it comes in, and the data its task must be made of. */
export interface Fixture {
  sender: Sender;
  body: Record<string, unknown>;
  headers?: Record<string, string>;
  data: Record<string, unknown>;
}

const CREATED = 1_795_000_000;
const TIME = "2026-11-20T08:15:30.000Z";

function stripe(type: string, object: Record<string, unknown>, ids: Record<string, unknown>): Fixture {
  return {
    sender: SENDERS.stripe,
    body: {
      id: `evt_${type}`,
      object: "event",
      api_version: "2026-06-30.dahlia",
      created: CREATED,
      livemode: true,
      pending_webhooks: 1,
      request: { id: "req_8", idempotency_key: null },
      type,
      data: { object: { ...object, description: CANARY, metadata: { note: CANARY } } },
    },
    data: {
      ...(object["id"] ? { object_id: object["id"] } : {}),
      object_type: object["object"],
      created: new Date(CREATED * 1000).toISOString(),
      api_version: "2026-06-30.dahlia",
      ...ids,
    },
  };
}

const parent = {
  type: "subscription_details",
  subscription_details: { subscription: "sub_8", metadata: {} },
};
const invoice = { id: "in_8", object: "invoice", customer: "cus_8", customer_name: CANARY, parent };
const invoiceIds = { customer_id: "cus_8", subscription_id: "sub_8", invoice_id: "in_8" };
const charge = {
  id: "ch_8",
  object: "charge",
  customer: "cus_8",
  billing_details: { name: CANARY },
  refunded: true,
};
const dispute = {
  id: "du_8",
  object: "dispute",
  charge: "ch_8",
  evidence: { customer_name: CANARY },
  reason: CANARY,
};
const refund = { id: "re_8", object: "refund", charge: "ch_8", reason: CANARY };
const creditNote = { id: "cn_8", object: "credit_note", customer: "cus_8", invoice: "in_8", memo: CANARY };
const subscription = { id: "sub_8", object: "subscription", customer: "cus_8", status: "active" };
const subscriptionIds = { customer_id: "cus_8", subscription_id: "sub_8" };

const customer = { id: "cus_8", object: "customer", name: CANARY, email: CANARY, phone: CANARY };
const session = {
  id: "cs_8",
  object: "checkout.session",
  customer: "cus_8",
  subscription: "sub_8",
  client_reference_id: CANARY,
  customer_details: { email: CANARY, name: CANARY },
};

function patient(interaction: "create" | "update"): Fixture {
  return {
    sender: SENDERS.medplum,
    headers: { "x-medplum-subscription": "sub-9", "x-medplum-interaction": interaction },
    body: {
      resourceType: "Patient",
      id: "patient-8",
      meta: { versionId: `version-of-${interaction}`, lastUpdated: TIME },
      active: true,
      name: [{ text: CANARY }],
      telecom: [{ system: "email", value: CANARY }],
      address: [{ line: [CANARY] }],
      identifier: [{ system: "https://clockwork.invalid/customer", value: CANARY }],
    },
    data: {
      resource_type: "Patient",
      resource_id: "patient-8",
      version_id: `version-of-${interaction}`,
      last_updated: TIME,
      patient_id: "patient-8",
    },
  };
}

/** Signed over `{}`, whoever it is. */
const deletedPatient: Fixture = {
  sender: SENDERS.medplum,
  headers: {
    "x-medplum-subscription": "sub-9",
    "x-medplum-interaction": "delete",
    "x-medplum-deleted-resource": "Patient/patient-8",
  },
  body: {},
  data: {
    resource_type: "Patient",
    resource_id: "patient-8",
    version_id: null,
    last_updated: null,
    patient_id: null,
  },
};

function medicationRequest(interaction: "create" | "update"): Fixture {
  return {
    sender: SENDERS.medplum,
    headers: { "x-medplum-subscription": "sub-8", "x-medplum-interaction": interaction },
    body: {
      resourceType: "MedicationRequest",
      id: "rx-8",
      meta: { versionId: `version-of-${interaction}`, lastUpdated: TIME },
      status: "active",
      intent: "order",
      subject: { reference: "Patient/patient-8", display: CANARY },
      medicationCodeableConcept: { text: CANARY },
      dosageInstruction: [{ text: CANARY }],
    },
    data: {
      resource_type: "MedicationRequest",
      resource_id: "rx-8",
      version_id: `version-of-${interaction}`,
      last_updated: TIME,
      patient_id: "patient-8",
    },
  };
}

function photon(type: string, details: Record<string, unknown>, kept: Record<string, unknown>): Fixture {
  const [, about] = type.split(":");
  const id = about === "order" ? "ord_8" : "rx_8";
  const patient = { id: "pat_8", externalId: "patient-8", name: CANARY };
  return {
    sender: SENDERS.photon,
    body: {
      id: `01JDX8${type}`,
      type,
      specversion: "1.0",
      datacontenttype: "application/json",
      time: TIME,
      subject: id,
      source: "org:org_8",
      data: { id, externalId: "ours-8", patient, notes: CANARY, ...details },
    },
    data: {
      [`${about}_id`]: id,
      reference: "ours-8",
      patient_id: "pat_8",

      time: TIME,
      ...kept,
    },
  };
}

const shipped = { type: "MAIL_ORDER", state: "SHIPPED", carrier: "UPS", trackingNumber: CANARY };

/** A message for every step that a vendor's event starts, under the step's name. */
export const FIXTURES: Readonly<Record<string, Fixture>> = {
  "stripe.invoice.paid": stripe("invoice.paid", invoice, invoiceIds),
  "stripe.invoice.voided": stripe("invoice.voided", invoice, invoiceIds),
  "stripe.invoice.marked_uncollectible": stripe("invoice.marked_uncollectible", invoice, invoiceIds),
  "stripe.invoice.payment_failed": stripe("invoice.payment_failed", invoice, invoiceIds),
  "stripe.customer.updated": stripe("customer.updated", {
    id: "cus_8",
    object: "customer",
    email: CANARY,
    phone: CANARY,
  }, { customer_id: "cus_8" }),
  "stripe.payment_method.attached": stripe("payment_method.attached", {
    id: "pm_8",
    object: "payment_method",
    customer: "cus_8",
    billing_details: { email: CANARY },
  }, { customer_id: "cus_8" }),
  "stripe.charge.refunded": stripe("charge.refunded", charge, { customer_id: "cus_8", charge_id: "ch_8" }),
  ...Object.fromEntries(
    ["created", "updated", "closed"].map((what) => [
      `stripe.charge.dispute.${what}`,
      stripe(`charge.dispute.${what}`, dispute, { charge_id: "ch_8" }),
    ]),
  ),
  ...Object.fromEntries(
    ["created", "updated", "failed"].map((what) => [
      `stripe.refund.${what}`,
      stripe(`refund.${what}`, refund, { charge_id: "ch_8" }),
    ]),
  ),
  ...Object.fromEntries(
    ["created", "voided"].map((what) => [
      `stripe.credit_note.${what}`,
      stripe(`credit_note.${what}`, creditNote, { customer_id: "cus_8", invoice_id: "in_8" }),
    ]),
  ),
  // It will exist in some days: it has no id yet.
  "stripe.invoice.upcoming": stripe("invoice.upcoming", { ...invoice, id: null }, subscriptionIds),
  "stripe.customer.subscription.created": stripe(
    "customer.subscription.created",
    subscription,
    subscriptionIds,
  ),
  "stripe.customer.subscription.paused": stripe(
    "customer.subscription.paused",
    subscription,
    subscriptionIds,
  ),
  "stripe.customer.subscription.deleted": stripe(
    "customer.subscription.deleted",
    subscription,
    subscriptionIds,
  ),
  "stripe.customer.subscription.resumed": stripe(
    "customer.subscription.resumed",
    subscription,
    subscriptionIds,
  ),
  "stripe.customer.subscription.updated": stripe(
    "customer.subscription.updated",
    subscription,
    subscriptionIds,
  ),
  "stripe.customer.created": stripe("customer.created", customer, { customer_id: "cus_8" }),
  "stripe.customer.deleted": stripe("customer.deleted", customer, { customer_id: "cus_8" }),
  "stripe.checkout.session.completed": stripe("checkout.session.completed", session, subscriptionIds),
  "health.patient.create": patient("create"),
  "health.patient.update": patient("update"),
  "health.patient.delete": deletedPatient,
  "health.medicationrequest.create": medicationRequest("create"),
  "health.medicationrequest.update": medicationRequest("update"),
  "crm.profile.changed": {
    sender: SENDERS.customerio,
    body: {
      event_id: "7-abc-8",
      type: "profile.changed",
      cio_id: "abc",
      external_id: "person-8",
      email: CANARY,
      phone: CANARY,
    },
    data: { person_id: "person-8", cio_id: "abc" },
  },
  "pharmacy.prescription.created": photon("photon:prescription:created", { instructions: CANARY }, {}),
  "pharmacy.prescription.depleted": photon("photon:prescription:depleted", {}, {}),
  "pharmacy.prescription.canceled": photon("photon:prescription:canceled", { reason: CANARY }, {}),
  "pharmacy.prescription.active": photon("photon:prescription:active", {}, {}),
  "pharmacy.order.created": photon("photon:order:created", { fills: [{ id: CANARY }] }, { state: null }),
  "pharmacy.order.placed": photon("photon:order:placed", { pharmacy: { name: CANARY } }, {
    state: "accepted",
  }),
  "pharmacy.order.fulfillment": photon("photon:order:fulfillment", { fulfillment: shipped }, {
    state: "shipped",
  }),
  "pharmacy.order.rerouted": photon("photon:order:rerouted", { pharmacy: { name: CANARY } }, { state: null }),
  "pharmacy.order.completed": photon("photon:order:completed", {}, { state: "delivered" }),
  "pharmacy.order.canceled": photon("photon:order:canceled", { reason: CANARY }, { state: "canceled" }),
  "pharmacy.order.error": photon("photon:order:error", { reason: CANARY }, { state: "failed" }),
};
