import { describe, expect, it } from "vitest";
import { z } from "zod";
import { makePhotonSandbox, PHOTON_SANDBOX_CLIENT } from "../../scripts/sandbox/photon.ts";
import { PHOTON_CANARY } from "../../scripts/sandbox/photon/events.ts";
import { pageOf } from "../../scripts/sandbox/photon/graphql.ts";
import { seeded } from "../../scripts/sandbox/random.ts";
import { Shelf } from "../../scripts/sandbox/shelf.ts";
import { photonWebhook } from "../../src/shared/vendors/photon/webhook.ts";

const SECRET = "photon-test-secret";
const encoder = new TextEncoder();

interface Sent {
  body: string;
  headers: Headers;
}

function makeClinic(answer: () => number = () => 200) {
  const clock = { now: new Date("2027-03-01T09:00:00.000Z") };
  const sent: Sent[] = [];
  const sandbox = makePhotonSandbox({
    now: () => clock.now,
    random: seeded(7),
    fetch: (_url, init) => {
      sent.push({ body: String(init?.body), headers: new Headers(init?.headers) });
      return Promise.resolve(new Response(null, { status: answer() }));
    },
    webhook: { url: "http://127.0.0.1:9/webhooks/pharmacy", secret: SECRET },
  });
  const patientId = sandbox.createPatient({ externalId: "fhir-patient-1" });
  const write = (fillsAllowed: number, expirationDate = "2028-02-29") =>
    sandbox.writePrescription({
      patientId,
      externalId: "fhir-rx-1",
      treatmentId: "med_test",
      fillsAllowed,
      daysSupply: 30,
      expirationDate,
      instructions: "as directed",
    });
  async function types(): Promise<string[]> {
    const from = sent.length;
    await sandbox.outbox.flush(1);
    return sent.slice(from).map(({ body }) => z.object({ type: z.string() }).parse(JSON.parse(body)).type);
  }
  return { clock, sandbox, sent, patientId, write, types };
}
type Clinic = ReturnType<typeof makeClinic>;

const ADDRESS = {
  street1: "1 Test Way",
  city: "Dover",
  state: "DE",
  postalCode: "19901",
  country: "US",
};

async function logIn({ sandbox }: Clinic, secret: string = PHOTON_SANDBOX_CLIENT.clientSecret) {
  return await sandbox.app.request("/oauth/token", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      grant_type: "client_credentials",
      client_id: PHOTON_SANDBOX_CLIENT.clientId,
      client_secret: secret,
      audience: "https://api.photon.test",
    }),
  });
}

const answer = z.object({
  data: z.record(z.string(), z.unknown()).nullish(),
  errors: z.array(z.object({ message: z.string(), extensions: z.object({ code: z.string() }) })).optional(),
});

async function ask(clinic: Clinic, query: string, variables: Record<string, unknown> = {}, token?: string) {
  const given = z.object({ access_token: z.string() });
  const bearer = token ?? given.parse(await (await logIn(clinic)).json()).access_token;
  const response = await clinic.sandbox.app.request("/graphql", {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${bearer}` },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = answer.parse(await response.json());
  return { status: response.status, data, code: errors?.[0]?.extensions.code, text: errors?.[0]?.message };
}

const CREATE = `mutation C($patientId: ID!, $fills: [FillInput!]!, $address: AddressInput!, $externalId: ID) {
  createOrder(patientId: $patientId, fills: $fills, address: $address, externalId: $externalId) { id state }
}`;
const created = z.object({ createOrder: z.object({ id: z.string(), state: z.string() }) });

async function order(clinic: Clinic, prescriptionId: string, externalId = "order-ref"): Promise<string> {
  const variables = {
    patientId: clinic.patientId,
    fills: [{ prescriptionId }],
    address: ADDRESS,
    externalId,
  };
  return created.parse((await ask(clinic, CREATE, variables)).data).createOrder.id;
}

async function refusedOrder(clinic: Clinic, prescriptionId: string, patientId = clinic.patientId) {
  const answer = await ask(clinic, CREATE, { patientId, fills: [{ prescriptionId }], address: ADDRESS });
  expect(answer.data).toBeNull();
  expect(answer.text).toBe(PHOTON_CANARY);
  return answer.code;
}

describe("login", () => {
  it("gives a token for a day, and only for the right secret", async () => {
    const clinic = makeClinic();
    expect((await logIn(clinic, "wrong")).status).toBe(401);
    const given = z.object({ access_token: z.string(), expires_in: z.literal(86_400) });
    const { access_token } = given.parse(await (await logIn(clinic)).json());
    const query = "query O($id: ID!) { order(id: $id) { id } }";
    expect((await ask(clinic, query, { id: "ord_x" }, access_token)).data).toEqual({ order: null });
    clinic.clock.now = new Date("2027-03-02T09:00:00.000Z");
    expect((await ask(clinic, query, { id: "ord_x" }, access_token)).status).toBe(401);
    expect((await ask(clinic, query, { id: "ord_x" }, "made-up")).status).toBe(401);
  });
});

describe("graphql", () => {
  it("refuses fields and arguments that the schema lacks, before anything is done", async () => {
    const clinic = makeClinic();
    const prescriptionId = clinic.write(1);
    const variables = { patientId: clinic.patientId, fills: [{ prescriptionId }], address: ADDRESS };
    const refusals: [string, Record<string, unknown>, string][] = [
      ["query X { nothing { id } }", {}, "GRAPHQL_VALIDATION_FAILED"],
      ["mutation O($id: ID!) { order(id: $id) { id } }", { id: "x" }, "GRAPHQL_VALIDATION_FAILED"],
      ["query O($id: ID!) { order(id: $id) { id diagnosis } }", { id: "x" }, "GRAPHQL_VALIDATION_FAILED"],
      ["query O($id: ID!) { order(id: $id) { patient } }", { id: "x" }, "GRAPHQL_VALIDATION_FAILED"],
      ["query O($id: ID!) { order(id: $id) { constructor } }", { id: "x" }, "GRAPHQL_VALIDATION_FAILED"],
      ["query O { order(id: $id) { id } }", { id: "x" }, "GRAPHQL_VALIDATION_FAILED"],
      ["query O($id: ID!) { order(id: $id, now: $id) { id } }", { id: "x" }, "GRAPHQL_VALIDATION_FAILED"],
      ["query O($id: ID!) { order(id: $id) { id }", { id: "x" }, "GRAPHQL_VALIDATION_FAILED"],
      ["query O($id: ID!) { order(id: $id) { id } }", {}, "BAD_USER_INPUT"],
      [CREATE.replace("id state", "id secret"), variables, "GRAPHQL_VALIDATION_FAILED"],
      [CREATE, { ...variables, address: { ...ADDRESS, name: "One String" } }, "BAD_USER_INPUT"],
      [CREATE, { ...variables, fills: [] }, "BAD_USER_INPUT"],
      [
        "query O($f: OrderFilter) { orders(filter: $f) { id } }",
        { f: { externalId: "x" } },
        "BAD_USER_INPUT",
      ],
    ];
    for (const [query, given, code] of refusals) {
      expect.soft(await ask(clinic, query, given), query).toMatchObject({ status: 400, code });
    }
    expect(clinic.sandbox.state.orders.size).toBe(0);
  });

  it("answers only the fields asked for", async () => {
    const clinic = makeClinic();
    const id = await order(clinic, clinic.write(2));
    const query = "query O($id: ID!) { order(id: $id) { externalId fills { prescription { externalId } } } }";
    expect((await ask(clinic, query, { id })).data).toEqual({
      order: { externalId: "order-ref", fills: [{ prescription: { externalId: "fhir-rx-1" } }] },
    });
  });

  it("pages with first and after, newest first, by patient", async () => {
    const clinic = makeClinic();
    const prescriptionId = clinic.write(3);
    const ids = [];
    for (const reference of ["a", "b", "c"]) ids.push(await order(clinic, prescriptionId, reference));
    const query = `query L($after: ID, $first: Int, $filter: OrderFilter) {
      orders(after: $after, first: $first, filter: $filter) { id } }`;
    const filter = { patientId: clinic.patientId };
    const page = async (after?: string) => (await ask(clinic, query, { first: 2, filter, after })).data;
    expect(await page()).toEqual({ orders: [{ id: ids[2] }, { id: ids[1] }] });
    expect(await page(ids[1])).toEqual({ orders: [{ id: ids[0] }] });
    expect((await ask(clinic, query, { filter: { patientId: "pat_other" } })).data).toEqual({ orders: [] });
  });
});

describe("many orders", () => {
  const makeRows = () => new Shelf<{ id: string; patientId: string }>(({ patientId }) => patientId);

  /** The ids on one page. `onLook` is called for each row that is read. */
  function idsOf(
    rows: ReturnType<typeof makeRows>,
    { patientId, ...page }: { patientId: string | null; after: string | null; first: number },
    onLook = () => {},
  ): string[] {
    const state = () => {
      onLook();
      return "any";
    };
    return pageOf(rows, { ...page, filter: { patientId, state: "any" } }, state).map(({ id }) => id);
  }

  it("finds a patient's own among 100,000 without a look at the others", () => {
    const rows = makeRows();
    for (let i = 0; i < 100_000; i++) {
      rows.set(`ord_${i}`, { id: `ord_${i}`, patientId: `pat_${i % 10_000}` });
    }
    let looks = 0;
    const page = (patientId: string | null, after: string | null, first: number) =>
      idsOf(rows, { patientId, after, first }, () => void (looks += 1));
    const newestFirst = Array.from({ length: 10 }, (_, i) => `ord_${(9 - i) * 10_000 + 7}`);
    expect(page("pat_7", null, 25)).toEqual(newestFirst);
    expect(page("pat_7", "ord_10007", 25)).toEqual(["ord_7"]);
    expect(page(null, "ord_50000", 2)).toEqual(["ord_49999", "ord_49998"]);
    expect(looks).toBe(13);
    expect(() => page("pat_8", "ord_7", 1)).toThrow("unknown cursor");
    expect(() => page(null, "ord_none", 1)).toThrow("unknown cursor");
  });

  it("keeps its pages right when a test takes a row out or puts it back", () => {
    const rows = makeRows();
    for (const id of ["a", "b", "c"]) rows.set(id, { id, patientId: "p" });
    const page = (after: string | null) => idsOf(rows, { patientId: "p", after, first: 9 });
    expect([rows.delete("b"), rows.delete("b"), page(null), page("c")]).toEqual([
      true,
      false,
      ["c", "a"],
      ["a"],
    ]);
    expect(() => page("b")).toThrow("unknown cursor");
    rows.set("a", { id: "a", patientId: "q" });
    expect([page(null), rows.size]).toEqual([["c"], 2]);
  });
});

describe("orders and fills", () => {
  it("makes two orders of two calls with the same externalId", async () => {
    const clinic = makeClinic();
    const prescriptionId = clinic.write(3);
    expect(await order(clinic, prescriptionId)).not.toBe(await order(clinic, prescriptionId));
    expect(clinic.sandbox.liveOrders("order-ref")).toHaveLength(2);
    expect(clinic.sandbox.liveOrders("another")).toHaveLength(0);
  });

  it("hands out unordered fills over the counter, while there are some", async () => {
    const clinic = makeClinic();
    const prescriptionId = clinic.write(2);
    clinic.sandbox.handOut(prescriptionId);
    expect(await clinic.types()).toEqual(["photon:prescription:created"]);
    clinic.sandbox.handOut(prescriptionId);
    expect(await clinic.types()).toEqual(["photon:prescription:depleted"]);
    expect(() => clinic.sandbox.handOut(prescriptionId)).toThrow("is DEPLETED");
    expect(await refusedOrder(clinic, prescriptionId)).toBe("NO_FILLS_REMAINING");
  });

  it("uses up a fill at creation and gives it back on cancel, with the events that go with it", async () => {
    const clinic = makeClinic();
    const prescriptionId = clinic.write(1);
    expect(await clinic.types()).toEqual(["photon:prescription:created"]);
    const orderId = await order(clinic, prescriptionId);
    expect(await clinic.types()).toEqual(["photon:order:created", "photon:prescription:depleted"]);
    expect(await refusedOrder(clinic, prescriptionId)).toBe("NO_FILLS_REMAINING");

    const cancel = "mutation X($id: ID!) { cancelOrder(id: $id) { id state } }";
    expect((await ask(clinic, cancel, { id: orderId })).data).toEqual({
      cancelOrder: { id: orderId, state: "CANCELED" },
    });
    expect(await clinic.types()).toEqual(["photon:order:canceled", "photon:prescription:active"]);
    expect((await ask(clinic, cancel, { id: orderId })).data).toMatchObject({
      cancelOrder: { state: "CANCELED" },
    });
    expect(await clinic.types()).toEqual([]);
    await order(clinic, prescriptionId);
    expect(clinic.sandbox.state.prescriptions.get(prescriptionId)?.fillsRemaining).toBe(0);
  });

  it("refuses an order without a prescription that holds", async () => {
    const clinic = makeClinic();
    const other = clinic.sandbox.createPatient({ externalId: null });
    expect(await refusedOrder(clinic, "rx_none")).toBe("PRESCRIPTION_NOT_FOUND");
    expect(await refusedOrder(clinic, clinic.write(1), other)).toBe("PRESCRIPTION_PATIENT_MISMATCH");
    expect(await refusedOrder(clinic, clinic.write(1, "2027-02-28"))).toBe("PRESCRIPTION_NOT_ACTIVE");
    const canceled = clinic.write(1);
    clinic.sandbox.cancelPrescription(canceled);
    expect(await refusedOrder(clinic, canceled)).toBe("PRESCRIPTION_NOT_ACTIVE");
    expect(clinic.sandbox.state.orders.size).toBe(0);
  });

  it("takes an order from the pharmacy to the door", async () => {
    const clinic = makeClinic();
    const id = await order(clinic, clinic.write(2));
    await clinic.types();
    const steps = [];
    for (let step = clinic.sandbox.advance(id); step; step = clinic.sandbox.advance(id)) steps.push(step);
    expect(steps).toEqual(["PLACED", "FILLING", "SHIPPED", "DELIVERED"]);
    const from = clinic.sent.length;
    expect(await clinic.types()).toEqual([
      "photon:order:placed",
      "photon:order:fulfillment",
      "photon:order:fulfillment",
      "photon:order:fulfillment",
      "photon:order:completed",
    ]);
    const data = z.object({ data: z.object({ fulfillment: z.record(z.string(), z.string()).optional() }) });
    const [, filling, shipped] = clinic.sent.slice(from).map(({ body }) => data.parse(JSON.parse(body)).data);
    expect(filling?.fulfillment).toEqual({ type: "MAIL_ORDER", state: "FILLING" });
    expect(shipped?.fulfillment).toMatchObject({ state: "SHIPPED", carrier: "USPS" });
    expect(shipped?.fulfillment?.trackingNumber).toMatch(/^94\d{20}$/);
    expect(clinic.sandbox.state.orders.get(id)?.state).toBe("COMPLETED");
  });

  it("cannot be canceled once shipped, nor pushed out of order", async () => {
    const clinic = makeClinic();
    const id = await order(clinic, clinic.write(2));
    expect(() => clinic.sandbox.ship(id)).toThrow("not FILLING");
    expect(() => clinic.sandbox.place("ord_none")).toThrow("no ord_none");
    clinic.sandbox.place(id);
    clinic.sandbox.fill(id);
    clinic.sandbox.ship(id);
    const cancel = "mutation X($id: ID!, $reason: String) { cancelOrder(id: $id, reason: $reason) { id } }";
    expect((await ask(clinic, cancel, { id })).code).toBe("ORDER_NOT_CANCELABLE");
    expect((await ask(clinic, cancel, { id: "ord_none" })).code).toBe("ORDER_NOT_FOUND");
    expect(() => clinic.sandbox.cancelByPharmacy(id)).toThrow();
    expect(clinic.sandbox.liveOrders("order-ref")).toHaveLength(1);
  });

  it("can be rerouted, fail, or be canceled by the pharmacy", async () => {
    const clinic = makeClinic();
    const prescriptionId = clinic.write(2);
    const id = await order(clinic, prescriptionId);
    const second = await order(clinic, prescriptionId, "second");
    clinic.sandbox.place(id);
    await clinic.types();
    clinic.sandbox.reroute(id);
    clinic.sandbox.place(id);
    clinic.sandbox.fail(id);
    clinic.sandbox.cancelByPharmacy(second);
    expect(await clinic.types()).toEqual([
      "photon:order:rerouted",
      "photon:order:placed",
      "photon:order:error",
      "photon:order:canceled",
      "photon:prescription:active",
    ]);
    expect(clinic.sandbox.advance(id)).toBeNull();
    expect(clinic.sandbox.liveOrders("order-ref")).toEqual([]);
  });
});

describe("webhooks", () => {
  it("are signed at send, so that the connector believes them", async () => {
    const clinic = makeClinic();
    const rx = clinic.write(1);
    clinic.clock.now = new Date("2027-03-01T10:00:00.000Z");
    await clinic.sandbox.outbox.flush();
    const [{ body, headers }] = z.tuple([z.custom<Sent>()]).parse(clinic.sent);
    expect(headers.get("content-type")).toBe("application/cloudevents-batch+json");
    expect(headers.get("x-photon-timestamp")).toBe(String(clinic.clock.now.getTime()));
    const webhook = { body: encoder.encode(body), headers };
    expect(await photonWebhook.verify(webhook, [SECRET], clinic.clock.now)).toBe(true);
    expect(photonWebhook.read(webhook)).toMatchObject({
      id: expect.stringMatching(/^[0-9A-HJKMNP-TV-Z]{26}$/),
      type: "prescription.created",
      attributes: { prescription_id: rx, time: "2027-03-01T09:00:00.000Z" },
    });
    expect(rx).toMatch(/^rx_[0-9A-HJKMNP-TV-Z]{26}$/);
    expect(body).toContain(PHOTON_CANARY);
  });

  it.each([[500, 1], [408, 1], [429, 1], [404, 0], [401, 0], [200, 0]])(
    "after a %i, %i are still waiting",
    async (status, waiting) => {
      const clinic = makeClinic(() => status);
      clinic.write(1);
      await clinic.sandbox.outbox.flush();
      expect(clinic.sandbox.outbox.waiting).toBe(waiting);
      expect(clinic.sandbox.outbox.givenUp.size).toBe(status === 404 || status === 401 ? 1 : 0);
    },
  );
});
