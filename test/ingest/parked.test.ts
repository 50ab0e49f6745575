import { expect, test } from "vitest";
import type { z } from "zod";
import { defineStep } from "../../src/shared/queue/step.ts";
import { makeStepTable, STEPS } from "../../src/shared/steps/table.ts";
import {
  crmHint,
  healthHint,
  HINTS,
  pharmacyOrderHint,
  pharmacyPrescriptionHint,
  stripeHint,
} from "../../src/shared/vendors/hints.ts";
import type { EventName } from "../../src/shared/vendors/webhook.ts";
import { setStatus } from "../support/act.ts";
import {
  ALL_SENDERS,
  CANARY,
  expectNoCanary,
  rows,
  sendBody,
  type Sender,
  SENDERS,
} from "../http/support.ts";
import { makeWorld } from "../support/world.ts";

/** An event of a type that nothing handles, in every form its vendor sends; and the hint that a step for it takes. */
interface Unhandled {
  step: EventName;
  sender: Sender;
  hint: z.ZodObject;
  body: Record<string, unknown>;
  headers?: Record<string, string>;
}

const TIME = "2026-11-20T08:15:30.000Z";

function snapshot(type: string, object: Record<string, unknown>): Record<string, unknown> {
  const created = 1_795_000_000;
  return { id: `evt_${type}`, object: "event", created, type, data: { object: { ...object, note: CANARY } } };
}

const thin = (type: string, about: Record<string, unknown>) => ({
  id: `evt_thin_${type}`,
  object: "v2.core.event",
  type,
  created: TIME,
  ...about,
});

function photon(type: string, data: Record<string, unknown>): Record<string, unknown> {
  const patient = { id: "pat_8", externalId: "patient-8", name: CANARY };
  return { id: `01J${type}`, type, subject: "x_8", time: TIME, data: { patient, notes: CANARY, ...data } };
}

const UNHANDLED: readonly Unhandled[] = [
  {
    step: "stripe.quote.accepted",
    sender: SENDERS.stripe,
    hint: stripeHint,
    body: {
      ...snapshot("quote.accepted", {
        id: "qt_8",
        object: "quote",
        customer: "cus_8",
        invoice: "in_8",
        charge: "ch_8",
        subscription: "sub_8",
      }),
      api_version: "2026-06-30.dahlia",
    },
  },
  {
    step: "stripe.balance.available",
    sender: SENDERS.stripe,
    hint: HINTS.stripe,
    body: snapshot("balance.available", { object: "balance" }),
  },
  {
    step: "stripe.price.created",
    sender: SENDERS.stripe,
    hint: stripeHint,
    body: thin("v1.price.created", { related_object: { id: "price_8", type: "price" } }),
  },
  {
    step: "stripe.v2.core.account_link.returned",
    sender: SENDERS.stripe,
    hint: HINTS.stripe,
    body: thin("v2.core.account_link.returned", {}),
  },
  {
    step: "health.observation.update",
    sender: SENDERS.medplum,
    hint: healthHint,
    body: {
      resourceType: "Observation",
      id: "obs-8",
      meta: { versionId: "v8", lastUpdated: TIME },
      subject: { reference: "Patient/patient-8", display: CANARY },
      note: [{ text: CANARY }],
    },
  },
  {
    step: "health.organization.create",
    sender: SENDERS.medplum,
    hint: healthHint,
    headers: { "x-medplum-interaction": "create" },
    body: { resourceType: "Organization", id: "org-8", meta: { versionId: "v8" }, name: CANARY },
  },
  {
    step: "health.observation.delete",
    sender: SENDERS.medplum,
    hint: healthHint,
    headers: {
      "x-medplum-interaction": "delete",
      "x-medplum-deleted-resource": "Observation/obs-8",
    },
    body: {},
  },
  {
    step: "pharmacy.order.held",
    sender: SENDERS.photon,
    hint: pharmacyOrderHint,
    body: photon("photon:order:held", {
      id: "ord_8",
      externalId: "ours-8",
      fulfillment: { state: "SHIPPED", trackingNumber: CANARY },
    }),
  },
  {
    step: "pharmacy.prescription.expired",
    sender: SENDERS.photon,
    hint: pharmacyPrescriptionHint,
    body: photon("photon:prescription:expired", { id: "rx_8", externalId: "ours-8" }),
  },
  {
    step: "pharmacy.allergy.created",
    sender: SENDERS.photon,
    hint: HINTS.pharmacy,
    body: photon("photon:allergy:created", { id: "alg_8", name: CANARY }),
  },
  {
    step: "crm.email.bounced",
    sender: SENDERS.customerio,
    hint: crmHint,
    body: {
      event_id: "01H8",
      object_type: "email",
      metric: "bounced",
      timestamp: 1_795_000_000,
      data: { customer_id: "8", identifiers: { id: "8", cio_id: "c8", email: CANARY }, recipient: CANARY },
    },
  },
  {
    step: "crm.email.drafted",
    sender: SENDERS.customerio,
    hint: crmHint,
    body: { event_id: "01H9", object_type: "email", metric: "drafted" },
  },
  {
    step: "crm.profile.left",
    sender: SENDERS.customerio,
    hint: crmHint,
    body: { event_id: "7-c8-8", type: "profile.left", cio_id: "c8", external_id: "8", email: CANARY },
  },
  {
    step: "standard.example.parcel.left",
    sender: SENDERS.standard,
    hint: HINTS.standard,
    body: { type: "parcel.left", timestamp: TIME, data: { note: CANARY } },
  },
];

test("what is kept of an event that nothing handles runs once its step exists, whichever vendor sent it", async () => {
  const world = await makeWorld();
  expect(new Set(UNHANDLED.map(({ sender }) => sender))).toEqual(new Set(ALL_SENDERS));
  for (const { step, sender, body, headers } of UNHANDLED) {
    const sent = await sendBody(world, sender, JSON.stringify(body), headers ? { headers } : {});
    expect([sent.status, await sent.json()], step).toEqual([200, { ok: true, result: "parked" }]);
  }
  const parked = await rows(world);
  expect(parked.map(({ step, status }) => [step, status])).toEqual(
    UNHANDLED.map(({ step }) => [step, "PARKED"]),
  );

  const taken = new Map<string, unknown>();
  const later = UNHANDLED.map(({ step, hint }) =>
    defineStep({
      handles: [step],
      queue: "internal",
      data: hint,
      run(_ctx, data) {
        taken.set(step, data);
        return Promise.resolve({ kind: "done" });
      },
    })
  );
  world.deps.steps = makeStepTable([...STEPS, ...later]);
  for (const { id } of parked) await setStatus(world.db, id, "PENDING");
  await world.drain();
  const after = await rows(world);
  expect(after.map(({ step, status, reason }) => [step, status, reason])).toEqual(
    UNHANDLED.map(({ step }) => [step, "DONE", null]),
  );
  for (const { step, data } of after) expect(taken.get(step), step).toEqual(data);
  await expectNoCanary(world, []);
});

test("a step for an event takes every attribute that its source keeps, so that what was parked before it runs", () => {
  const roles = Object.entries(HINTS);
  const ofEvents = STEPS.flatMap((step) => {
    const [role] = step.handles[0]?.split(".") ?? [];
    const [, hint] = roles.find(([name]) => name === role) ?? [];
    return hint ? [{ step: step.handles[0], keys: step.keys, kept: Object.keys(hint.shape) }] : [];
  });
  expect(ofEvents.length).toBeGreaterThan(10);
  for (const { step, keys, kept } of ofEvents) expect([...keys].sort(), step).toEqual(kept.sort());
});
