import { createHmac } from "node:crypto";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  CUSTOMERIO_SANDBOX_KEYS,
  type CustomerioSandbox,
  makeCustomerioSandbox,
} from "../../scripts/sandbox/customerio.ts";
import { serveSandbox } from "../../scripts/sandbox/server.ts";
import { VendorError } from "../../src/shared/vendors/contract.ts";
import type { Crm } from "../../src/shared/vendors/crm.ts";
import { UnreadableEvent } from "../../src/shared/vendors/webhook.ts";
import { seeded } from "../../scripts/sandbox/random.ts";
import { makeCustomerioClient, ulidFor } from "../../src/shared/vendors/customerio/client.ts";
import { customerioWebhook } from "../../src/shared/vendors/customerio/webhook.ts";

const encoder = new TextEncoder();
const NOW = new Date("2026-03-01T10:00:00Z");
const NOW_SECONDS = NOW.getTime() / 1000;
const DAY = 24 * 60 * 60;
const SECRET = "reporting-key";

function sign(body: string, timestamp: number | string, secret = SECRET): string {
  return createHmac("sha256", secret).update(`v0:${timestamp}:${body}`).digest("hex");
}
function webhook(body: string, headers: Record<string, string> = {}) {
  return { body: encoder.encode(body), headers: new Headers(headers) };
}
function signed(body: string, timestamp: number | string = NOW_SECONDS, secret = SECRET) {
  return webhook(body, {
    "x-cio-timestamp": String(timestamp),
    "x-cio-signature": sign(body, timestamp, secret),
  });
}

describe("verify", () => {
  const verify = customerioWebhook.verify;
  const body = '{"event_id":"01K","größe":1}';

  test("Customer.io's own vector", async () => {
    const golden = webhook('{"event_id":"abc","object_type":"email","metric":"delivered"}', {
      "x-cio-timestamp": "1614265384",
      "x-cio-signature": "6f55cf23f9b73a2ff07733fe04421f64ce9ec5e409696edda6b2a80311944230",
    });
    const at = new Date(1614265384_000);
    expect(await verify(golden, ["signing-secret"], at)).toBe(true);
    expect(await verify(golden, ["another-secret"], at)).toBe(false);
  });

  test("any of the secrets will do: two kinds of webhook, and keys that are rolled", async () => {
    expect(await verify(signed(body), [SECRET, "other"], NOW)).toBe(true);
    expect(await verify(signed(body), ["other", SECRET], NOW)).toBe(true);
    expect(await verify(signed(body), ["other"], NOW)).toBe(false);
  });

  test("no secret, or an empty one, never verifies", async () => {
    expect(await verify(signed(body), [], NOW)).toBe(false);
    const headers = {
      "x-cio-timestamp": String(NOW_SECONDS),
      "x-cio-signature": sign(body, NOW_SECONDS, ""),
    };
    expect(await verify(webhook(body, headers), [""], NOW)).toBe(false);
    expect(await verify(signed(body), ["", SECRET], NOW)).toBe(true);
  });

  test("a changed body or timestamp does not verify", async () => {
    const { headers } = signed(body);
    expect(await verify({ body: encoder.encode(`${body} `), headers }, [SECRET], NOW)).toBe(false);
    headers.set("x-cio-timestamp", String(NOW_SECONDS + 1));
    expect(await verify({ body: encoder.encode(body), headers }, [SECRET], NOW)).toBe(false);
  });

  test("the bytes are what is signed, also where they are not UTF-8", async () => {
    const bytes = Uint8Array.of(0xff, 0xfe, 0x00);
    const signature = createHmac("sha256", SECRET).update(`v0:${NOW_SECONDS}:`).update(bytes).digest("hex");
    const headers = new Headers({ "x-cio-timestamp": String(NOW_SECONDS), "x-cio-signature": signature });
    expect(await verify({ body: bytes, headers }, [SECRET], NOW)).toBe(true);
  });

  test.each(["x-cio-timestamp", "x-cio-signature"])("a missing or empty %s does not verify", async (name) => {
    const missing = signed(body);
    missing.headers.delete(name);
    expect(await verify(missing, [SECRET], NOW)).toBe(false);
    const empty = signed(body);
    empty.headers.set(name, "");
    expect(await verify(empty, [SECRET], NOW)).toBe(false);
  });

  test.each(["abc", "-1", "1e9", "0x10", "1772359200.5", "Infinity", "99999999999999"])(
    "a timestamp of %s does not verify, however well it is signed",
    async (timestamp) => expect(await verify(signed(body, timestamp), [SECRET], NOW)).toBe(false),
  );

  test.each([
    [-8 * DAY, true],
    [-8 * DAY - 1, false],
    [-7 * DAY, true],
    [300, true],
    [301, false],
  ])("%i seconds from now: %s", async (offset, verified) => {
    expect(await verify(signed(body, NOW_SECONDS + offset), [SECRET], NOW)).toBe(verified);
  });

  test("a signature of another length or kind does not verify", async () => {
    const whole = sign(body, NOW_SECONDS);
    const headers = (signature: string) => ({
      "x-cio-timestamp": String(NOW_SECONDS),
      "x-cio-signature": signature,
    });
    for (const signature of [whole.slice(0, -1), `${whole}0`, `v0=${whole}`, whole + whole, "0"]) {
      expect(await verify(webhook(body, headers(signature)), [SECRET], NOW)).toBe(false);
    }
    expect(await verify(webhook(body, headers(whole.toUpperCase())), [SECRET], NOW)).toBe(true);
  });
});

describe("read", () => {
  const read = (body: unknown) => customerioWebhook.read(webhook(JSON.stringify(body)));
  const reporting = {
    metric: "unsubscribed",
    event_id: "01KJM3Q7ZB4V0T9G2N8XW5C6RD",
    object_type: "customer",
    timestamp: 1772359200,
    data: {
      customer_id: "ck_cus_41",
      email_address: "ada@clinic.test",
      identifiers: { id: "ck_cus_41", email: "ada@clinic.test", cio_id: "a41c07000041" },
    },
  };
  const own = {
    event_id: "7-a41c07000041-1772359200",
    type: "profile.changed",
    cio_id: "a41c07000041",
    external_id: "ck_cus_41",
    email: "ada@clinic.test",
    phone: "+15005550041",
  };

  test("is the CRM's, and answers 200 to what it cannot read: an error would stall all later events", () => {
    expect([customerioWebhook.source, customerioWebhook.unreadableStatus]).toEqual(["crm", 200]);
  });

  test("a reporting event", () => {
    expect(read(reporting)).toEqual({
      id: "01KJM3Q7ZB4V0T9G2N8XW5C6RD",
      type: "customer.unsubscribed",
      attributes: { person_id: "ck_cus_41", cio_id: "a41c07000041", at: "2026-03-01T10:00:00.000Z" },
    });
  });

  test("a delivery's recipient, subject and links are left out", () => {
    const email = {
      ...reporting,
      object_type: "Email",
      metric: "Delivered",
      data: {
        ...reporting.data,
        recipient: "ada@clinic.test",
        subject: "words of a patient",
        href: "https://clinic.test/secret",
      },
    };
    const event = read(email);
    expect(event.type).toBe("email.delivered");
    expect(JSON.stringify(event)).not.toMatch(/@|words|secret/);
  });

  test("a profile change of our own campaign, without email and phone", () => {
    expect(read(own)).toEqual({
      id: "7-a41c07000041-1772359200",
      type: "profile.changed",
      attributes: { person_id: "ck_cus_41", cio_id: "a41c07000041" },
    });
  });

  test.each([
    [{ ...reporting.data, identifiers: { id: null, cio_id: "a4" } }, {
      person_id: "ck_cus_41",
      cio_id: "a4",
    }],
    [{ ...reporting.data, identifiers: { id: "", cio_id: "" } }, { person_id: "ck_cus_41" }],
    [{ customer_id: "ck_cus_41" }, { person_id: "ck_cus_41" }],
    [{ customer_id: "", identifiers: { id: 42 } }, { person_id: "42" }],
    [{ customer_id: "" }, { person_id: null }],
    [{}, { person_id: null }],
    [null, { person_id: null }],
    [undefined, { person_id: null }],
  ])("who it is about, where parts are missing %#", (data, attributes) => {
    expect(read({ ...reporting, data }).attributes).toEqual({
      ...attributes,
      at: "2026-03-01T10:00:00.000Z",
    });
  });

  test.each([undefined, null, -1, 1e15, "soon"])("a time of %s is no time", (timestamp) => {
    expect(read({ ...reporting, timestamp }).attributes["at"]).toBe(null);
  });

  test.each([[{ external_id: "", cio_id: "" }], [{ external_id: null, cio_id: undefined }]])(
    "a person Liquid could not name %#",
    (gap) => expect(read({ ...own, ...gap }).attributes).toEqual({ person_id: null, cio_id: null }),
  );

  test.each([
    ["no event id", { ...reporting, event_id: undefined }],
    ["an empty event id", { ...own, event_id: "" }],
    ["an event id that is not text", { ...reporting, event_id: 7 }],
    ["an event id with spaces", { ...reporting, event_id: "a b" }],
    ["an endless event id", { ...reporting, event_id: "x".repeat(257) }],
    ["no metric", { ...reporting, metric: undefined }],
    ["no object type", { ...reporting, object_type: undefined }],
    ["a type with spaces", { ...own, type: "words of a patient" }],
    ["a metric with a slash", { ...reporting, metric: "a/b" }],
    ["an endless type", { ...own, type: "x".repeat(101) }],
    ["an empty type", { ...own, type: "" }],
    ["a list", [reporting]],
    ["null", null],
    ["text", "unsubscribed"],
  ])("%s is unreadable, and the error does not quote it", (_, body) => {
    expect(() => read(body)).toThrow(UnreadableEvent);
    expect(() => read(body)).not.toThrow(/patient|@|a\/b/);
  });

  test("what is not JSON in UTF-8 is unreadable", () => {
    const headers = new Headers();
    for (const body of [encoder.encode("{"), new Uint8Array(), Uint8Array.of(0x22, 0xff, 0x22)]) {
      expect(() => customerioWebhook.read({ body, headers })).toThrow(UnreadableEvent);
    }
  });
});

describe("ulidFor", () => {
  test("the same key and time give the same id, a fixed one", async () => {
    // SHA-256("abc") begins ba7816bf8f01cfea4141; the time is that of the ULID specification's example.
    const id = await ulidFor("abc", new Date(1469918176385));
    expect(id.slice(0, 10)).toBe("01ARYZ6S41");
    expect(decode(id)).toBe((1469918176385n << 80n) | 0xba7816bf8f01cfea4141n);
    expect(await ulidFor("abc", new Date(1469918176385))).toBe(id);
  });

  test("another key or another time gives another id, of the same form", async () => {
    const ids = await Promise.all([ulidFor("a", NOW), ulidFor("b", NOW), ulidFor("a", new Date(+NOW + 1))]);
    expect(new Set(ids).size).toBe(3);
    for (const id of ids) expect(id).toMatch(/^[0-7][0-9A-HJKMNP-TV-Z]{25}$/);
    expect(ids[0]?.slice(0, 10)).toBe(ids[1]?.slice(0, 10));
    expect(String(ids[2]) > String(ids[0])).toBe(true);
  });

  test.each([new Date(0), new Date(2 ** 48 - 1)])("holds %s", async (at) => {
    expect(await ulidFor("a", at)).toHaveLength(26);
  });

  test.each([new Date(-1), new Date(2 ** 48), new Date(NaN)])("refuses %s", async (at) => {
    await expect(ulidFor("a", at)).rejects.toThrow(RangeError);
  });

  function decode(id: string): bigint {
    let bits = 0n;
    for (const char of id) bits = bits * 32n + BigInt("0123456789ABCDEFGHJKMNPQRSTVWXYZ".indexOf(char));
    return bits;
  }
});

describe("the client, against the sandbox", () => {
  let sandbox: CustomerioSandbox;
  let served: Awaited<ReturnType<typeof serveSandbox>>;
  let crm: Crm;
  let now: Date;

  beforeEach(async () => {
    now = NOW;
    sandbox = makeCustomerioSandbox({
      now: () => now,
      random: seeded(5),
      fetch,
      webhook: { url: "http://127.0.0.1:1/hook", secret: SECRET },
    });
    served = await serveSandbox(sandbox.app);
    crm = clientAt(served.url);
  });
  afterEach(() => served.close());

  function clientAt(url: string, keys: { apiKey?: string; appApiKey?: string } = {}): Crm {
    return makeCustomerioClient({ trackUrl: url, appUrl: url, ...CUSTOMERIO_SANDBOX_KEYS, ...keys, fetch });
  }

  const event = {
    personId: "ck_cus_41",
    id: "renewal:18:due",
    name: "renewal_due",
    at: new Date("2026-03-01T09:59:58.700Z"),
    data: { renewal_ref: "18", due_at: 1772900000, urgent: true, reason: null },
  };
  async function failureOf(sending: Promise<unknown>): Promise<VendorError> {
    const error: unknown = await sending.then(() => undefined, (thrown: unknown) => thrown);
    if (!(error instanceof VendorError)) throw new Error("not a VendorError", { cause: error });
    return error;
  }

  test("is heard, with a ULID, the time in seconds and the data", async () => {
    await crm.sendEvent(event);
    expect(sandbox.heard("ck_cus_41")).toEqual([{
      personId: "ck_cus_41",
      name: "renewal_due",
      id: await ulidFor(event.id, event.at),
      timestamp: 1772359198,
      data: event.data,
      started: true,
    }]);
  });

  test("twice is heard once; another id is heard, too", async () => {
    await crm.sendEvent(event);
    await crm.sendEvent(event);
    expect(sandbox.heard("ck_cus_41")).toHaveLength(1);
    expect(sandbox.receipts.map(({ outcome }) => outcome)).toEqual(["stored", "duplicate"]);
    await crm.sendEvent({ ...event, id: "renewal:19:due" });
    expect(sandbox.heard("ck_cus_41")).toHaveLength(2);
  });

  test("keys that would override the campaign's sender are left out", async () => {
    await crm.sendEvent({
      ...event,
      data: { recipient: "eve@evil.test", from_address: "eve@evil.test", reply_to: "eve@evil.test", kept: 1 },
    });
    expect(sandbox.heard("ck_cus_41")[0]?.data).toEqual({ kept: 1 });
  });

  test.each(["a/b", "a?b#c", "ada@clinic.test", "a b", "größe", "100%", "%2F", "..%2f", "a;b"])(
    "the person %s stays one segment of the path",
    async (personId) => {
      await crm.sendEvent({ ...event, personId });
      expect(sandbox.heard(personId)).toHaveLength(1);
    },
  );

  test.each(["", ".", "..", "\ud800"])(
    "a person that no path can hold is refused, not lost: %j",
    async (personId) => {
      const error = await failureOf(crm.sendEvent({ ...event, personId }));
      expect([error.failure, error.details]).toEqual(["refused", { code: "person_id" }]);
      expect(sandbox.receipts).toEqual([]);
    },
  );

  test("a base URL with a slash at its end", async () => {
    const client = clientAt(`${served.url}/`);
    await client.sendEvent(event);
    expect(sandbox.heard("ck_cus_41")).toHaveLength(1);
    expect((await client.readProfiles(["ck_cus_41"])).size).toBe(1);
  });

  test("wrong keys are refused", async () => {
    const client = clientAt(served.url, { apiKey: "wrong" });
    const error = await failureOf(client.sendEvent(event));
    expect([error.failure, error.details.status]).toEqual(["refused", 401]);
    expect(sandbox.receipts).toEqual([]);
  });

  test("a 400 is refused, without Customer.io's words", async () => {
    const error = await failureOf(crm.sendEvent({ ...event, name: " " }));
    expect([error.vendor, error.failure, error.details]).toEqual(["crm", "refused", { status: 400 }]);
    expect(error.message).toBe("crm: send event refused (400)");
  });

  test("429 says how long to wait", async () => {
    sandbox.faults.add({ kind: "status", status: 429, retryAfterSeconds: 9, times: 1 });
    const error = await failureOf(crm.sendEvent(event));
    expect([error.failure, error.details.retryAfterSeconds]).toEqual(["rate_limited", 9]);
  });

  test("a lost answer is unanswered, and sending again does no harm", async () => {
    sandbox.faults.add({ operation: "send event", kind: "lose_answer", times: 1 });
    expect((await failureOf(crm.sendEvent(event))).failure).toBe("unanswered");
    await crm.sendEvent(event);
    expect(sandbox.heard("ck_cus_41")).toHaveLength(1);
  });

  test("a request that is done only after the second try does no harm either", async () => {
    sandbox.faults.add({ operation: "send event", kind: "late_commit", times: 1 });
    expect((await failureOf(crm.sendEvent(event))).failure).toBe("unanswered");
    await crm.sendEvent(event);
    await sandbox.faults.commitLate();
    expect(sandbox.heard("ck_cus_41")).toHaveLength(1);
    expect(sandbox.receipts).toHaveLength(2);
  });

  test("nobody there is unreachable", async () => {
    await served.close();
    expect((await failureOf(crm.sendEvent(event))).failure).toBe("unreachable");
  });

  test("tellAt is the time the event carries; the id stays that of when it happened", async () => {
    now = new Date(event.at.getTime() + 4 * DAY * 1000);
    await crm.sendEvent({ ...event, tellAt: now });
    await crm.sendEvent({ ...event, tellAt: new Date(now.getTime() + 60_000) });
    await crm.sendEvent(event);
    expect(sandbox.heard("ck_cus_41")).toMatchObject([{
      id: await ulidFor(event.id, event.at),
      timestamp: Math.floor(now.getTime() / 1000),
      started: true,
    }]);
    expect(sandbox.receipts.map(({ outcome }) => outcome)).toEqual(["stored", "duplicate", "duplicate"]);
  });

  test("an event of four days ago is stored and starts nothing", async () => {
    now = new Date(event.at.getTime() + 4 * DAY * 1000);
    await crm.sendEvent(event);
    expect(sandbox.heard("ck_cus_41")[0]?.started).toBe(false);
  });

  describe("profiles", () => {
    const contact = { email: "ada@clinic.test", phone: "+15005550041" };
    const facts = { planState: "active", nextRefillOn: "2026-04-01" };
    const profileOf = async (id: string) => (await crm.readProfiles([id])).get(id);
    beforeEach(() => sandbox.createPerson("ck_cus_41", contact));

    test("what is written is read, beside what the CRM owns; null clears", async () => {
      expect(await profileOf("ck_cus_41")).toEqual({ ...contact, planState: null, nextRefillOn: null });
      await crm.updateProfile("ck_cus_41", facts, now);
      expect(await profileOf("ck_cus_41")).toEqual({ ...contact, ...facts });
      await crm.updateProfile("ck_cus_41", { planState: "paused", nextRefillOn: null }, now);
      expect(await profileOf("ck_cus_41")).toEqual({ ...contact, planState: "paused", nextRefillOn: null });
      expect(sandbox.writes("ck_cus_41")).toBe(2);
      // Neither email nor phone: our own update must not look like an edit of theirs.
      expect(sandbox.outbox.waiting).toBe(0);
    });

    test("an update that was read earlier and arrives later does not win", async () => {
      await crm.updateProfile("ck_cus_41", { planState: "paused", nextRefillOn: null }, now);
      await crm.updateProfile("ck_cus_41", facts, new Date(now.getTime() - 5000));
      expect(await profileOf("ck_cus_41")).toMatchObject({ planState: "paused", nextRefillOn: null });
      await crm.updateProfile("ck_cus_41", facts, new Date(now.getTime() + 900));
      expect(await profileOf("ck_cus_41")).toMatchObject(facts);
    });

    test("nobody is made by an update", async () => {
      await crm.updateProfile("ck_cus_42", facts, now);
      expect(sandbox.people.has("ck_cus_42")).toBe(false);
      expect(await profileOf("ck_cus_42")).toBe(undefined);
    });

    test("a hundred people in one call, each once, without those the CRM does not know", async () => {
      const ids = Array.from({ length: 99 }, (_, i) => `ck_cus_${i + 100}`);
      for (const id of ids) sandbox.createPerson(id, { email: `${id}@clinic.test`, phone: "" });
      const profiles = await crm.readProfiles(["nobody", ...ids, ...ids]);
      expect([...profiles.keys()].sort()).toEqual([...ids].sort());
      expect(profiles.get("ck_cus_150")).toMatchObject({ email: "ck_cus_150@clinic.test", phone: null });
      expect(sandbox.faults.calls.get("read people")).toBe(1);
      await expect(crm.readProfiles(Array.from({ length: 101 }, (_, i) => `${i}`))).rejects.toThrow(
        RangeError,
      );
      expect(await crm.readProfiles([])).toEqual(new Map());
      expect(sandbox.faults.calls.get("read people")).toBe(1);
    });

    test("people who come without their wrapping are read the same way", async () => {
      const bare = { id: "ck_cus_41", attributes: { ...contact, plan_state: "", next_refill_on: 7 } };
      const client = makeCustomerioClient({
        trackUrl: served.url,
        ...CUSTOMERIO_SANDBOX_KEYS,
        fetch: (url) => {
          expect(String(url)).toBe("https://api.customer.io/v1/customers/attributes");
          return Promise.resolve(Response.json({ customers: [bare] }));
        },
      });
      expect(await client.readProfiles(["ck_cus_41"])).toEqual(
        new Map([["ck_cus_41", { ...contact, planState: null, nextRefillOn: null }]]),
      );
    });

    test("the App API's key, limit and odd answers become failures without the vendor's words", async () => {
      const read = (client = crm) => failureOf(client.readProfiles(["ck_cus_41"]));
      const wrong = await read(clientAt(served.url, { appApiKey: "wrong" }));
      expect([wrong.failure, wrong.details]).toEqual(["refused", { status: 401 }]);
      sandbox.faults.add({ kind: "status", status: 429, retryAfterSeconds: 1, times: 1 });
      expect((await read()).failure).toBe("rate_limited");
      sandbox.faults.add({ kind: "lose_answer", times: 1 });
      expect((await read()).failure).toBe("unanswered");
      const client = makeCustomerioClient({
        trackUrl: served.url,
        ...CUSTOMERIO_SANDBOX_KEYS,
        fetch: () => Promise.resolve(Response.json({ customers: [{ words: "of a patient" }] })),
      });
      const shape = await read(client);
      expect([shape.failure, shape.details.code]).toEqual(["unanswered", "shape"]);
      expect(JSON.stringify(shape) + shape.message).not.toContain("patient");
    });

    test.each(["", ".."])("an update of a person that no path can hold is refused: %j", async (personId) => {
      expect((await failureOf(crm.updateProfile(personId, facts, now))).details).toEqual({
        code: "person_id",
      });
    });

    test("an update whose answer is lost can be sent again", async () => {
      sandbox.faults.add({ operation: "update person", kind: "lose_answer", times: 1 });
      expect(await failureOf(crm.updateProfile("ck_cus_41", facts, now))).toMatchObject({
        failure: "unanswered",
        operation: "update profile",
      });
      await crm.updateProfile("ck_cus_41", facts, now);
      expect(await profileOf("ck_cus_41")).toMatchObject(facts);
    });
  });
});
