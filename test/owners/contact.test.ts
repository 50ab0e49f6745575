import { describe, expect, test } from "vitest";
import { seeded, shuffle } from "../../scripts/sandbox/random.ts";
import { contactDifferences, type ContactReading } from "../../src/shared/owners/contact.ts";
import { OWNERS } from "../../src/shared/owners/owners.ts";
import { setStatus, stopped, tasksOf } from "../support/act.ts";
import { countFaultPoints, killAt } from "../support/kill.ts";
import type { World } from "../support/world.ts";
import { recover } from "../proof/stories.ts";
import { calls, contactOf, everyText, onePerson, worldOf } from "./support.ts";

const NEW = { email: "Ada@New.test", phone: "+15005550007" };

/** Every mirror shows the owner's new values; the login was asked about and has not answered. */
const followed = (before: string) => ({
  stripe: [NEW.email, NEW.phone],
  registry: NEW.email,
  login: [before, NEW.email.toLowerCase()],
});

describe("an edit in the CRM", () => {
  test("reaches Stripe and the registry at once, and the login when its customer confirms", async () => {
    const { world, person } = await onePerson();
    world.vendors.crm.changeProfile(person.crmPersonId, NEW);
    await world.drainAll();
    expect(await contactOf(world, person)).toEqual(followed(person.email));
    world.vendors.login.openAll(person.loginUserId);
    await world.drainAll();
    expect(await contactOf(world, person)).toMatchObject({ login: [NEW.email.toLowerCase(), ""] });
    expect(await stopped(world)).toEqual([]);
  });

  test("doubled, shuffled and with every task resent: one write at each vendor, and one pair of mails", {
    timeout: 120_000,
  }, async () => {
    const { world, person } = await onePerson();
    for (const vendor of [world.vendors.crm, world.vendors.stripe]) {
      Object.assign(vendor.outbox.faults, { doubled: 1, shuffled: true });
    }
    const crmWrites = world.vendors.crm.writes(person.crmPersonId);
    world.vendors.crm.changeProfile(person.crmPersonId, { email: "first@new.test" });
    world.vendors.crm.changeProfile(person.crmPersonId, NEW);
    await world.drainAll();
    const tasks = await world.db.selectFrom("clockwork.tasks").select("id").where("status", "=", "DONE")
      .execute();
    for (const { id } of shuffle(tasks, seeded(3))) {
      await setStatus(world.db, id, "PENDING");
      await world.drainAll();
    }
    expect(await contactOf(world, person)).toEqual(followed(person.email));
    expect(calls(world, "stripe", "update customer")).toBe(1);
    expect(calls(world, "login", "update user")).toBe(1);
    expect(world.vendors.login.mails.map(({ to }) => to)).toEqual([NEW.email.toLowerCase(), person.email]);
    expect(world.vendors.crm.writes(person.crmPersonId)).toBe(crmWrites);
  });

  test("that is undone before anybody looked is written nowhere", async () => {
    const { world, person } = await onePerson();
    const before = await contactOf(world, person);
    world.vendors.crm.changeProfile(person.crmPersonId, { email: "slip@new.test" });
    world.vendors.crm.changeProfile(person.crmPersonId, { email: person.email });
    await world.drainAll();
    expect(await contactOf(world, person)).toEqual(before);
    expect(calls(world, "stripe", "update customer")).toBe(0);
    expect(world.vendors.login.mails).toEqual([]);
  });

  test("in the middle of our writing wins everywhere", async () => {
    const { world, person } = await onePerson();
    const edits = ["second@new.test", "third@new.test"];
    world.deps.faultPoint = (name) => {
      const email = name === "mirror written" ? edits.shift() : undefined;
      if (email) world.vendors.crm.changeProfile(person.crmPersonId, { email });
      return Promise.resolve();
    };
    world.vendors.crm.changeProfile(person.crmPersonId, { email: "first@new.test" });
    await world.drainAll();
    await recover(world);
    expect(edits).toEqual([]);
    expect(await contactOf(world, person)).toMatchObject({
      stripe: ["third@new.test", expect.any(String)],
      registry: "third@new.test",
      login: [person.email, "third@new.test"],
    });
  });

  test("that changes the case alone is copied where case is kept, and the login is not asked", async () => {
    const { world, person } = await onePerson();
    const email = person.email.toUpperCase();
    world.vendors.crm.changeProfile(person.crmPersonId, { email });
    await world.drainAll();
    expect(await contactOf(world, person)).toMatchObject({
      stripe: [email, expect.any(String)],
      registry: email,
      login: [person.email, ""],
    });
    expect(world.vendors.login.mails).toEqual([]);
  });

  test("that takes the phone away takes it from Stripe; one that empties the email asks a person, once", async () => {
    const { world, person } = await onePerson();
    world.vendors.crm.outbox.faults.doubled = 1;
    world.vendors.crm.changeProfile(person.crmPersonId, { email: "", phone: "" });
    await world.drainAll();
    world.vendors.stripe.updateCustomer(person.stripeCustomerId, { phone: "+15005550009" });
    await world.drainAll();
    expect(await contactOf(world, person)).toEqual({
      stripe: [person.email, null],
      registry: person.email,
      login: [person.email, ""],
    });
    expect(await stopped(world)).toMatchObject([{
      step: "owner.propagate_contact",
      reason_code: "CRM_EMAIL_MISSING",
    }]);
    world.vendors.crm.changeProfile(person.crmPersonId, { email: NEW.email });
    await world.drainAll();
    expect(await stopped(world)).toEqual([]);
    expect(await contactOf(world, person)).toMatchObject({ registry: NEW.email });
  });
});

describe("a mirror that somebody edits", () => {
  test("is put right by the event of the edit, with one write", async () => {
    const { world, person } = await onePerson();
    const before = await contactOf(world, person);
    world.vendors.stripe.updateCustomer(person.stripeCustomerId, { email: "typo@new.test", phone: "" });
    await world.drainAll();
    expect(await contactOf(world, person)).toEqual(before);
    expect(calls(world, "stripe", "update customer")).toBe(1);
    expect(world.vendors.login.mails).toEqual([]);
    const echoes = (await tasksOf(world, "stripe.customer.updated")).length;
    expect(echoes).toBe(2);
  });

  test("1 of 20 customers at random, in four systems, ends as the owner says, without a write too many", {
    timeout: 120_000,
  }, async () => {
    const { world, people } = await worldOf(...Array.from({ length: 20 }, (_, i) => `Person ${i}`));
    const random = seeded(8);
    const pick = (n: number) => Math.floor(random() * n);
    const owned = new Map(people.map((person) => [person, person.email]));
    for (let edit = 0; edit < 80; edit++) {
      const person = people[pick(people.length)];
      if (!person) continue;
      const email = `edit-${edit}@new.test`;
      const edits = [
        () => {
          owned.set(person, email);
          world.vendors.crm.changeProfile(person.crmPersonId, { email });
        },
        () => world.vendors.stripe.updateCustomer(person.stripeCustomerId, { email }),
        () =>
          world.db.updateTable("registry.customers").set({ email }).where("id", "=", person.customerId)
            .execute(),
      ];
      await edits[pick(edits.length)]?.();
      if (edit % 20 === 19) await world.drain();
    }
    // The registry says nothing when somebody edits it: that is the drift check's part.
    for (const person of people) {
      world.vendors.stripe.updateCustomer(person.stripeCustomerId, { email: "last@new.test" });
    }
    await world.drainAll();
    for (const person of people) {
      const email = owned.get(person);
      const shown = await contactOf(world, person);
      expect([shown.stripe[0], shown.registry]).toEqual([email, email]);
      world.vendors.login.openAll(person.loginUserId);
      expect(world.vendors.login.users.get(person.loginUserId)?.email).toBe(email);
    }
    const writes = calls(world, "stripe", "update customer");
    expect(writes).toBeLessThanOrEqual(80 + people.length);
    await world.drainAll();
    expect(calls(world, "stripe", "update customer")).toBe(writes);
    expect(await stopped(world)).toEqual([]);
  });
});

describe("people the CRM has not, or not any more", () => {
  test("somebody who is nobody's customer is no work", async () => {
    const { world } = await onePerson();
    world.vendors.crm.createPerson("stranger", { email: "s@new.test", phone: "" });
    world.vendors.crm.changeProfile("stranger", { email: "t@new.test" });
    await world.drainAll();
    expect(await tasksOf(world, "owner.propagate_contact")).toEqual([]);
    expect(await stopped(world)).toEqual([]);
  });

  test("a customer's person who was merged away is for a person, and nothing is overwritten", async () => {
    const { world, person } = await onePerson();
    const before = await contactOf(world, person);
    world.vendors.crm.createPerson("kept", { email: "kept@new.test", phone: "" });
    world.vendors.crm.mergePeople(person.crmPersonId, "kept");
    world.vendors.stripe.updateCustomer(person.stripeCustomerId, { email: "typo@new.test" });
    await world.drainAll();
    const [asked] = await stopped(world);
    expect(asked).toMatchObject({ step: "owner.propagate_contact", reason_code: "CRM_PERSON_UNKNOWN" });
    expect(await contactOf(world, person)).toMatchObject({ registry: before.registry, login: before.login });
    await world.db.updateTable("registry.customers").set({ crm_person_id: "kept" }).execute();
    await setStatus(world.db, asked?.id ?? 0, "PENDING");
    await world.drainAll();
    expect(await contactOf(world, person)).toMatchObject({ registry: "kept@new.test" });
    expect(await stopped(world)).toEqual([]);
  });

  test("a customer who is not at Stripe, and one without a login, have the other mirrors", async () => {
    const { world, person } = await onePerson();
    world.vendors.stripe.deleteCustomer(person.stripeCustomerId);
    await world.db.updateTable("registry.customers").set({ login_user_id: null }).execute();
    world.vendors.crm.changeProfile(person.crmPersonId, NEW);
    await world.drainAll();
    expect(await contactOf(world, person)).toMatchObject({ registry: NEW.email, login: [person.email, ""] });
    expect(await stopped(world)).toEqual([]);
  });
});

describe("bad days", () => {
  test.each(
    [
      { operation: "update customer", kind: "lose_answer", times: 1 },
      { operation: "update customer", kind: "lose_request", times: 1 },
      { operation: "update customer", kind: "late_commit", times: 1 },
      { operation: "update customer", kind: "status", status: 500, times: 1 },
      { operation: "get customer", kind: "status", status: 429, times: 1 },
    ] as const,
  )("Stripe: $operation $kind", async (fault) => {
    const { world, person } = await onePerson();
    world.vendors.stripe.faults.add(fault);
    world.vendors.crm.changeProfile(person.crmPersonId, NEW);
    await recover(world);
    // What Stripe carries out late says so, and is looked at again.
    await world.vendors.stripe.faults.commitLate();
    await recover(world);
    expect(await contactOf(world, person)).toEqual(followed(person.email));
    expect(await stopped(world)).toEqual([]);
    expect(world.vendors.login.mails).toHaveLength(2);
  });

  test("an old write that Stripe carries out last of all is put right", async () => {
    const { world, person } = await onePerson();
    world.vendors.stripe.faults.add({ operation: "update customer", kind: "late_commit", times: 1 });
    world.vendors.crm.changeProfile(person.crmPersonId, { email: "old@new.test" });
    await world.drainAll();
    world.vendors.crm.changeProfile(person.crmPersonId, NEW);
    await recover(world);
    await world.vendors.stripe.faults.commitLate();
    expect(await contactOf(world, person)).toMatchObject({ stripe: ["old@new.test", expect.any(String)] });
    await recover(world);
    expect(await contactOf(world, person)).toMatchObject({ stripe: [NEW.email, NEW.phone] });
  });

  test("wherever the drain is killed", { timeout: 240_000 }, async () => {
    const story = async (world: World, crmPersonId: string) => {
      world.vendors.crm.changeProfile(crmPersonId, NEW);
      await recover(world);
    };
    const calm = await onePerson();
    const count = countFaultPoints(calm.world);
    await story(calm.world, calm.person.crmPersonId);
    const points = count();
    expect(points).toBeGreaterThan(20);
    const met = new Set<string>();
    const stride = process.env["CLOCKWORK_EVERY_POINT"] ? 1 : 4;
    for (let nth = 1; nth <= points; nth += stride) {
      const { world, person } = await onePerson();
      const killed = killAt(world, nth);
      await story(world, person.crmPersonId);
      met.add(killed.met() ?? "none");
      const where = `killed at ${nth} of ${points}, ${killed.met()}`;
      expect(await contactOf(world, person), where).toEqual(followed(person.email));
      expect(world.vendors.login.mails.length, where).toBe(2);
      expect(await stopped(world), where).toEqual([]);
      await world.close();
    }
    expect(met.size).toBeGreaterThan(4);
  });

  test("no email or phone is anywhere but in the registry's own column", async () => {
    const { world, person } = await onePerson();
    world.vendors.stripe.faults.add({ operation: "update customer", kind: "lose_answer", times: 1 });
    world.vendors.login.faults.add({ operation: "update user", kind: "lose_answer", times: 1 });
    world.vendors.crm.changeProfile(person.crmPersonId, NEW);
    await recover(world);
    world.vendors.crm.changeProfile(person.crmPersonId, { email: "", phone: "" });
    await recover(world);
    const texts = await everyText(world);
    expect(texts.get("registry.customers")?.toLowerCase()).toContain(NEW.email.toLowerCase());
    texts.delete("registry.customers");
    expect(texts.get("clockwork.effects")).toContain(person.loginUserId);
    for (const [place, text] of texts) {
      for (const fact of [NEW.email, NEW.phone, person.email]) {
        expect(text.toLowerCase().includes(fact.toLowerCase()), `${fact} is in ${place}`).toBe(false);
      }
    }
  });
});

describe("contactDifferences", () => {
  const same: ContactReading = {
    crm: { email: "a@x.test", phone: "+1" },
    stripe: { email: "a@x.test", phone: "+1" },
    registryEmail: "a@x.test",
    login: { email: "a@x.test", pendingEmail: null },
  };
  const of = (changes: Partial<ContactReading>) =>
    contactDifferences({ ...same, ...changes }).map(({ system, attribute }) => `${system}.${attribute}`);

  test("compares each mirror that OWNERS lists", () => {
    expect(of({})).toEqual([]);
    const all = of({ crm: { email: "b@x.test", phone: "+2" } });
    expect(all).toEqual(OWNERS.contact.mirrors.map(({ system, attribute }) => `${system}.${attribute}`));
  });

  test("a system that the customer is not in has nothing to compare, and empty is the same as none", () => {
    expect(of({ stripe: null, login: null })).toEqual([]);
    expect(of({ crm: { email: "a@x.test", phone: " " }, stripe: { email: "a@x.test", phone: null } }))
      .toEqual(
        [],
      );
    expect(of({ registryEmail: null })).toEqual(["registry.email"]);
    expect(of({ crm: { email: null, phone: "+1" } })).toEqual([
      "stripe.email",
      "registry.email",
      "login.email",
    ]);
  });

  test("case counts where it is kept, and not at Supabase Auth", () => {
    expect(of({ crm: { email: "A@x.test", phone: "+1" } })).toEqual(["stripe.email", "registry.email"]);
  });

  test("a login that was asked about differs, but is not to be repaired until its customer's time is up", () => {
    const login = {
      email: "old@x.test",
      pendingEmail: "A@x.test",
      pendingSince: new Date("2026-03-01T10:00:00Z"),
    };
    const awaits = (now?: Date) => contactDifferences({ ...same, login }, now)[0]?.awaitsConfirmation;
    expect(contactDifferences({ ...same, login })).toEqual([{
      system: "login",
      attribute: "email",
      owner: "a@x.test",
      mirror: "old@x.test",
      awaitsConfirmation: true,
    }]);
    expect(awaits(new Date("2026-03-04T09:59:00Z"))).toBe(true);
    expect(awaits(new Date("2026-03-04T10:00:00Z"))).toBe(false);
  });
});
