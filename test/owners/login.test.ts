import { describe, expect, test } from "vitest";
import type { Person } from "../../scripts/sandbox/clinic.ts";
import { effects, setStatus, stopped, tasksOf } from "../support/act.ts";
import type { World } from "../support/world.ts";
import { recover } from "../proof/stories.ts";
import { calls, contactOf, onePerson, worldOf } from "./support.ts";

const NEW = "ada@new.test";

const edit = (world: World, person: Person, email: string) =>
  world.vendors.crm.changeProfile(person.crmPersonId, { email });
const loginOf = (world: World, person: Person) => world.vendors.login.users.get(person.loginUserId)?.email;
const mailed = (world: World) => world.vendors.login.mails.map(({ to }) => to);

async function twoPeople() {
  const { world, people: [ada, bea] } = await worldOf("Ada Example", "Bea Example");
  if (!ada || !bea) throw new Error("nobody signed up");
  return { world, ada, bea };
}

describe("the login's email", () => {
  test("changes by the mails of Supabase Auth alone, and only when both addresses say so", async () => {
    const { world, person } = await onePerson();
    edit(world, person, NEW);
    await world.drainAll();
    const [toNew, toOld] = world.vendors.login.mails;
    expect([toNew?.to, toOld?.to]).toEqual([NEW, person.email]);
    expect(loginOf(world, person)).toBe(person.email);
    expect(toNew && world.vendors.login.open(toNew)).toBe(false);
    expect(loginOf(world, person)).toBe(person.email);
    expect(toOld && world.vendors.login.open(toOld)).toBe(true);
    expect(loginOf(world, person)).toBe(NEW);
  });

  test("is asked about with a session that is closed, and a key that tells nobody's address", async () => {
    const { world, person } = await onePerson();
    edit(world, person, NEW);
    await world.drainAll();
    expect(world.vendors.login.sessionsOf(person.loginUserId)).toBe(0);
    const [asked] = (await effects(world)).filter(({ vendor }) => vendor === "login");
    expect(asked).toMatchObject({ operation: "request email change", state: "CONFIRMED" });
    expect(asked?.key).toMatch(new RegExp(`^${person.loginUserId}:[0-9a-f]{32}:1$`));
  });

  test("that its customer asked for in the app is not asked about again", async () => {
    const { world, person } = await onePerson();
    world.vendors.login.changeEmail(person.loginUserId, NEW);
    edit(world, person, NEW);
    await world.drainAll();
    expect(mailed(world)).toEqual([NEW, person.email]);
    expect(calls(world, "login", "update user")).toBe(0);
  });

  test("there and back and there again is asked about each time, once", async () => {
    const { world, person } = await onePerson();
    for (const email of [NEW, person.email, NEW]) {
      edit(world, person, email);
      await world.drainAll();
      await world.pass({ minutes: 2 });
      world.vendors.login.openAll(person.loginUserId);
      expect(loginOf(world, person)).toBe(email);
    }
    expect(mailed(world)).toHaveLength(6);
    for (const { id } of await tasksOf(world, "owner.propagate_login")) {
      await setStatus(world.db, id, "PENDING");
      await world.drainAll();
    }
    expect(mailed(world)).toHaveLength(6);
  });

  test("a change that was given up before it was answered can be asked for later", async () => {
    const { world, person } = await onePerson();
    edit(world, person, NEW);
    await world.drainAll();
    await world.pass({ minutes: 2 });
    edit(world, person, "other@new.test");
    await world.drainAll();
    await world.pass({ minutes: 2 });
    edit(world, person, NEW);
    await world.drainAll();
    expect(mailed(world).filter((to) => to !== person.email)).toEqual([NEW, "other@new.test", NEW]);
    world.vendors.login.openAll(person.loginUserId);
    expect(loginOf(world, person)).toBe(NEW);
  });
});

describe("mails that nobody answers", () => {
  test("are sent again when there is other news after days, three times in all; then a person is asked", {
    timeout: 120_000,
  }, async () => {
    const { world, person } = await onePerson();
    const news = async () => {
      world.vendors.stripe.updateCustomer(person.stripeCustomerId, { email: "typo@new.test" });
      await world.drainAll();
    };
    edit(world, person, NEW);
    await world.drainAll();
    for (const mails of [2, 4, 6]) {
      await world.pass({ days: 2 });
      await news();
      expect([mailed(world).length, await stopped(world)]).toEqual([mails, []]);
      await world.pass({ days: 2 });
      await news();
    }
    expect(mailed(world)).toHaveLength(6);
    const [asked] = await stopped(world);
    expect(asked).toMatchObject({ step: "owner.propagate_login", reason_code: "LOGIN_NOT_CONFIRMED" });
    world.vendors.login.changeEmail(person.loginUserId, NEW);
    world.vendors.login.openAll(person.loginUserId);
    await setStatus(world.db, asked?.id ?? 0, "PENDING");
    await world.drainAll();
    expect([loginOf(world, person), await stopped(world)]).toEqual([NEW, []]);
  });
});

describe("an address that another login has", () => {
  test("of nobody we know: a person is asked, nobody is mailed, and the right address in the CRM settles it", async () => {
    const { world, person } = await onePerson();
    world.vendors.login.signUp(NEW);
    edit(world, person, NEW);
    await world.drainAll();
    expect(await stopped(world)).toMatchObject([{ reason_code: "LOGIN_EMAIL_TAKEN" }]);
    expect(mailed(world)).toEqual([]);
    edit(world, person, "ada@right.test");
    await world.drainAll();
    expect(await stopped(world)).toEqual([]);
    expect(mailed(world)).toEqual(["ada@right.test", person.email]);
  });

  test("of a customer to whom the CRM gives the same one: a person", async () => {
    const { world, ada, bea } = await twoPeople();
    edit(world, ada, bea.email.toUpperCase());
    await world.drainAll();
    const [asked] = await stopped(world);
    expect(asked).toMatchObject({
      step: "owner.propagate_login",
      reason_code: "LOGIN_EMAIL_TAKEN",
      reason: expect.stringContaining(`customer: ${bea.customerId}`),
    });
    expect(mailed(world)).toEqual([]);
  });

  test("of a customer who moves away: it waits, unseen by anybody, until that one has confirmed", async () => {
    const { world, ada, bea } = await twoPeople();
    edit(world, ada, bea.email);
    edit(world, bea, "bea@new.test");
    await world.drainAll();
    expect(mailed(world)).toEqual(["bea@new.test", bea.email]);
    const [waiting] = (await tasksOf(world, "owner.propagate_login")).filter(({ status }) =>
      status === "PENDING"
    );
    expect(waiting).toMatchObject({ customer_id: ada.customerId, reason_code: "LOGIN_EMAIL_NOT_FREE" });
    world.vendors.login.openAll(bea.loginUserId);
    await world.pass({ hours: 1 });
    await world.drainAll();
    world.vendors.login.openAll(ada.loginUserId);
    expect([loginOf(world, ada), loginOf(world, bea)]).toEqual([bea.email, "bea@new.test"]);
    expect(await stopped(world)).toEqual([]);
  });

  test("of a customer who never confirms: a person, after two weeks", async () => {
    const { world, ada, bea } = await twoPeople();
    edit(world, ada, bea.email);
    edit(world, bea, "bea@new.test");
    for (let day = 0; day < 14; day++) {
      await world.drainAll();
      expect(await stopped(world)).toEqual([]);
      await world.pass({ days: 1, minutes: 1 });
    }
    await world.drainAll();
    expect(await stopped(world)).toMatchObject([{ reason_code: "LOGIN_EMAIL_TAKEN" }]);
    expect(mailed(world)).toHaveLength(2);
  });

  test(
    "swapped by two: everything else follows at once, one question is asked, and an interim address settles both",
    {
      timeout: 60_000,
    },
    async () => {
      const { world, ada, bea } = await twoPeople();
      edit(world, ada, bea.email);
      edit(world, bea, ada.email);
      await world.drainAll();
      const shown = async (person: Person) => {
        const { stripe, registry } = await contactOf(world, person);
        return [stripe[0], registry];
      };
      expect(await shown(ada)).toEqual([bea.email, bea.email]);
      expect(await shown(bea)).toEqual([ada.email, ada.email]);
      const swapped = [{ step: "owner.propagate_login", reason_code: "LOGIN_EMAILS_SWAPPED" }];
      expect(await stopped(world)).toMatchObject(swapped);
      await world.pass({ hours: 2 });
      await world.drainAll();
      expect(await stopped(world)).toMatchObject(swapped);
      expect(mailed(world)).toEqual([]);
      // What the question proposes: customer Ada gets another address for the time being.
      edit(world, ada, "ada+moving@new.test");
      await world.drainAll();
      expect(await stopped(world)).toEqual([]);
      world.vendors.login.openAll(ada.loginUserId);
      await world.pass({ hours: 1 });
      await world.drainAll();
      world.vendors.login.openAll(bea.loginUserId);
      edit(world, ada, bea.email);
      await world.drainAll();
      // The mails of an hour ago lead nowhere any more.
      world.vendors.login.openAll(ada.loginUserId);
      await world.pass({ hours: 1 });
      await world.drainAll();
      world.vendors.login.openAll(ada.loginUserId);
      await world.drainAll();
      expect([loginOf(world, ada), loginOf(world, bea)]).toEqual([bea.email, ada.email]);
      expect(await shown(ada)).toEqual([bea.email, bea.email]);
      expect(await stopped(world)).toEqual([]);
    },
  );

  test("in a circle of three: one of them asks", async () => {
    const { world, people } = await worldOf("Ada Example", "Bea Example", "Cleo Example");
    people.forEach((person, i) => edit(world, person, people[(i + 1) % 3]?.email ?? ""));
    await world.drainAll();
    await world.pass({ hours: 2 });
    await world.drainAll();
    expect(await stopped(world)).toMatchObject([{ reason_code: "LOGIN_EMAILS_SWAPPED" }]);
    expect(mailed(world)).toEqual([]);
  });
});

describe("a login that Supabase Auth does not change for us", () => {
  test.each(
    [
      [
        "a second factor",
        "LOGIN_NEEDS_CUSTOMER",
        (w: World, p: Person) => w.vendors.login.addSecondFactor(p.loginUserId),
      ],
      ["a ban", "LOGIN_CHANGE_REFUSED", (w: World, p: Person) => w.vendors.login.ban(p.loginUserId)],
      [
        "a login that is gone",
        "LOGIN_UNKNOWN",
        (w: World, p: Person) => w.vendors.login.deleteUser(p.loginUserId),
      ],
      [
        "confirmation switched off",
        "LOGIN_CONFIRMATION_OFF",
        (w: World) => w.vendors.login.setConfirmEmail(false),
      ],
    ] as const,
  )("%s: %s, asked once, no mail, no session left", async (_name, code, arrange) => {
    const { world, person } = await onePerson();
    arrange(world, person);
    world.vendors.crm.outbox.faults.doubled = 1;
    edit(world, person, NEW);
    await world.drainAll();
    world.vendors.stripe.updateCustomer(person.stripeCustomerId, { email: "typo@new.test" });
    await world.drainAll();
    expect(await stopped(world)).toMatchObject([{ step: "owner.propagate_login", reason_code: code }]);
    expect(await contactOf(world, person)).toMatchObject({
      registry: NEW,
      stripe: [NEW, expect.any(String)],
    });
    expect(mailed(world)).toEqual([]);
    expect(world.vendors.login.sessionsOf(person.loginUserId)).toBe(0);
    // Nobody's key was refused: the vendor is not paused for it.
    const { paused_until } = await world.db.selectFrom("clockwork.vendors").select("paused_until")
      .where("vendor", "=", "login").executeTakeFirstOrThrow();
    expect(paused_until).toBe(null);
  });

  test("an email that nobody has proved is not proved by us", async () => {
    const { world, person } = await onePerson();
    const squatter = world.vendors.login.signUp("squatted@new.test", { confirmed: false });
    await world.db.updateTable("registry.customers").set({ login_user_id: squatter }).execute();
    edit(world, person, NEW);
    await world.drainAll();
    expect(await stopped(world)).toMatchObject([{ reason_code: "LOGIN_CHANGE_REFUSED" }]);
    expect(world.vendors.login.users.get(squatter)?.emailConfirmedAt).toBe(null);
    expect(calls(world, "login", "generate link")).toBe(0);
  });

  test("what the customer does themselves settles the question by a resend", async () => {
    const { world, person } = await onePerson();
    world.vendors.login.addSecondFactor(person.loginUserId);
    edit(world, person, NEW);
    await world.drainAll();
    const [asked] = await stopped(world);
    const login = world.vendors.login.users.get(person.loginUserId);
    if (login) login.email = NEW;
    await setStatus(world.db, asked?.id ?? 0, "PENDING");
    await world.drainAll();
    expect(await stopped(world)).toEqual([]);
    expect(mailed(world)).toEqual([]);
  });

  test("too many mails: it waits, uncounted, and asks when Auth mails again", async () => {
    const { world, person } = await onePerson();
    world.vendors.login.limitMails(0);
    edit(world, person, NEW);
    await world.drainAll();
    const [waiting] = await tasksOf(world, "owner.propagate_login");
    expect(waiting).toMatchObject({ status: "PENDING", reason_code: "LOGIN_MAIL_LIMIT", attempts: 0 });
    await world.pass({ minutes: 16 });
    world.vendors.login.limitMails(30);
    await world.drainAll();
    expect(mailed(world)).toEqual([NEW, person.email]);
    expect(await stopped(world)).toEqual([]);
  });
});

describe("bad days of Supabase Auth", () => {
  test.each(
    [
      { operation: "update user", kind: "lose_answer", times: 1 },
      { operation: "update user", kind: "lose_request", times: 1 },
      { operation: "update user", kind: "status", status: 500, times: 2 },
      { operation: "update user", kind: "status", status: 429, times: 1 },
      { operation: "generate link", kind: "lose_answer", times: 1 },
      { operation: "verify", kind: "lose_answer", times: 1 },
      { operation: "log out", kind: "status", status: 500, times: 1 },
      { operation: "get user", kind: "status", status: 503, times: 2 },
      { operation: "list users", kind: "status", status: 401, times: 1 },
    ] as const,
  )("$operation $kind $status: asked once", async (fault) => {
    const { world, person } = await onePerson();
    world.vendors.login.faults.add(fault);
    edit(world, person, NEW);
    await recover(world);
    expect(mailed(world)).toEqual([NEW, person.email]);
    expect(await stopped(world)).toEqual([]);
  });

  test("an outage holds up no other mirror", async () => {
    const { world, person } = await onePerson();
    world.vendors.login.faults.add({ kind: "status", status: 503 });
    edit(world, person, NEW);
    await world.drainAll();
    expect(await contactOf(world, person)).toMatchObject({
      stripe: [NEW, expect.any(String)],
      registry: NEW,
    });
    world.vendors.login.faults.clear();
    await recover(world);
    expect(mailed(world)).toEqual([NEW, person.email]);
  });
});
