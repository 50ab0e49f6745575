import { afterEach, describe, expect, it } from "vitest";
import { makePhotonSandbox, PHOTON_SANDBOX_CLIENT } from "../../scripts/sandbox/photon.ts";
import { PHOTON_CANARY } from "../../scripts/sandbox/photon/events.ts";
import { serveSandbox } from "../../scripts/sandbox/server.ts";
import { VendorError } from "../../src/shared/vendors/contract.ts";
import { UnreadableEvent } from "../../src/shared/vendors/webhook.ts";
import { seeded } from "../../scripts/sandbox/random.ts";
import { makePhotonClient } from "../../src/shared/vendors/photon/client.ts";
import { eventState, orderState } from "../../src/shared/vendors/photon/states.ts";
import { photonWebhook } from "../../src/shared/vendors/photon/webhook.ts";
import { hmacSha256, toHex } from "../../src/shared/vendors/signing.ts";

const NOW = new Date("2027-03-01T09:00:00.000Z");
const encoder = new TextEncoder();

function webhook(body: unknown, headers: Record<string, string> = {}) {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return { body: encoder.encode(text), headers: new Headers(headers) };
}

function event(type: string, data: unknown, more: Record<string, unknown> = {}) {
  return {
    id: "01JNTESTEVENT0000000000001",
    type,
    specversion: "1.0",
    datacontenttype: "application/json",
    time: "2027-03-01T08:59:00.000Z",
    subject: "ord_test_1",
    source: "org:org_test",
    data,
    ...more,
  };
}

describe("photonWebhook.verify", () => {
  const body = JSON.stringify(event("photon:order:placed", { id: "ord_test_1" }));
  const signed = async (secret: string, text = body) =>
    webhook(text, {
      "x-photon-signature": toHex(await hmacSha256(secret, text)),
      // Unsigned, so it must not matter.
      "x-photon-timestamp": "1",
    });

  it("takes any of the secrets", async () => {
    for (const secrets of [["new"], ["new", "old"], ["old", "new"]]) {
      expect(await photonWebhook.verify(await signed("new"), secrets, NOW)).toBe(true);
    }
  });

  it("fails closed", async () => {
    const good = await signed("new");
    expect(await photonWebhook.verify(good, [], NOW)).toBe(false);
    expect(await photonWebhook.verify(good, [""], NOW)).toBe(false);
    expect(await photonWebhook.verify(good, ["old"], NOW)).toBe(false);
    expect(await photonWebhook.verify(webhook(body), ["new"], NOW)).toBe(false);
    expect(await photonWebhook.verify(webhook(body, { "x-photon-signature": "" }), ["new"], NOW)).toBe(false);
    const otherBytes = { body: encoder.encode(`${body} `), headers: good.headers };
    expect(await photonWebhook.verify(otherBytes, ["new"], NOW)).toBe(false);
    const cut = (good.headers.get("x-photon-signature") ?? "").slice(0, 32);
    expect(await photonWebhook.verify(webhook(body, { "x-photon-signature": cut }), ["new"], NOW)).toBe(
      false,
    );
  });

  it("knows a fixed signature", async () => {
    // openssl dgst -sha256 -hmac clockwork-test, over the bytes {"a":1}
    const fixed = webhook('{"a":1}', {
      "x-photon-signature": "7e36c1fd145be168b76320df469e162af6791620c77b009f1d8e230171a2b2d1",
    });
    expect(await photonWebhook.verify(fixed, ["clockwork-test"], NOW)).toBe(true);
  });
});

describe("photonWebhook.read", () => {
  const order = { id: "ord_test_1", externalId: "ref-1", patient: { id: "pat_test_1", externalId: "p1" } };
  const mail = (state: string) => ({
    ...order,
    fulfillment: { type: "MAIL_ORDER", state, carrier: "UPS", trackingNumber: "1ZTEST" },
  });

  it.each([
    ["photon:order:created", order, "order.created", null],
    ["photon:order:placed", order, "order.placed", "accepted"],
    ["photon:order:rerouted", order, "order.rerouted", null],
    ["photon:order:fulfillment", mail("FILLING"), "order.fulfillment", "filling"],
    ["photon:order:fulfillment", mail("SHIPPED"), "order.fulfillment", "shipped"],
    ["photon:order:fulfillment", mail("DELIVERED"), "order.fulfillment", "delivered"],
    ["photon:order:fulfillment", mail("LABEL_PRINTED"), "order.fulfillment", "needs_attention"],
    ["photon:order:fulfillment", order, "order.fulfillment", null],
    ["photon:order:completed", order, "order.completed", "delivered"],
    ["photon:order:canceled", order, "order.canceled", "canceled"],
    ["photon:order:error", { ...order, reason: PHOTON_CANARY }, "order.error", "failed"],
    ["photon:order:constructor", order, "order.constructor", null],
  ])("%s", (wire, data, type, state) => {
    expect(photonWebhook.read(webhook(event(wire, data)))).toEqual({
      id: "01JNTESTEVENT0000000000001",
      type,
      attributes: {
        order_id: "ord_test_1",
        reference: "ref-1",
        patient_id: "pat_test_1",
        time: "2027-03-01T08:59:00.000Z",
        state,
      },
    });
  });

  it("keeps only ids of a prescription", () => {
    const data = {
      id: "rx_test_1",
      externalId: "fhir-1",
      treatmentId: "med_test",
      instructions: PHOTON_CANARY,
      notes: PHOTON_CANARY,
      daysSupply: 30,
      patient: { id: "pat_test_1", externalId: "fhir-patient-1", name: PHOTON_CANARY },
    };
    expect(photonWebhook.read(webhook(event("photon:prescription:created", data)))).toEqual({
      id: "01JNTESTEVENT0000000000001",
      type: "prescription.created",
      attributes: {
        prescription_id: "rx_test_1",
        reference: "fhir-1",
        patient_id: "pat_test_1",
        time: "2027-03-01T08:59:00.000Z",
      },
    });
  });

  it("does not need what Photon leaves out", () => {
    const { attributes } = photonWebhook.read(
      webhook(event("photon:order:canceled", null, { time: "soon" })),
    );
    expect(attributes).toEqual({
      order_id: "ord_test_1",
      reference: null,
      patient_id: null,
      time: null,
      state: "canceled",
    });
  });

  it("keeps the words of a type that is not Photon's own", () => {
    const other = photonWebhook.read(webhook(event("Acme:Patient:merged", {}, { subject: "pat_test_1" })));
    expect(other.type).toBe("acme.patient.merged");
    expect(other.attributes).toEqual({ subject: "pat_test_1", time: "2027-03-01T08:59:00.000Z" });
    const talkative = photonWebhook.read(webhook(event("acme:note", {}, { subject: PHOTON_CANARY })));
    expect(talkative.attributes.subject).toBeNull();
  });

  it("reads a list of exactly one", () => {
    const one = event("photon:order:placed", order);
    expect(photonWebhook.read(webhook([one])).type).toBe("order.placed");
    expect(() => photonWebhook.read(webhook([one, one]))).toThrow(UnreadableEvent);
    expect(() => photonWebhook.read(webhook([]))).toThrow(UnreadableEvent);
  });

  it.each([
    ["no JSON", "{"],
    ["no id", event("photon:order:placed", order, { id: undefined })],
    ["an empty id", event("photon:order:placed", order, { id: "" })],
    ["no type", event("photon:order:placed", order, { type: undefined })],
    ["a type with spaces", event(`photon:${PHOTON_CANARY}`, order)],
    ["an endless type", event(`photon:${"x".repeat(101)}`, order)],
    ["an order without an id", event("photon:order:placed", {}, { subject: undefined })],
  ])("refuses %s", (_what, body) => {
    expect(() => photonWebhook.read(webhook(body))).toThrow(UnreadableEvent);
  });
});

describe("states", () => {
  it.each([
    ["ROUTING", null, "accepted"],
    ["PENDING", null, "accepted"],
    ["PLACED", null, "accepted"],
    ["PLACED", "SENT", "accepted"],
    ["PLACED", "FILLING", "filling"],
    ["PLACED", "RECEIVED", "filling"],
    ["PLACED", "READY", "filling"],
    ["PLACED", "SHIPPED", "shipped"],
    ["PLACED", "DELIVERED", "delivered"],
    ["PLACED", "PICKED_UP", "delivered"],
    ["PLACED", "LABEL_CREATED", "needs_attention"],
    ["COMPLETED", "SHIPPED", "delivered"],
    ["CANCELED", "FILLING", "canceled"],
    ["ERROR", "FILLING", "failed"],
    ["ON_HOLD", "SHIPPED", "needs_attention"],
  ])("%s with %s is %s", (state, fulfillment, ours) => {
    expect(orderState(state, fulfillment)).toBe(ours);
  });

  it("reads shipped from SHIPPED alone", () => {
    for (const word of ["SENT", "FILLING", "READY", "DELIVERED", "toString"]) {
      expect(orderState("PLACED", word)).not.toBe("shipped");
      expect(eventState("order.fulfillment", word)).not.toBe("shipped");
    }
  });
});

const ADDRESS = {
  name: "Ada Maria Test",
  street1: "1 Test Way",
  street2: null,
  city: "Dover",
  state: "DE",
  postalCode: "19901",
  country: "US",
};

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

async function makeClinic(options: { clientSecret?: string; pharmacyId?: string } = {}) {
  const clock = { now: NOW };
  const sandbox = makePhotonSandbox({
    now: () => clock.now,
    random: seeded(3),
    fetch,
    webhook: { url: "http://127.0.0.1:9/", secret: "unused" },
  });
  const served = await serveSandbox(sandbox.app);
  closers.push(served.close);
  const client = makePhotonClient({
    apiUrl: `${served.url}/graphql`,
    authUrl: served.url,
    ...PHOTON_SANDBOX_CLIENT,
    ...options,
    fetch,
    now: () => clock.now,
  });
  const patientId = sandbox.createPatient({ externalId: "fhir-patient-1" });
  const write = (fillsAllowed: number, externalId = "fhir-rx-1", expirationDate = "2028-02-29") =>
    sandbox.writePrescription({
      patientId,
      externalId,
      treatmentId: "med_test",
      fillsAllowed,
      daysSupply: 30,
      expirationDate,
      instructions: PHOTON_CANARY,
    });
  const create = (prescriptionId: string, reference = "ref-1") =>
    client.createOrder({ patientId, prescriptionId, reference, address: ADDRESS });
  return { clock, sandbox, client, patientId, write, create };
}

async function failure(promise: Promise<unknown>): Promise<VendorError> {
  const error = await promise.then(() => undefined, (reason: unknown) => reason);
  if (!(error instanceof VendorError)) throw new Error("expected a VendorError");
  expect(JSON.stringify(error) + error.message).not.toContain("CANARY");
  return error;
}

describe("makePhotonClient on the sandbox", () => {
  it("creates an order with our reference and the patient's address", async () => {
    const { client, sandbox, patientId, write, create } = await makeClinic();
    const order = await create(write(2));
    expect(order).toEqual({
      id: expect.stringMatching(/^ord_/),
      reference: "ref-1",
      patientId,
      state: "accepted",
      carrier: null,
      trackingNumber: null,
      address: ADDRESS,
    });
    expect(await client.getOrder(order.id)).toEqual(order);
    const stored = sandbox.state.orders.get(order.id);
    expect(stored?.address).toEqual({
      name: { first: "Ada Maria", last: "Test" },
      street1: "1 Test Way",
      city: "Dover",
      state: "DE",
      postalCode: "19901",
      country: "US",
    });
    expect(stored?.state).toBe("ROUTING");
  });

  it("names the pharmacy where there is one", async () => {
    const { sandbox, write, create } = await makeClinic({ pharmacyId: "phr_mail" });
    expect(sandbox.state.orders.get((await create(write(1))).id)).toMatchObject({
      pharmacyId: "phr_mail",
      state: "PENDING",
    });
  });

  it("follows an order to the door", async () => {
    const { client, sandbox, write, create } = await makeClinic();
    const { id } = await create(write(1));
    const seen = [];
    while (sandbox.advance(id)) seen.push(await client.getOrder(id));
    expect(seen.map((order) => order?.state)).toEqual(["accepted", "filling", "shipped", "delivered"]);
    expect(seen[1]?.trackingNumber).toBeNull();
    expect(seen[2]).toMatchObject({ carrier: "USPS", trackingNumber: expect.stringMatching(/^94/) });
    const failed = await create(write(1));
    sandbox.fail(failed.id);
    expect((await client.getOrder(failed.id))?.state).toBe("failed");
    expect(await client.getOrder("ord_none")).toBeNull();
  });

  it("finds orders by reference over every page, oldest first", async () => {
    const { clock, client, patientId, write, create } = await makeClinic();
    const prescriptionId = write(99);
    const wanted: string[] = [];
    for (let i = 0; i < 53; i++) {
      clock.now = new Date(NOW.getTime() + i * 1000);
      const mine = i === 0 || i === 30 || i === 52;
      const { id } = await create(prescriptionId, mine ? "mine" : `other-${i}`);
      if (mine) wanted.push(id);
    }
    const found = await client.findOrders({ patientId, reference: "mine" });
    expect(found.map((order) => order.id)).toEqual(wanted);
    expect(await client.findOrders({ patientId, reference: "never" })).toEqual([]);
    expect(await client.findOrders({ patientId: "pat_none", reference: "mine" })).toEqual([]);
  });

  it("finds the order whose answer was lost, and finds none when the request was", async () => {
    const { client, sandbox, patientId, write, create } = await makeClinic();
    const prescriptionId = write(5);
    sandbox.faults.add({ operation: "create order", kind: "lose_answer", times: 1 });
    expect(await failure(create(prescriptionId))).toMatchObject({
      failure: "unanswered",
      operation: "create order",
    });
    expect(await client.findOrders({ patientId, reference: "ref-1" })).toHaveLength(1);

    sandbox.faults.add({ operation: "create order", kind: "lose_request", times: 1 });
    expect((await failure(create(prescriptionId, "ref-2"))).failure).toBe("unanswered");
    expect(await client.findOrders({ patientId, reference: "ref-2" })).toEqual([]);

    sandbox.faults.add({ operation: "create order", kind: "late_commit", times: 1 });
    expect((await failure(create(prescriptionId, "ref-3"))).failure).toBe("unanswered");
    expect(await client.findOrders({ patientId, reference: "ref-3" })).toEqual([]);
    await sandbox.faults.commitLate();
    expect(await client.findOrders({ patientId, reference: "ref-3" })).toHaveLength(1);
  });

  it("refuses without the vendor's words", async () => {
    const { sandbox, write, create } = await makeClinic();
    const prescriptionId = write(1);
    await create(prescriptionId);
    expect(await failure(create(prescriptionId))).toMatchObject({
      vendor: "pharmacy",
      failure: "refused",
      operation: "create order",
      details: { status: 200, code: "NO_FILLS_REMAINING" },
    });
    expect(sandbox.state.orders.size).toBe(1);
  });

  it("cancels once, again, and not when it is too late", async () => {
    const { client, sandbox, write, create } = await makeClinic();
    const prescriptionId = write(2);
    const { id } = await create(prescriptionId);
    expect((await client.cancelOrder(id)).state).toBe("canceled");
    expect((await client.cancelOrder(id)).state).toBe("canceled");
    expect(sandbox.state.prescriptions.get(prescriptionId)?.fillsRemaining).toBe(2);

    const late = await create(prescriptionId);
    while (sandbox.advance(late.id) !== "SHIPPED");
    expect(await failure(client.cancelOrder(late.id))).toMatchObject({
      failure: "refused",
      operation: "cancel order",
      details: { code: "ORDER_NOT_CANCELABLE" },
    });
    expect((await failure(client.cancelOrder("ord_none"))).details.code).toBe("ORDER_NOT_FOUND");
  });

  it("says where an order goes, and null where Photon leaves a part out", async () => {
    const { client, patientId, sandbox, write } = await makeClinic();
    const prescriptionId = write(3);
    const nameless = { ...ADDRESS, name: null, street2: "Apt 4" };
    const { id, address } = await client.createOrder({
      patientId,
      prescriptionId,
      reference: "r",
      address: nameless,
    });
    expect(address).toEqual(nameless);
    const stored = sandbox.state.orders.get(id);
    if (!stored) throw new Error("no order");
    stored.address.postalCode = "";
    expect((await client.getOrder(id))?.address).toBeNull();
  });

  it("lists every order once, over pages, also one that comes in between", async () => {
    const { client, write, create } = await makeClinic();
    const prescriptionId = write(300);
    const ids: string[] = [];
    for (let i = 0; i < 230; i++) ids.push((await create(prescriptionId, `ref-${i}`)).id);
    const seen: string[] = [];
    const sizes: number[] = [];
    let cursor: string | null = null;
    do {
      const page = await client.listOrders(cursor);
      seen.push(...page.entries.map((order) => order.id));
      sizes.push(page.entries.length);
      cursor = page.next;
      await create(prescriptionId, "late");
    } while (cursor !== null);
    expect([...seen].sort()).toEqual([...ids].sort());
    expect(sizes).toEqual([100, 100, 30, 0]);
    expect((await client.listOrders(ids[3] ?? "")).entries[0]).toMatchObject({
      id: ids[2],
      reference: "ref-2",
      address: ADDRESS,
    });
    expect(await client.listOrders(ids[0] ?? "")).toEqual({ entries: [], next: null });
    expect((await failure(client.listOrders("ord_none"))).failure).toBe("refused");
  });

  it("lists the orders that have not ended, state by state, and none that has", async () => {
    const { client, sandbox, write, create } = await makeClinic();
    const prescriptionId = write(300);
    const ids: string[] = [];
    for (let i = 0; i < 150; i++) ids.push((await create(prescriptionId, `ref-${i}`)).id);
    const advance = (from: number, to: number, times: number) => {
      for (const id of ids.slice(from, to)) for (let i = 0; i < times; i++) sandbox.advance(id);
    };
    advance(0, 10, 5); // COMPLETED
    advance(10, 20, 3); // PLACED, SHIPPED
    advance(20, 130, 1); // PLACED
    await client.cancelOrder(ids[140] ?? "");
    sandbox.fail(ids[141] ?? "");
    const seen: string[] = [];
    const sizes: number[] = [];
    let cursor: string | null = null;
    do {
      const page = await client.listOrders(cursor, "open");
      seen.push(...page.entries.map(({ id }) => id));
      sizes.push(page.entries.length);
      cursor = page.next;
    } while (cursor !== null);
    const ended = [...ids.slice(0, 10), ids[140], ids[141]];
    expect([...seen].sort()).toEqual(ids.filter((id) => !ended.includes(id)).sort());
    // ROUTING; PENDING; PLACED in two.
    expect(sizes).toEqual([18, 0, 100, 20]);
    expect((await failure(client.listOrders("LOST:ord_1", "open"))).details.code).toBe("bad_cursor");
  });

  it("lists the treatments in use: every prescription with its treatment, and whether it can be filled", async () => {
    const { client, sandbox, write, create } = await makeClinic();
    expect(await client.listTreatments(null)).toEqual({ entries: [], next: null });
    const active = write(2);
    const depleted = write(1);
    const canceled = write(1);
    await create(depleted);
    sandbox.cancelPrescription(canceled);
    const row = (id: string, active: boolean) => ({ id, treatmentId: "med_test", active });
    expect(await client.listTreatments(null)).toEqual({
      entries: [row(canceled, false), row(depleted, false), row(active, true)],
      next: null,
    });
    for (let i = 0; i < 120; i++) write(1);
    const first = await client.listTreatments(null);
    const second = await client.listTreatments(first.next);
    expect([first.entries.length, second.entries.length, second.next]).toEqual([100, 23, null]);
    expect(second.entries.at(-1)).toEqual(row(active, true));
  });

  it("finds a prescription by the health record's id, an active one before any other", async () => {
    const { client, sandbox, patientId, write, create } = await makeClinic();
    const query = { patientId, reference: "fhir-rx-1" };
    expect(await client.findPrescription(query)).toBeNull();
    const active = write(3);
    sandbox.cancelPrescription(write(3));
    write(3, "fhir-rx-2");
    const ref = { id: active, reference: "fhir-rx-1" };
    expect(await client.findPrescription(query))
      .toEqual({ ...ref, active: true, fillsAllowed: 3, fillsRemaining: 3, lastDay: "2028-02-29" });
    for (let i = 0; i < 3; i++) await create(active);
    expect((await client.findPrescription(query))?.active).toBe(false);
    write(1, "fhir-rx-3", "2027-02-28");
    expect(await client.findPrescription({ patientId, reference: "fhir-rx-3" })).toMatchObject({
      active: false,
      fillsRemaining: 1,
    });
    expect(await client.findPrescription({ patientId: "pat_none", reference: "fhir-rx-1" })).toBeNull();
  });

  it.each([
    [429, "rate_limited"],
    [500, "unanswered"],
    [503, "unanswered"],
    [403, "refused"],
  ])("takes HTTP %i for %s", async (status, expected) => {
    const { client, sandbox } = await makeClinic();
    sandbox.faults.add({ operation: "get order", kind: "status", status, retryAfterSeconds: 30 });
    const error = await failure(client.getOrder("ord_x"));
    expect(error).toMatchObject({ failure: expected, details: { status, retryAfterSeconds: 30 } });
  });
});

describe("the token", () => {
  it("is fetched once for many callers and kept until a minute before its end", async () => {
    const { clock, client, sandbox } = await makeClinic();
    await Promise.all([1, 2, 3, 4].map(() => client.getOrder("ord_x")));
    expect(sandbox.faults.calls.get("token")).toBe(1);
    clock.now = new Date(NOW.getTime() + (86_400 - 61) * 1000);
    await client.getOrder("ord_x");
    expect(sandbox.faults.calls.get("token")).toBe(1);
    clock.now = new Date(NOW.getTime() + (86_400 - 60) * 1000);
    await client.getOrder("ord_x");
    expect(sandbox.faults.calls.get("token")).toBe(2);
  });

  it("is replaced once when it is refused", async () => {
    const { client, sandbox, write, create } = await makeClinic();
    const prescriptionId = write(1);
    await client.getOrder("ord_x");
    sandbox.revokeTokens();
    await create(prescriptionId);
    expect(sandbox.faults.calls.get("token")).toBe(2);
    expect(sandbox.state.orders.size).toBe(1);
    sandbox.faults.add({ operation: "get order", kind: "status", status: 401 });
    expect(await failure(client.getOrder("ord_x"))).toMatchObject({
      failure: "refused",
      details: { status: 401 },
    });
    expect(sandbox.faults.calls.get("token")).toBe(3);
  });

  it("that cannot be had means that nothing was sent", async () => {
    const { sandbox, write, create } = await makeClinic();
    const prescriptionId = write(1);
    sandbox.faults.add({ operation: "token", kind: "status", status: 503, times: 1 });
    expect((await failure(create(prescriptionId))).failure).toBe("unreachable");
    sandbox.faults.add({ operation: "token", kind: "lose_answer", times: 1 });
    expect((await failure(create(prescriptionId))).failure).toBe("unreachable");
    sandbox.faults.add({ operation: "token", kind: "status", status: 429, times: 1 });
    expect((await failure(create(prescriptionId))).failure).toBe("rate_limited");
    expect(sandbox.state.orders.size).toBe(0);
    await create(prescriptionId);
    const wrong = await makeClinic({ clientSecret: "wrong" });
    expect(await failure(wrong.client.getOrder("ord_x"))).toMatchObject({
      failure: "refused",
      operation: "log in",
      details: { status: 401 },
    });
  });
});

describe("GraphQL answers that are no success", () => {
  function clientAnswering(...answers: { status?: number; body: unknown }[]) {
    const calls = { token: 0, graphql: 0 };
    const clock = { now: NOW };
    const client = makePhotonClient({
      apiUrl: "https://api.photon.test/graphql",
      authUrl: "https://auth.photon.test",
      clientId: "id",
      clientSecret: "secret",
      now: () => clock.now,
      fetch: (url) => {
        if (String(url).endsWith("/oauth/token")) {
          calls.token++;
          return Promise.resolve(Response.json({ access_token: `t${calls.token}`, expires_in: 86_400 }));
        }
        const { status = 200, body } = answers[Math.min(calls.graphql++, answers.length - 1)] ??
          { body: null };
        const text = typeof body === "string" ? body : JSON.stringify(body);
        return Promise.resolve(new Response(text, { status }));
      },
    });
    return { client, calls, clock };
  }
  const refusal = (code: unknown, path?: unknown[]) => ({
    data: null,
    errors: [{
      message: PHOTON_CANARY,
      extensions: { code, text: PHOTON_CANARY },
      ...(path ? { path } : {}),
    }],
  });

  it.each([
    ["a code of theirs", 200, refusal("FILL_TOO_SOON"), "refused", "FILL_TOO_SOON"],
    ["words instead of a code", 200, refusal(PHOTON_CANARY), "refused", undefined],
    ["no code", 200, { errors: [{ message: PHOTON_CANARY }] }, "refused", undefined],
    [
      "extensions of another shape",
      200,
      { errors: [{ message: PHOTON_CANARY, extensions: { trace: PHOTON_CANARY } }] },
      "unanswered",
      "shape",
    ],
    ["a bad query", 400, refusal("GRAPHQL_VALIDATION_FAILED"), "refused", "GRAPHQL_VALIDATION_FAILED"],
    ["a 400 without JSON", 400, "<html>", "refused", undefined],
    ["their own failure", 200, refusal("INTERNAL_SERVER_ERROR"), "unanswered", "INTERNAL_SERVER_ERROR"],
    ["an outage", 200, refusal("SERVICE_UNAVAILABLE"), "unanswered", "SERVICE_UNAVAILABLE"],
    ["too many calls", 200, refusal("RATE_LIMITED"), "rate_limited", "RATE_LIMITED"],
    [
      "an error below the field",
      200,
      refusal("FORBIDDEN", ["createOrder", "patient"]),
      "unanswered",
      "FORBIDDEN",
    ],
    [
      "data beside the error",
      200,
      { ...refusal("FORBIDDEN"), data: { createOrder: {} } },
      "unanswered",
      "FORBIDDEN",
    ],
    ["another shape", 200, { data: { createOrder: { id: 7 } } }, "unanswered", "shape"],
    ["no data", 200, {}, "unanswered", "shape"],
    ["no JSON", 200, "<html>", "unanswered", "not_json"],
  ])("%s", async (_what, status, body, expected, code) => {
    const { client } = clientAnswering({ status, body });
    const order = { patientId: "p", prescriptionId: "rx", reference: "r", address: ADDRESS };
    const error = await failure(client.createOrder(order));
    expect(error).toMatchObject({ failure: expected, operation: "create order" });
    expect(error.details.code).toBe(code);
  });

  it("logs in again once after UNAUTHENTICATED", async () => {
    const { client, calls } = clientAnswering({ body: refusal("UNAUTHENTICATED") }, {
      body: { data: { order: null } },
    });
    expect(await client.getOrder("ord_x")).toBeNull();
    expect(calls).toEqual({ token: 2, graphql: 2 });
    const stubborn = clientAnswering({ body: refusal("UNAUTHENTICATED") });
    expect((await failure(stubborn.client.getOrder("ord_x"))).failure).toBe("refused");
    expect(stubborn.calls).toEqual({ token: 2, graphql: 2 });
  });

  it("suspects an old token after an internal error, and only an old one", async () => {
    const { client, calls, clock } = clientAnswering({ body: refusal("INTERNAL_SERVER_ERROR") });
    await failure(client.getOrder("ord_x"));
    await failure(client.getOrder("ord_x"));
    expect(calls.token).toBe(1);
    clock.now = new Date(NOW.getTime() + 11 * 60_000);
    await failure(client.getOrder("ord_x"));
    await failure(client.getOrder("ord_x"));
    expect(calls.token).toBe(2);
  });

  it("has no order when Photon says NOT_FOUND", async () => {
    expect(await clientAnswering({ body: refusal("NOT_FOUND") }).client.getOrder("ord_x")).toBeNull();
  });

  it("takes an order that is canceled already for canceled, however Photon says it", async () => {
    const canceled = { id: "ord_x", state: "CANCELED", createdAt: NOW.toISOString() };
    const { client } = clientAnswering({ body: refusal("INVALID_STATE") }, {
      body: { data: { order: canceled } },
    });
    expect((await client.cancelOrder("ord_x")).state).toBe("canceled");
  });

  const fullPage = (size: number) =>
    Array.from({ length: size }, (_, i) => ({
      id: `ord_${i}`,
      externalId: "other",
      state: "PLACED",
      createdAt: NOW.toISOString(),
      treatment: { id: "med_test" },
    }));

  it("goes on after a page that Photon cut to its own size", async () => {
    const { client } = clientAnswering({ body: { data: { orders: fullPage(25) } } });
    expect((await client.listOrders(null)).next).toBe("ord_24");
  });

  it("takes neither a page of nothing readable nor one that holds its own cursor for the end", async () => {
    const blank = clientAnswering({ body: { data: { orders: Array.from({ length: 25 }, () => null) } } });
    const stuck = clientAnswering({ body: { data: { orders: fullPage(30), prescriptions: fullPage(30) } } });
    for (
      const asked of [
        blank.client.listOrders(null),
        stuck.client.listOrders("ord_7"),
        stuck.client.listTreatments("ord_29"),
      ]
    ) {
      expect(await failure(asked)).toMatchObject({ failure: "unanswered", details: { code: "paging" } });
    }
  });

  it("never takes a list that does not move for a whole one", async () => {
    const rows = Array.from({ length: 25 }, (_, i) => ({
      id: `ord_${i}`,
      externalId: "other",
      state: "PLACED",
      createdAt: NOW.toISOString(),
    }));
    const { client, calls } = clientAnswering({ body: { data: { orders: rows } } });
    expect(await failure(client.findOrders({ patientId: "p", reference: "mine" }))).toMatchObject({
      failure: "unanswered",
      details: { code: "paging" },
    });
    expect(calls.graphql).toBe(2);
  });
});
