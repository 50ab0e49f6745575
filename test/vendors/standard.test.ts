import { Webhook } from "standardwebhooks";
import { describe, expect, test } from "vitest";
import { UnreadableEvent } from "../../src/shared/vendors/webhook.ts";
import { makeStandardWebhook } from "../../src/shared/vendors/standard/webhook.ts";

const encoder = new TextEncoder();
const NOW = new Date("2026-03-01T10:00:00Z");
const connector = makeStandardWebhook("shipbob");

function secretOf(bytes: number, fill = 7): string {
  return `whsec_${Buffer.alloc(bytes, fill).toString("base64")}`;
}
const SECRET = secretOf(32);
const OTHER = secretOf(32, 9);
const BODY = JSON.stringify({ type: "order.shipped", timestamp: "2026-03-01T09:59:00Z", data: { größe: 1 } });

function sign(body = BODY, { id = "msg_41", at = NOW, secret = SECRET } = {}): string {
  return new Webhook(secret).sign(id, at, body);
}
function webhook(body: string, signature: string, { id = "msg_41", at = NOW, prefix = "webhook" } = {}) {
  return {
    body: encoder.encode(body),
    headers: new Headers({
      [`${prefix}-id`]: id,
      [`${prefix}-timestamp`]: String(Math.floor(at.getTime() / 1000)),
      [`${prefix}-signature`]: signature,
    }),
  };
}

test("the source is part of its name, and must be a plain name", () => {
  expect([connector.source, connector.unreadableStatus]).toEqual(["standard.shipbob", 400]);
  for (const name of ["", "Ship", "a.b", "a b", "x".repeat(51)]) {
    expect(() => makeStandardWebhook(name)).toThrow(RangeError);
  }
});

describe("verify", () => {
  const verify = connector.verify;

  test("the specification's own vector", async () => {
    const at = new Date(1614265330_000);
    const golden = webhook('{"test": 2432232314}', "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", {
      id: "msg_p5jXN8AQM9LWM0D4loKWxJek",
      at,
    });
    expect(await verify(golden, ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"], at)).toBe(true);
    expect(await verify(golden, [SECRET], at)).toBe(false);
  });

  test("what the official library signs", async () => {
    expect(await verify(webhook(BODY, sign()), [SECRET], NOW)).toBe(true);
  });

  test("any of the secrets; none, an empty or a wrong one verifies nothing", async () => {
    const signed = webhook(BODY, sign());
    expect(await verify(signed, [OTHER, SECRET], NOW)).toBe(true);
    for (const secrets of [[], [""], [OTHER]]) expect(await verify(signed, secrets, NOW)).toBe(false);
  });

  test("Svix's header names, but not a mix of both", async () => {
    expect(await verify(webhook(BODY, sign(), { prefix: "svix" }), [SECRET], NOW)).toBe(true);
    const mixed = webhook(BODY, sign(), { prefix: "svix" });
    mixed.headers.set("webhook-id", "msg_42");
    expect(await verify(mixed, [SECRET], NOW)).toBe(false);
  });

  test.each([" ", ", "])("a list joined by %j: one right signature is enough", async (joiner) => {
    const wrong = sign(BODY, { secret: OTHER });
    for (const list of [[wrong, sign()], [sign(), wrong], ["v1a,c2lnbmVk", sign()], [wrong, wrong, sign()]]) {
      expect(await verify(webhook(BODY, list.join(joiner)), [SECRET], NOW)).toBe(true);
    }
    expect(await verify(webhook(BODY, [wrong, wrong].join(joiner)), [SECRET], NOW)).toBe(false);
  });

  test("another version, no version or no signature does not verify", async () => {
    const value = sign().slice("v1,".length);
    for (
      const signature of [`v1a,${value}`, `v2,${value}`, value, "v1,", "", " ", `v1 ${value}`, `V1,${value}`]
    ) {
      expect(await verify(webhook(BODY, signature), [SECRET], NOW)).toBe(false);
    }
  });

  test.each(["webhook-id", "webhook-timestamp", "webhook-signature"])(
    "without %s it does not verify",
    async (name) => {
      const missing = webhook(BODY, sign());
      missing.headers.delete(name);
      expect(await verify(missing, [SECRET], NOW)).toBe(false);
    },
  );

  test("a changed body, id or timestamp does not verify", async () => {
    const later = new Date(NOW.getTime() + 1000);
    expect(await verify(webhook(`${BODY} `, sign()), [SECRET], NOW)).toBe(false);
    expect(await verify(webhook(BODY, sign(), { id: "msg_42" }), [SECRET], NOW)).toBe(false);
    expect(await verify(webhook(BODY, sign(), { at: later }), [SECRET], NOW)).toBe(false);
  });

  test.each([[-300, true], [-301, false], [300, true], [301, false]])(
    "signed %i seconds from now: %s",
    async (offset, verified) => {
      const at = new Date(NOW.getTime() + offset * 1000);
      expect(await verify(webhook(BODY, sign(BODY, { at }), { at }), [SECRET], NOW)).toBe(verified);
    },
  );

  test.each(["now", "", "1e9", "-1", "1772359200.5"])(
    "a timestamp of %j does not verify",
    async (timestamp) => {
      const odd = webhook(BODY, sign());
      odd.headers.set("webhook-timestamp", timestamp);
      expect(await verify(odd, [SECRET], NOW)).toBe(false);
    },
  );

  test.each([[24, true], [64, true], [23, false], [65, false], [1, false]])(
    "a secret of %i bytes: %s",
    async (bytes, verified) => {
      const secret = secretOf(bytes);
      expect(await verify(webhook(BODY, sign(BODY, { secret })), [secret], NOW)).toBe(verified);
    },
  );

  test("a malformed secret verifies nothing and stops no other", async () => {
    const signed = webhook(BODY, sign());
    const bare = SECRET.slice("whsec_".length);
    for (const secret of [bare, "whsec_", "whsec_***", `whsec_${bare} `, `whsec_A${bare}`, `WHSEC_${bare}`]) {
      expect(await verify(signed, [secret], NOW)).toBe(false);
      expect(await verify(signed, [secret, SECRET], NOW)).toBe(true);
    }
  });
});

describe("read", () => {
  const read = (body: unknown, id = "msg_41", prefix = "webhook") =>
    connector.read(webhook(JSON.stringify(body), "", { id, prefix }));

  test("keeps the id, the type and the time, and nothing else", () => {
    const body = {
      type: "Order.Shipped",
      timestamp: "2026-03-01T11:59:00.5+02:00",
      data: { name: "a patient" },
    };
    expect(read(body)).toEqual({
      id: "msg_41",
      type: "order.shipped",
      attributes: { type: "order.shipped", at: "2026-03-01T09:59:00.500Z" },
    });
    expect(read(body, "msg_42", "svix").id).toBe("msg_42");
  });

  test.each([
    ["no type", {}],
    ["a type that is not text", { type: 7 }],
    ["a type of words", { type: "words of a patient" }],
    ["an empty type", { type: "" }],
    ["an endless type", { type: "x".repeat(101) }],
    ["a list", [1]],
    ["text", "order.shipped"],
    ["null", null],
  ])("%s: an event", (_, body) => {
    expect(read(body)).toEqual({ id: "msg_41", type: "event", attributes: { type: "event", at: null } });
  });

  test.each([
    undefined,
    null,
    1772359200,
    "soon",
    "2026-03-01",
    "2026-03-01T10:00:00",
    "2026-02-31T10:00:00Z",
  ])(
    "a timestamp of %j is no time",
    (timestamp) => expect(read({ type: "a", timestamp }).attributes["at"]).toBe(null),
  );

  test("without a usable id it is unreadable", () => {
    for (const id of ["", "x".repeat(257), "caf\u00e9"]) {
      expect(() => read({ type: "a" }, id)).toThrow(UnreadableEvent);
    }
    expect(read({ type: "a" }, "x".repeat(256)).id).toHaveLength(256);
    expect(() => connector.read({ body: encoder.encode("{}"), headers: new Headers() })).toThrow(
      UnreadableEvent,
    );
  });

  test("a body that is not JSON is unreadable", () => {
    for (const body of ["", "{", "type=a"]) {
      expect(() => connector.read(webhook(body, ""))).toThrow(UnreadableEvent);
    }
  });
});
