import { describe, expect, test } from "vitest";
import { makeRenewalsApp } from "../../src/shared/http/renewals-app.ts";
import { tasksOf } from "../support/act.ts";
import { makeWorld, type World } from "../support/world.ts";

const SECRET = "the-cron-secret-52";

function makeApp(world: World, cronSecret: string | undefined = SECRET) {
  const app = makeRenewalsApp({ db: world.db, log: world.deps.log, cronSecret });
  return (body?: string, authorization = `Bearer ${SECRET}`) =>
    app.request("/renewals", {
      method: "POST",
      headers: { authorization },
      ...(body === undefined ? {} : { body }),
    });
}

describe("the renewals endpoint", () => {
  test("has the finder look at everything, once however often it is asked", async () => {
    const world = await makeWorld();
    const call = makeApp(world);
    const first = await call();
    expect(first.status).toBe(202);
    const answer = await first.json();
    expect(await (await call("{}")).json()).toEqual(answer);
    expect(await tasksOf(world, "renewal.find")).toMatchObject([{ status: "PENDING", vendor: "stripe" }]);
    await world.drainAll();
    expect(await tasksOf(world, "renewal.find")).toMatchObject([{ status: "DONE" }]);
    expect(await (await call()).json()).not.toEqual(answer);
  });

  test("looks at one customer, and says when there is none", async () => {
    const world = await makeWorld();
    await world.clinic.openShop();
    const { customerId } = await world.clinic.signUp("Ada Example");
    const call = makeApp(world);
    expect((await call(JSON.stringify({ customer_id: customerId }))).status).toBe(202);
    expect(await tasksOf(world, "renewal.check")).toMatchObject([{ data: { customer_id: customerId } }]);
    expect((await call(JSON.stringify({ customer_id: 999 }))).status).toBe(404);
  });

  test.each(["[]", "{", '{"customer_id":"1"}', '{"customer_id":-1}', '{"other":1}'])(
    "refuses %s",
    async (body) => {
      const world = await makeWorld();
      expect((await makeApp(world)(body)).status).toBe(400);
      expect(await tasksOf(world, "renewal.find")).toEqual([]);
    },
  );

  test("lets nobody in without the secret, and an unset one never means open", async () => {
    const world = await makeWorld();
    expect((await makeApp(world)("{}", "Bearer wrong")).status).toBe(401);
    expect((await makeApp(world)("{}", "")).status).toBe(401);
    expect((await makeApp(world, "")("{}", "Bearer ")).status).toBe(503);
    expect(await tasksOf(world, "renewal.find")).toEqual([]);
  });
});
