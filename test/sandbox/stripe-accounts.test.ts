import Stripe from "stripe";
import { expect, it, onTestFinished } from "vitest";
import { seeded } from "../../scripts/sandbox/random.ts";
import { serveSandbox } from "../../scripts/sandbox/server.ts";
import { makeStripeSandbox, type StripeSandboxOptions } from "../../scripts/sandbox/stripe.ts";

/** A sandbox, the SDK at it, and the bodies of its webhooks. */
async function open(options: StripeSandboxOptions = {}) {
  const bodies: Record<string, unknown>[] = [];
  const sandbox = makeStripeSandbox({
    now: () => new Date("2027-03-01T09:00:00.000Z"),
    random: seeded(5),
    fetch: (_url, init) => {
      bodies.push(JSON.parse(String(init?.body)));
      return Promise.resolve(new Response(""));
    },
    webhook: { url: "http://endpoint.test/stripe", secret: "whsec_test" },
  }, options);
  const server = await serveSandbox(sandbox.app);
  onTestFinished(server.close);
  const { hostname, port } = new URL(server.url);
  const sdk = new Stripe("sk_test_clockwork", {
    httpClient: Stripe.createFetchHttpClient(),
    maxNetworkRetries: 0,
    telemetry: false,
    protocol: "http",
    host: hostname,
    port,
  });
  return { sandbox, sdk, bodies };
}

it("livemode is on every object and event, thin ones too", async () => {
  const { sandbox, sdk, bodies } = await open({ livemode: true, eventKinds: ["snapshot", "thin"] });
  sandbox.addPrice({ id: "price_1", interval: "month", intervalCount: 1, amount: 4900 });
  const { id: customerId } = sandbox.createCustomer({});
  const invoiceId =
    sandbox.subscribe({ customerId, priceIds: [{ price: "price_1", quantity: 1 }] }).latest_invoice ?? "";
  const invoice = await sdk.invoices.retrieve(invoiceId);
  sandbox.creditNote(invoiceId, { lineId: invoice.lines.data[0]?.id ?? "", amount: 900 });
  await sandbox.outbox.flush();
  expect(bodies.length).toBeGreaterThan(10);
  const marks = JSON.stringify([bodies, invoice]).match(/"livemode":(true|false)/g);
  expect(new Set(marks)).toEqual(new Set(['"livemode":true']));
});

it("a connected account has objects of its own; its events name it", async () => {
  const { sandbox, sdk, bodies } = await open({ eventKinds: ["snapshot", "thin"] });
  const clinic = sandbox.connect("acct_1clinic");
  const own = sandbox.createCustomer({ email: "own@example.test" });
  const theirs = clinic.createCustomer({ email: "theirs@example.test" });
  const stripeAccount = { stripeAccount: "acct_1clinic" };
  expect((await sdk.customers.retrieve(theirs.id, {}, stripeAccount)).id).toBe(theirs.id);
  await expect(sdk.customers.retrieve(theirs.id)).rejects.toMatchObject({ statusCode: 404 });
  await expect(sdk.customers.retrieve(own.id, {}, stripeAccount)).rejects.toMatchObject({ statusCode: 404 });
  const made = await sdk.customers.create({ email: "new@example.test" }, stripeAccount);
  expect([clinic.state.customers.has(made.id), sandbox.state.customers.has(made.id)]).toEqual([true, false]);
  await sandbox.outbox.flush(1);
  expect(bodies.map(({ type, account, context }) => [type, account, context])).toEqual([
    ["customer.created", undefined, undefined],
    ["v1.customer.created", undefined, undefined],
    ["customer.created", "acct_1clinic", undefined],
    ["v1.customer.created", undefined, "acct_1clinic"],
    ["customer.created", "acct_1clinic", undefined],
    ["v1.customer.created", undefined, "acct_1clinic"],
  ]);
  const { data } = await sdk.events.list({}, stripeAccount);
  expect(data.map(({ account }) => account)).toEqual(["acct_1clinic", "acct_1clinic"]);
});

it("an account that the key has no access to is refused", async () => {
  const { sdk } = await open();
  await expect(sdk.customers.list({}, { stripeAccount: "acct_1none" })).rejects.toMatchObject({
    type: "StripePermissionError",
    statusCode: 403,
    code: "account_invalid",
  });
});
