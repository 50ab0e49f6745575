import { expect } from "vitest";
import { webhookConnector, webhookSecrets } from "../../src/shared/connectors.ts";
import { type Env, parseEnv } from "../../src/shared/env.ts";
import { makeWebhooksApp, type WebhooksDeps } from "../../src/shared/http/webhooks-app.ts";
import { fromBase64, hmacSha256, toBase64, toHex } from "../../src/shared/vendors/signing.ts";
import type { World } from "../support/world.ts";

/** Stands for what a patient or a clinic might have written. Found anywhere but in the request, something leaked. */
export const CANARY = "CANARY-5e1 halve the evening dose";

const encoder = new TextEncoder();
const seconds = (at: Date) => String(Math.floor(at.getTime() / 1000));
const bytesOf = (body: string | Uint8Array) => typeof body === "string" ? encoder.encode(body) : body;

/** A vendor as its webhooks are: where they go, how they are signed, and an event with free text all over it. */
export interface Sender {
  path: string;
  secretName: string;
  /** A well-formed secret that is not ours. */
  otherSecret: string;
  /** How far a signed time may be off, in seconds, and what is too far. Null: no time is signed. */
  window: { within: number; beyond: number } | null;
  /** The answer to a signed body that cannot be read. */
  unreadableStatus: 200 | 400;
  source: string;
  /** An event with its own id: the body, headers that are not the signature's, and the row that must come of it. */
  event(id: string): Sample;
  /** An event type that nothing handles. */
  unknown(id: string): Sample;
  sign(body: Uint8Array, secret: string, at: Date, id: string): Promise<Record<string, string>>;
}

export interface Sample {
  id: string;
  body: Record<string, unknown>;
  headers: Record<string, string>;
  row: { step: string; key: string; vendor: string; status: string; data: Record<string, unknown> };
}

const stripe: Sender = {
  path: "/webhooks/stripe",
  secretName: "STRIPE_WEBHOOK_SECRET",
  otherSecret: "whsec_of_nobody",
  window: { within: 290, beyond: 310 },
  unreadableStatus: 400,
  source: "stripe",
  event: (id) => ({
    id,
    body: {
      id: `evt_${id}`,
      object: "event",
      api_version: "2026-06-30.dahlia",
      created: 1_790_000_000,
      livemode: true,
      type: "invoice.paid",
      note: CANARY,
      request: { id: null, idempotency_key: CANARY },
      data: {
        object: {
          id: `in_${id}`,
          object: "invoice",
          customer: "cus_91",
          customer_name: CANARY,
          customer_email: CANARY,
          description: CANARY,
          footer: CANARY,
          metadata: { note: CANARY },
          parent: { subscription_details: { subscription: "sub_91", metadata: { note: CANARY } } },
          lines: { data: [{ id: "il_1", description: CANARY }] },
        },
        previous_attributes: { description: CANARY },
      },
    },
    headers: {},
    row: {
      step: "stripe.invoice.paid",
      key: `evt_${id}`,
      vendor: "internal",
      status: "PENDING",
      data: {
        object_id: `in_${id}`,
        object_type: "invoice",
        created: new Date(1_790_000_000_000).toISOString(),
        api_version: "2026-06-30.dahlia",
        customer_id: "cus_91",
        subscription_id: "sub_91",
        invoice_id: `in_${id}`,
      },
    },
  }),
  unknown(id) {
    const object = { id: "prod_7", object: "product", description: CANARY, name: CANARY };
    const known = stripe.event(id);
    return {
      ...known,
      body: { ...known.body, type: "product.created", data: { object } },
      row: {
        ...known.row,
        step: "stripe.product.created",
        vendor: "stripe",
        status: "PARKED",
        data: {
          object_id: "prod_7",
          object_type: "product",
          created: known.row.data["created"],
          api_version: known.row.data["api_version"],
        },
      },
    };
  },
  async sign(body, secret, at) {
    const mac = toHex(await hmacSha256(secret, `${seconds(at)}.`, body));
    return {
      "content-type": "application/json; charset=utf-8",
      "stripe-signature": `t=${seconds(at)},v1=${mac}`,
    };
  },
};

const medplum: Sender = {
  path: "/webhooks/medplum",
  secretName: "MEDPLUM_WEBHOOK_SECRET",
  otherSecret: "nobody's",
  window: null,
  unreadableStatus: 200,
  source: "health",
  event: (id) => ({
    id,
    body: {
      resourceType: "MedicationRequest",
      id: `rx-${id}`,
      meta: { versionId: `v-${id}`, lastUpdated: "2026-11-20T08:00:00.000Z", author: { display: CANARY } },
      status: CANARY,
      subject: { reference: "Patient/pat-91", display: CANARY },
      medicationCodeableConcept: { text: CANARY, coding: [{ code: CANARY, display: CANARY }] },
      dosageInstruction: [{ text: CANARY }],
      note: [{ text: CANARY }],
    },
    headers: { "x-medplum-subscription": "sub-91", "x-medplum-interaction": "update", "x-note": CANARY },
    row: {
      step: "health.medicationrequest.update",
      key: `sub-91:MedicationRequest/rx-${id}:v-${id}:update`,
      vendor: "internal",
      status: "PENDING",
      data: {
        resource_type: "MedicationRequest",
        resource_id: `rx-${id}`,
        version_id: `v-${id}`,
        last_updated: "2026-11-20T08:00:00.000Z",
        patient_id: "pat-91",
      },
    },
  }),
  unknown(id) {
    const known = medplum.event(id);
    return {
      ...known,
      body: { ...known.body, resourceType: "Observation" },
      row: {
        step: "health.observation.update",
        key: `sub-91:Observation/rx-${id}:v-${id}:update`,
        vendor: "health",
        status: "PARKED",
        data: { ...known.row.data, resource_type: "Observation" },
      },
    };
  },
  async sign(body, secret) {
    return { "content-type": "application/fhir+json", "x-signature": toHex(await hmacSha256(secret, body)) };
  },
};

const photon: Sender = {
  path: "/webhooks/photon",
  secretName: "PHOTON_WEBHOOK_SECRET",
  otherSecret: "nobody's",
  window: null,
  unreadableStatus: 200,
  source: "pharmacy",
  event: (id) => ({
    id,
    body: {
      id: `01J${id}`,
      type: "photon:order:fulfillment",
      specversion: "1.0",
      datacontenttype: "application/json",
      source: CANARY,
      subject: `ord_${id}`,
      time: "2026-11-20T08:00:00.000Z",
      data: {
        id: `ord_${id}`,
        externalId: "il_1:1:1",
        patient: { id: "pat_91", externalId: "pat-91", name: CANARY },
        fulfillment: { type: "MAIL_ORDER", state: "SHIPPED", carrier: CANARY, trackingNumber: CANARY },
        pharmacy: { name: CANARY, address: { street1: CANARY } },
        fills: [{ treatment: { name: CANARY } }],
        reason: CANARY,
        instructions: CANARY,
      },
    },
    headers: { "x-photon-timestamp": "1" },
    row: {
      step: "pharmacy.order.fulfillment",
      key: `01J${id}`,
      vendor: "pharmacy",
      status: "PENDING",
      data: {
        order_id: `ord_${id}`,
        reference: "il_1:1:1",
        patient_id: "pat_91",
        time: "2026-11-20T08:00:00.000Z",
        state: "shipped",
      },
    },
  }),
  unknown(id) {
    const known = photon.event(id);
    return {
      ...known,
      body: { ...known.body, type: "photon:allergy:created", subject: "alg_7" },
      row: {
        ...known.row,
        step: "pharmacy.allergy.created",
        status: "PARKED",
        data: { subject: "alg_7", time: known.row.data["time"] },
      },
    };
  },
  async sign(body, secret) {
    return {
      "content-type": "application/cloudevents-batch+json",
      "x-photon-signature": toHex(await hmacSha256(secret, body)),
    };
  },
};

const customerio: Sender = {
  path: "/webhooks/customerio",
  secretName: "CUSTOMERIO_WEBHOOK_SECRET",
  otherSecret: "nobody's",
  window: { within: 8 * 86_400 - 60, beyond: 8 * 86_400 + 60 },
  unreadableStatus: 200,
  source: "crm",
  event: (id) => ({
    id,
    body: {
      event_id: `01H${id}`,
      object_type: "email",
      metric: "clicked",
      timestamp: 1_790_000_000,
      data: {
        customer_id: "91",
        identifiers: { id: "91", cio_id: "c91", email: CANARY },
        subject: CANARY,
        recipient: CANARY,
        href: CANARY,
      },
    },
    headers: {},
    row: {
      step: "crm.email.clicked",
      key: `01H${id}`,
      vendor: "crm",
      status: "PARKED",
      data: { person_id: "91", cio_id: "c91", at: new Date(1_790_000_000_000).toISOString() },
    },
  }),
  unknown: (id) => customerio.event(id),
  async sign(body, secret, at) {
    const mac = toHex(await hmacSha256(secret, `v0:${seconds(at)}:`, body));
    return { "content-type": "application/json", "x-cio-timestamp": seconds(at), "x-cio-signature": mac };
  },
};

const standard: Sender = {
  path: "/webhooks/standard/example",
  secretName: "STANDARD_WEBHOOK_SECRET_EXAMPLE",
  otherSecret: `whsec_${toBase64(new Uint8Array(32).fill(9))}`,
  window: { within: 290, beyond: 310 },
  unreadableStatus: 400,
  source: "standard.example",
  event: (id) => ({
    id: `msg_${id}`,
    body: { type: "parcel.left", timestamp: "2026-11-20T08:00:00Z", note: CANARY, data: { note: CANARY } },
    headers: {},
    row: {
      step: "standard.example.parcel.left",
      key: `msg_${id}`,
      vendor: "internal",
      status: "PARKED",
      data: { type: "parcel.left", at: "2026-11-20T08:00:00.000Z" },
    },
  }),
  unknown: (id) => standard.event(id),
  async sign(body, secret, at, id) {
    const mac = await hmacSha256(fromBase64(secret.slice("whsec_".length)), `${id}.${seconds(at)}.`, body);
    return {
      "content-type": "application/json",
      "webhook-id": id,
      "webhook-timestamp": seconds(at),
      "webhook-signature": `v1,${toBase64(mac)}`,
    };
  },
};

export const SENDERS = { stripe, medplum, photon, customerio, standard } as const;
export const ALL_SENDERS: readonly Sender[] = Object.values(SENDERS);

/** What is believed: the value of the sender's variable in this world. */
export function secretOf(world: World, sender: Sender): string {
  const secret = world.vendors.env[sender.secretName];
  if (!secret) throw new Error(`the local vendors set no ${sender.secretName}`);
  return secret;
}

/** The `webhooks` app over the world's database, with some of its parts replaced. */
export function appWith(
  world: World,
  { env = {}, ...deps }: Partial<WebhooksDeps> & { env?: Record<string, string> } = {},
): World["webhooks"] {
  const used: Env = parseEnv({ ...world.vendors.env, ...env });
  return makeWebhooksApp({
    db: world.db,
    steps: world.deps.steps,
    log: world.deps.log,
    clock: () => Promise.resolve(world.now()),
    connector: webhookConnector,
    secrets: (vendor, source) => webhookSecrets(used, vendor, source),
    ...deps,
  });
}

interface Sending {
  app?: World["webhooks"];
  secret?: string;
  at?: Date;
  id?: string;
  /** Besides the signature's own. */
  headers?: Record<string, string>;
}

/** Sends a body, signed as its vendor would. */
export async function sendBody(
  world: World,
  sender: Sender,
  body: string | Uint8Array,
  { app = world.webhooks, secret = secretOf(world, sender), at = world.now(), id = "msg_1", headers }:
    Sending = {},
): Promise<Response> {
  const bytes = bytesOf(body);
  const signed = await sender.sign(bytes, secret, at, id);
  return await app.request(sender.path, {
    method: "POST",
    body: new Uint8Array(bytes),
    headers: { ...signed, ...headers },
  });
}

export function send(world: World, sender: Sender, sample: Sample, sending: Sending = {}): Promise<Response> {
  const headers = { ...sample.headers, ...sending.headers };
  return sendBody(world, sender, JSON.stringify(sample.body), { ...sending, headers, id: sample.id });
}

/** All rows, oldest first. */
export async function rows(world: World) {
  return await world.db.selectFrom("clockwork.tasks").selectAll().orderBy("id").execute();
}

/** Nothing of the canaries may be in any row, in any line of the log, or in an answer. */
export async function expectNoCanary(world: World, answers: readonly string[]): Promise<void> {
  const everything = JSON.stringify([await rows(world), world.lines, answers]);
  expect(everything).not.toContain("CANARY");
  expect(everything).not.toContain("evening dose");
}
