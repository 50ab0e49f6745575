import { sql } from "kysely";
import { describe, expect, test } from "vitest";
import { connect } from "../../src/shared/db/database.ts";
import { MAX_BODY_BYTES } from "../../src/shared/http/webhooks-app.ts";
import { freePort } from "../../scripts/stack/ports.ts";
import { makeWorld } from "../support/world.ts";
import { ALL_SENDERS, appWith, expectNoCanary, rows, secretOf, send, sendBody, SENDERS } from "./support.ts";

describe("an event that is signed", () => {
  test("is recorded with the step's keys and nothing else of the body; a repeat makes no second row", async () => {
    const world = await makeWorld();
    const answers: string[] = [];
    for (const sender of ALL_SENDERS) {
      const before = (await rows(world)).length;
      const sample = sender.event("1");
      const first = await send(world, sender, sample);
      const word = sample.row.status === "PARKED" ? "parked" : "recorded";
      expect([first.status, await first.clone().json()], sender.path).toEqual([200, {
        ok: true,
        result: word,
      }]);
      const again = await send(world, sender, sample);
      expect([again.status, await again.clone().json()], sender.path)
        .toEqual([200, { ok: true, result: "repeat" }]);
      const made = (await rows(world)).slice(before);
      expect(made, sender.path).toHaveLength(1);
      expect(made[0], sender.path).toMatchObject({ ...sample.row, caused_by: null, attempts: 0 });
      expect(made[0]?.data, sender.path).toEqual(sample.row.data);
      expect(made[0]?.reason_code, sender.path).toBe(word === "parked" ? "UNKNOWN_EVENT" : null);
      answers.push(await first.text(), await again.text());
    }
    await expectNoCanary(world, answers);
  });

  test("of a type that nothing handles is parked, under its name and with the reason", async () => {
    const world = await makeWorld();
    for (const sender of ALL_SENDERS) {
      const before = (await rows(world)).length;
      const sample = sender.unknown("1");
      const response = await send(world, sender, sample);
      expect([response.status, await response.json()], sender.path).toEqual([200, {
        ok: true,
        result: "parked",
      }]);
      const [row] = (await rows(world)).slice(before);
      expect(row, sender.path).toMatchObject({
        ...sample.row,
        status: "PARKED",
        reason_code: "UNKNOWN_EVENT",
        reason: `No step handles ${sample.row.step} yet.`,
      });
      expect(row?.data, sender.path).toEqual(sample.row.data);
    }
    await expectNoCanary(world, []);
  });

  test("sent many times at once is one row", async () => {
    const world = await makeWorld();
    const answers = await Promise.all(
      Array.from({ length: 12 }, () => send(world, SENDERS.stripe, SENDERS.stripe.event("1"))),
    );
    expect(answers.map((answer) => answer.status)).toEqual(Array.from({ length: 12 }, () => 200));
    expect(await rows(world)).toHaveLength(1);
  });

  test("is recorded whatever the content type says", async () => {
    const world = await makeWorld();
    const types = ["application/cloudevents-batch+json", "application/fhir+json", "text/plain", "x", ""];
    for (const sender of ALL_SENDERS) {
      for (const [n, type] of types.entries()) {
        const response = await send(world, sender, sender.event(`t${n}`), {
          headers: { "content-type": type },
        });
        expect(response.status, `${sender.path} as "${type}"`).toBe(200);
      }
    }
    expect(await rows(world)).toHaveLength(ALL_SENDERS.length * types.length);
  });

  test("that Photon sends as a list of one is the same event", async () => {
    const world = await makeWorld();
    const { body, row } = SENDERS.photon.event("1");
    expect((await sendBody(world, SENDERS.photon, JSON.stringify([body]))).status).toBe(200);
    expect((await send(world, SENDERS.photon, SENDERS.photon.event("1"))).status).toBe(200);
    expect(await rows(world)).toMatchObject([row]);
  });

  test("of Stripe, thin and snapshot of one change, is one row, whichever comes first", async () => {
    const world = await makeWorld();
    const thin = (id: string) => ({
      id: `evt_thin_${id}`,
      object: "v2.core.event",
      type: "v1.invoice.paid",
      created: "2026-11-20T08:00:00.000Z",
      livemode: true,
      related_object: { id: `in_${id}`, type: "invoice", url: `/v1/invoices/in_${id}` },
      snapshot_event: `evt_${id}`,
      reason: null,
    });
    const { stripe } = SENDERS;
    const results = [
      await sendBody(world, stripe, JSON.stringify(thin("a"))),
      await send(world, stripe, stripe.event("a")),
      await send(world, stripe, stripe.event("b")),
      await sendBody(world, stripe, JSON.stringify(thin("b"))),
    ];
    expect(results.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    expect((await rows(world)).map(({ step, key }) => [step, key])).toEqual([
      ["stripe.invoice.paid", "evt_a"],
      ["stripe.invoice.paid", "evt_b"],
    ]);
  });

  test("with another event's words under an id that is known changes nothing", async () => {
    const world = await makeWorld();
    const sample = SENDERS.stripe.event("1");
    await send(world, SENDERS.stripe, sample);
    const forged = { ...sample.body, data: { object: { id: "in_other", object: "invoice" } } };
    const response = await sendBody(world, SENDERS.stripe, JSON.stringify(forged));
    expect([response.status, await response.json()]).toEqual([200, { ok: true, result: "repeat" }]);
    expect(await rows(world)).toMatchObject([sample.row]);
  });

  test("is recorded under the maintenance switch too", async () => {
    const world = await makeWorld();
    await sql`update clockwork.settings set maintenance = true`.execute(world.db);
    expect((await send(world, SENDERS.stripe, SENDERS.stripe.event("1"))).status).toBe(200);
    expect(await rows(world)).toHaveLength(1);
  });
});

describe("a signature", () => {
  test("is refused when it is wrong, missing, empty or another body's, and no row is made", async () => {
    const world = await makeWorld();
    const answers: string[] = [];
    for (const sender of ALL_SENDERS) {
      const sample = sender.event("1");
      const body = JSON.stringify(sample.body);
      const good = await sender.sign(
        new TextEncoder().encode(body),
        secretOf(world, sender),
        world.now(),
        sample.id,
      );
      const post = (headers: Record<string, string>, sent = body) =>
        world.webhooks.request(sender.path, {
          method: "POST",
          body: sent,
          headers: { ...sample.headers, ...headers },
        });
      const [name] = Object.keys(good).filter((header) => header.endsWith("signature"));
      const wrong: [string, Response][] = [
        ["another secret", await send(world, sender, sample, { secret: sender.otherSecret })],
        ["no header", await post({})],
        ["an empty header", await post({ ...good, [name ?? ""]: "" })],
        ["nonsense", await post({ ...good, [name ?? ""]: "v1,t=1" })],
        ["another body", await post(good, `${body} `)],
        ["no body", await post(good, "")],
      ];
      for (const header of Object.keys(good).filter((header) => header !== "content-type")) {
        const { [header]: _, ...rest } = good;
        wrong.push([`without ${header}`, await post(rest)]);
      }
      for (const [how, response] of wrong) {
        expect(response.status, `${sender.path}, ${how}`).toBe(401);
        answers.push(await response.text());
      }
      expect((await post(good)).status, `${sender.path}, the good one`).toBe(200);
    }
    expect(await rows(world)).toHaveLength(ALL_SENDERS.length);
    expect(world.lines.filter(({ event }) => event === "webhook_refused").length).toBe(answers.length);
    expect(new Set(answers)).toEqual(new Set(['{"error":"signature"}']));
    await expectNoCanary(world, answers);
  });

  test("of either secret counts while one is rolled, of the old one no longer after", async () => {
    const world = await makeWorld();
    for (const sender of ALL_SENDERS) {
      const [fresh, old] = [sender.otherSecret, secretOf(world, sender)];
      const rolling = appWith(world, { env: { [sender.secretName]: ` ${fresh} , ${old},` } });
      const rolled = appWith(world, { env: { [sender.secretName]: fresh } });
      const status = async (app: typeof rolling, secret: string, id: string) =>
        (await send(world, sender, sender.event(id), { app, secret })).status;
      expect(await status(rolling, fresh, "1"), sender.path).toBe(200);
      expect(await status(rolling, old, "2"), sender.path).toBe(200);
      expect(await status(rolled, fresh, "3"), sender.path).toBe(200);
      expect(await status(rolled, old, "4"), sender.path).toBe(401);
    }
    expect(await rows(world)).toHaveLength(3 * ALL_SENDERS.length);
  });

  test("with a signed time counts only within the vendor's window", async () => {
    const world = await makeWorld();
    for (const sender of ALL_SENDERS) {
      if (!sender.window) continue;
      const at = (ageSeconds: number) => new Date(world.now().getTime() - ageSeconds * 1000);
      const status = async (ageSeconds: number, id: string) =>
        (await send(world, sender, sender.event(id), { at: at(ageSeconds) })).status;
      expect(await status(sender.window.within, "1"), sender.path).toBe(200);
      expect(await status(sender.window.beyond, "2"), sender.path).toBe(401);
      expect(await status(-290, "3"), sender.path).toBe(200);
      expect(await status(-310, "4"), sender.path).toBe(401);
    }
    await world.pass({ hours: 1 });
    const { stripe, photon } = SENDERS;
    const before = new Date(world.now().getTime() - 3_600_000);
    expect((await send(world, stripe, stripe.event("5"), { at: before })).status).toBe(401);
    // Photon and Medplum sign no time: the event id alone guards against a replay.
    expect((await send(world, photon, photon.event("5"), { at: before })).status).toBe(200);
  });
});

describe("a body over the limit", () => {
  const tooLarge = new Uint8Array(MAX_BODY_BYTES + 1).fill(32);
  const streamed = (bytes: Uint8Array) =>
    new ReadableStream({
      pull(controller) {
        for (let at = 0; at < bytes.length; at += 65_536) controller.enqueue(bytes.slice(at, at + 65_536));
        controller.close();
      },
    });

  test("is refused, whether or not its length is told", async () => {
    const world = await makeWorld();
    for (const sender of ALL_SENDERS) {
      const headers = await sender.sign(tooLarge, secretOf(world, sender), world.now(), "msg_1");
      const init = { method: "POST", headers, duplex: "half" };
      const told = { ...headers, "content-length": String(tooLarge.length) };
      for (
        const response of [
          await world.webhooks.request(sender.path, { ...init, body: tooLarge }),
          await world.webhooks.request(sender.path, { ...init, body: tooLarge, headers: told }),
          await world.webhooks.request(sender.path, { ...init, body: streamed(tooLarge) }),
          await world.webhooks.request(sender.path, {
            ...init,
            body: streamed(tooLarge),
            headers: { ...headers, "transfer-encoding": "chunked", "content-length": "1" },
          }),
        ]
      ) {
        expect(response.status, sender.path).toBe(413);
        expect(await response.json()).toEqual({ error: "body too large" });
      }
    }
    expect(await rows(world)).toHaveLength(0);
  });

  test("of exactly that size is read, streamed too", async () => {
    const world = await makeWorld();
    const { stripe } = SENDERS;
    const sample = stripe.event("1");
    const text = JSON.stringify(sample.body);
    const padded = new TextEncoder().encode(text + " ".repeat(MAX_BODY_BYTES - text.length));
    expect(padded.length).toBe(MAX_BODY_BYTES);
    const headers = await stripe.sign(padded, secretOf(world, stripe), world.now(), "");
    const request = { method: "POST", headers, duplex: "half" };
    const response = await world.webhooks.request(stripe.path, { ...request, body: streamed(padded) });
    expect(response.status).toBe(200);
    expect(await rows(world)).toMatchObject([sample.row]);
  });
});

describe("our own trouble is a 503, so that the vendor sends the event again", () => {
  test("a secret that is missing or empty", async () => {
    const world = await makeWorld();
    for (const sender of ALL_SENDERS) {
      for (const value of ["", " ", ",", " , "]) {
        const app = appWith(world, { env: { [sender.secretName]: value } });
        const response = await send(world, sender, sender.event("1"), { app });
        expect([response.status, await response.json()], sender.path).toEqual([503, {
          error: "not configured",
        }]);
      }
    }
    const stranger = await world.webhooks.request("/webhooks/standard/stranger", {
      method: "POST",
      body: "{}",
    });
    expect(stranger.status).toBe(503);
    expect(await rows(world)).toHaveLength(0);
    expect(world.lines.filter(({ event }) => event === "webhook_secret_missing")).not.toHaveLength(0);
  });

  test("a database that is down; a wrong signature is still a 401", async () => {
    const world = await makeWorld();
    const nowhere = connect(`postgresql://postgres:pw@127.0.0.1:${await freePort()}/postgres`);
    const app = appWith(world, { db: nowhere.db });
    const answers: string[] = [];
    for (const sender of ALL_SENDERS) {
      const response = await send(world, sender, sender.event("1"), { app });
      expect(response.status, sender.path).toBe(503);
      answers.push(await response.text());
      const unreadable = await sendBody(world, sender, "not json", { app });
      expect(unreadable.status, `${sender.path}, unreadable`).toBe(503);
      expect((await send(world, sender, sender.event("1"), { app, secret: sender.otherSecret })).status).toBe(
        401,
      );
    }
    expect(new Set(answers)).toEqual(new Set(['{"error":"try again later"}']));
    await expectNoCanary(world, answers);
    await nowhere.close();
    // What was refused then is taken now.
    for (const sender of ALL_SENDERS) {
      expect((await send(world, sender, sender.event("1"))).status).toBe(200);
    }
    expect(await rows(world)).toHaveLength(ALL_SENDERS.length);
  });

  test("a clock that cannot be read", async () => {
    const world = await makeWorld();
    const app = appWith(world, { clock: () => Promise.reject(new Error("no clock")) });
    expect((await send(world, SENDERS.stripe, SENDERS.stripe.event("1"), { app })).status).toBe(503);
    expect(JSON.stringify(world.lines)).not.toContain("no clock");
  });
});

describe("an address", () => {
  test("takes POST only", async () => {
    const world = await makeWorld();
    for (const sender of ALL_SENDERS) {
      for (const method of ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"]) {
        const response = await world.webhooks.request(sender.path, { method });
        expect([response.status, response.headers.get("allow")], `${method} ${sender.path}`).toEqual([
          405,
          "POST",
        ]);
      }
    }
  });

  test("of nobody is a 404", async () => {
    const world = await makeWorld();
    const paths = [
      "/",
      "/webhooks",
      "/webhooks/",
      "/webhooks/nobody",
      "/webhooks/Stripe",
      "/webhooks/constructor",
      "/webhooks/__proto__",
      "/webhooks/stripe/",
      "/webhooks/stripe/extra",
      "/webhooks/standard",
      "/webhooks/standard/",
      "/webhooks/standard/Example",
      "/webhooks/standard/example/extra",
      "/webhooks/standard/..%2f..%2fstripe",
      "/webhooks/standard/%2e%2e%2fstripe",
      "/webhooks/standard/..%5cstripe",
      "/webhooks/standard/example%00",
      "/webhooks/standard/example%0a",
      "/webhooks/standard/example%2F",
      "/webhooks/standard/%E0%A4%A",
      "/webhooks/standard/a.b",
      `/webhooks/standard/${"a".repeat(51)}`,
      "/webhooks/..%2fdrain",
      "/drain",
    ];
    for (const path of paths) {
      const response = await world.webhooks.request(path, { method: "POST", body: "{}" });
      expect([response.status, typeof (await response.json())], path).toEqual([404, "object"]);
    }
    expect(await rows(world)).toHaveLength(0);
  });

  test("of a Standard Webhooks source may be written with _ or -: it is one source", async () => {
    const world = await makeWorld();
    const { standard } = SENDERS;
    const secret = standard.otherSecret;
    const app = appWith(world, { env: { STANDARD_WEBHOOK_SECRET_MY_SHOP: secret } });
    for (const path of ["/webhooks/standard/my-shop", "/webhooks/standard/my_shop"]) {
      expect((await send(world, { ...standard, path }, standard.event("1"), { app, secret })).status).toBe(
        200,
      );
    }
    expect((await rows(world)).map(({ step }) => step)).toEqual(["standard.my-shop.parcel.left"]);
  });
});
