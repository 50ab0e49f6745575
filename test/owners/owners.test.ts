import { sql } from "kysely";
import { describe, expect, test } from "vitest";
import type { Person } from "../../scripts/sandbox/clinic.ts";
import { comparedIn, differencesOf, type MirrorReading } from "../../src/shared/owners/mirrors.ts";
import { type MirroredFact, type OwnedFact, OWNERS, setterOf } from "../../src/shared/owners/owners.ts";
import { MIRRORED_FACTS } from "../../src/shared/queue/step-data.ts";
import { STEPS } from "../../src/shared/steps/table.ts";
import type { World } from "../support/world.ts";
import { onePerson } from "./support.ts";

const FACTS: readonly OwnedFact[] = Object.values(OWNERS);
const STEP_NAMES = STEPS.flatMap(({ handles }) => handles);

type News = (typeof OWNERS)[MirroredFact]["news"][number];

/** Each event as it comes about at its vendor; in an order in which each is possible. */
const ACTS: Record<News, (world: World, person: Person, subscription: () => string) => unknown> = {
  "stripe.customer.subscription.created": ({ clinic }, person) =>
    clinic.subscribe(person, "price_morning_month"),
  "stripe.customer.subscription.paused": ({ vendors }, _person, subscription) =>
    vendors.stripe.pause(subscription()),
  "stripe.customer.subscription.resumed": ({ vendors }, _person, subscription) =>
    vendors.stripe.resume(subscription()),
  "stripe.customer.subscription.updated": ({ vendors }, _person, subscription) =>
    vendors.stripe.pauseCollection(subscription()),
  "stripe.invoice.payment_failed": ({ vendors }, _person, subscription) => {
    vendors.stripe.resumeCollection(subscription());
    return vendors.stripe.failPayment(subscription());
  },
  "stripe.customer.subscription.deleted": ({ vendors }, _person, subscription) =>
    vendors.stripe.cancel(subscription()),
  "crm.profile.changed": ({ vendors }, person) =>
    vendors.crm.changeProfile(person.crmPersonId, { email: "new@example.com" }),
  "stripe.customer.updated": ({ vendors }, person) =>
    vendors.stripe.updateCustomer(person.stripeCustomerId, { phone: "+18590000000" }),
};

describe("the one table of owners", () => {
  test("each event it names leads to the fact's propagation", { timeout: 120_000 }, async () => {
    const { world, person } = await onePerson();
    world.clinic.prescribe(person, "price_morning_month");
    const subscription = () => [...world.vendors.stripe.state.subscriptions.keys()][0] ?? "";
    const led = async () => {
      const { rows } = await sql<{ event: string; step: string }>`
        select causes.step as event, tasks.step from clockwork.tasks
        join clockwork.tasks as causes on causes.id = tasks.caused_by`.execute(world.db);
      return new Set(rows.map(({ event, step }) => `${event} -> ${step}`));
    };
    for (const act of Object.values(ACTS)) {
      await act(world, person, subscription);
      await world.drainAll();
    }
    const expected = FACTS.flatMap(({ news, propagatedBy }) =>
      news.map((event) => `${event} -> ${propagatedBy}`)
    );
    expect(expected.length).toBeGreaterThan(7);
    expect([...await led()]).toEqual(expect.arrayContaining(expected));
  });

  test("no other event leads there: what starts a propagation is in the table", () => {
    const steps = STEP_NAMES.filter((name) =>
      /^(stripe|crm)\./.test(name) && /customer\.(sub|upd)|profile/.test(name)
    );
    expect(FACTS.flatMap(({ news }) => [...news])).toEqual(expect.arrayContaining(steps));
  });

  test("what is mirrored has a propagation, news, a step that sets each mirror, and a comparison of each", () => {
    const mirrored = Object.entries(OWNERS).filter(([, fact]) => fact.mirrors.length > 0).map(([name]) =>
      name
    );
    expect([...MIRRORED_FACTS].sort()).toEqual(mirrored.sort());
    for (const fact of FACTS) {
      expect([fact.fact, fact.propagatedBy !== null, fact.news.length > 0]).toEqual([
        fact.fact,
        fact.mirrors.length > 0,
        fact.mirrors.length > 0,
      ]);
      for (const event of fact.news) expect(STEP_NAMES).toContain(event);
    }
    const reading: MirrorReading = {
      crm: { email: "owner@example.com", phone: "+1", planState: "other", nextRefillOn: "2026-01-01" },
      plan: { planState: "active", nextRefillOn: "2026-02-02" },
      stripe: { email: "mirror@example.com", phone: "+2" },
      registryEmail: "mirror@example.com",
      login: { email: "mirror@example.com", pendingEmail: null },
      now: new Date("2026-01-01T00:00:00Z"),
    };
    let mirrors = 0;
    for (const fact of MIRRORED_FACTS) {
      const differences = differencesOf(fact, reading);
      expect(differences.map(({ system, attribute }) => ({ system, attribute }))).toEqual(
        OWNERS[fact].mirrors.map(({ system, attribute }) => ({ system, attribute })),
      );
      for (const { system, attribute } of differences) {
        expect(STEP_NAMES).toContain(setterOf(fact, system, attribute));
      }
      mirrors += differences.length;
    }
    expect(comparedIn(reading, ["stripe", "crm", "registry", "login"])).toBe(mirrors);
    expect(comparedIn({ ...reading, plan: null, stripe: null, login: null }, ["stripe", "crm", "registry"]))
      .toBe(1);
  });
});
