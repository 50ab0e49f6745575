import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { register } from "../../scripts/sandbox/clinic.ts";
import { seeded, shuffle } from "../../scripts/sandbox/random.ts";
import { asClockwork, connect, type Database } from "../../src/shared/db/database.ts";
import { type Identified, identify, type Sighting } from "../../src/shared/registry/identify.ts";
import { holderOf, type KeySystem } from "../../src/shared/registry/keys.ts";
import { createTestDatabase, type TestDatabase } from "../support/database.ts";
import { makeWorld, type World } from "../support/world.ts";
import { ADDRESS, questions } from "./support.ts";

// Who a key belongs to is known here, and to nobody else: people share addresses, change and swap them, and the news of
// them comes in any order and more than once. Whatever is linked must be linked to the right one, and whoever is not
// must be in front of a person.

let database: TestDatabase;
let db: Database;
let close: () => Promise<void>;
beforeAll(async () => {
  database = await createTestDatabase();
  ({ db, close } = connect(database.url, 8));
});
afterAll(async () => {
  await close();
  await database.drop();
});

/** Few, so that they are shared and swapped all the time; a plus-alias of one, and one that differs in case only. */
const ADDRESSES = ["ada@x.test", "ADA@x.test", "ada+refills@x.test", "ben@x.test", ""];
const PEOPLE = 4;

const address = fc.constantFrom(...ADDRESSES);
const person = fc.integer({ min: 0, max: PEOPLE - 1 });
/** Something that is heard of, or done, about one of the people. */
const happening = fc.oneof(
  fc.record({
    kind: fc.constant("register" as const),
    person,
    address,
    keys: fc.subarray(["stripe", "health"] as const),
  }),
  fc.record({
    kind: fc.constant("created" as const),
    person,
    address,
    nth: fc.nat(1),
    isNamed: fc.boolean(),
  }),
  fc.record({
    kind: fc.constant("checkout" as const),
    person,
    address,
    nth: fc.nat(1),
    isNamed: fc.boolean(),
  }),
  fc.record({
    kind: fc.constant("patient" as const),
    person,
    address,
    names: fc.constantFrom("nobody" as const, "row" as const, "stripe" as const, "row and stripe" as const),
  }),
  fc.record({ kind: fc.constant("merged patient" as const), person, address }),
  fc.record({ kind: fc.constant("new address" as const), person, address }),
);
type Happening = typeof happening extends fc.Arbitrary<infer T> ? T : never;

let runs = 0;

test(
  "any order and repetition of news links nobody wrongly, and leaves nobody unseen",
  { timeout: 300_000 },
  async () => {
    await fc.assert(
      fc.asyncProperty(
        // Who signed up with us first, so that records made afterwards can name their row.
        fc.array(fc.boolean(), { minLength: PEOPLE, maxLength: PEOPLE }),
        fc.array(happening, { minLength: 6, maxLength: 24 }),
        async (signedUp, happenings) => {
          runs += 1;
          const name = (text: string) => `${runs}/${text}`;
          const owners = new Map<string, number>();
          const keyOf = (system: KeySystem, who: number, nth: number | string = 0) => {
            const key = name(`${system}-${who}-${nth}`);
            owners.set(`${system} ${key}`, who);
            return key;
          };
          const rowsOf = new Map<number, number>();
          for (const [who, did] of signedUp.entries()) {
            if (did) {
              rowsOf.set(
                who,
                await register(db, { crm_person_id: keyOf("crm", who), email: name("ada@x.test") }),
              );
            }
          }
          const asked = new Set<string>();
          const hear = async (seen: Pick<Sighting, "system" | "key"> & Partial<Sighting>) => {
            const found = await asClockwork(db, "test", (trx): Promise<Identified> =>
              identify(trx, {
                replaced: [],
                references: [],
                emails: [],
                mayBeNew: seen.system === "stripe",
                ...seen,
              }));
            if (found.kind === "ask" || found.kind === "merge") {
              asked.add(`${seen.system} ${seen.key}`);
            }
          };
          const named = (who: number) => {
            const customerId = rowsOf.get(who);
            return customerId === undefined ? [] : [{ customerId }];
          };
          for (const one of happenings) await play(one, { keyOf, rowsOf, hear, named, name });
          for (const [text, who] of owners) {
            const [system, key] = text.split(" ") as [KeySystem, string];
            const holder = await holderOf(db, { system, key });
            if (!holder) {
              // Only what a sign-up would have registered and never did is nowhere.
              continue;
            }
            const others = await db.selectFrom("registry.customer_keys").select(["system", "key"])
              .where("customer_id", "=", holder.customerId).execute();
            const strangers = others.filter((other) => owners.get(`${other.system} ${other.key}`) !== who);
            expect(strangers, `${text} is in a row with somebody else's keys`).toEqual([]);
            const registered = [...rowsOf].find(([, id]) => id === holder.customerId);
            if (registered) expect(registered[0]).toBe(who);
          }
          for (const key of heardOf(happenings, keyOf)) {
            const [system, text] = key.split(" ") as [KeySystem, string];
            const isPlaced = (await holderOf(db, { system, key: text })) !== undefined;
            expect(isPlaced || asked.has(key), `${key} is nowhere, and nobody is asked`).toBe(true);
          }
        },
      ),
      { numRuns: 60 },
    );
  },
);

interface Stage {
  keyOf: (system: KeySystem, who: number, nth?: number | string) => string;
  rowsOf: Map<number, number>;
  hear: (seen: Pick<Sighting, "system" | "key"> & Partial<Sighting>) => Promise<void>;
  named: (who: number) => { customerId: number }[];
  name: (text: string) => string;
}

async function play(one: Happening, { keyOf, rowsOf, hear, named, name }: Stage): Promise<void> {
  const who = one.person;
  const emails = one.address ? [name(one.address)] : [];
  switch (one.kind) {
    case "register": {
      const keys = {
        ...(one.keys.includes("stripe") ? { stripe_customer_id: keyOf("stripe", who) } : {}),
        ...(one.keys.includes("health") ? { health_patient_id: keyOf("health", who) } : {}),
      };
      // What contradicts what was linked meanwhile is refused: the sign-up hears of it, and nothing is written.
      const id = await register(db, {
        crm_person_id: keyOf("crm", who),
        ...keys,
        ...(emails[0] ? { email: emails[0] } : {}),
      })
        .catch(() => undefined);
      if (id !== undefined) rowsOf.set(who, id);
      return;
    }
    case "created":
    case "checkout":
      return await hear({
        system: "stripe",
        key: keyOf("stripe", who, one.nth),
        references: one.isNamed ? named(who) : [],
        emails,
      });
    case "patient": {
      const stripe = { system: "stripe" as const, key: keyOf("stripe", who) };
      const references = [
        ...(one.names.includes("row") ? named(who) : []),
        ...(one.names.includes("stripe") ? [stripe] : []),
      ];
      return await hear({ system: "health", key: keyOf("health", who), references, emails });
    }
    case "merged patient":
      return await hear({
        system: "health",
        key: keyOf("health", who, "kept"),
        replaced: [{ key: keyOf("health", who), references: [] }],
        emails,
      });
    case "new address": {
      const row = rowsOf.get(who);
      if (row === undefined) return;
      await db.updateTable("registry.customers").set({ email: emails[0] ?? null }).where("id", "=", row)
        .where("merged_into", "is", null).execute();
    }
  }
}

/** The keys that an event told of. */
function heardOf(happenings: readonly Happening[], keyOf: Stage["keyOf"]): string[] {
  return happenings.flatMap((one) => {
    switch (one.kind) {
      case "created":
      case "checkout":
        return [`stripe ${keyOf("stripe", one.person, one.nth)}`];
      case "patient":
        return [`health ${keyOf("health", one.person)}`];
      case "merged patient":
        return [`health ${keyOf("health", one.person, "kept")}`];
      default:
        return [];
    }
  });
}

/** The whole way: sandboxes, webhooks that come shuffled and doubled, tasks, drains. */
test.each([1, 2, 3])("a whole clinic signs up in disorder (seed %i)", { timeout: 240_000 }, async (seed) => {
  const world = await makeWorld({ seed, stripeEventKinds: ["snapshot", "thin"] });
  await world.clinic.openShop();
  for (const { outbox } of [world.vendors.stripe, world.vendors.health]) {
    Object.assign(outbox.faults, { doubled: 0.5, shuffled: true });
  }
  const random = seeded(seed);
  const truth: { who: number; system: KeySystem; key: string }[] = [];
  const rowOf = new Map<number, number>();
  const acts: (() => void | Promise<void>)[] = [];
  for (let who = 0; who < 8; who++) {
    // Two share each address; one of them writes it with a plus-alias now and then.
    const email = `family${Math.floor(who / 2)}@x.test`;
    const know = (system: KeySystem, key: string) => void truth.push({ who, system, key });
    const customer = () => {
      const id = rowOf.get(who);
      return id === undefined ? {} : { clockwork_customer: String(id) };
    };
    const signUp = async () => {
      const key = `person-${who}`;
      know("crm", key);
      rowOf.set(who, await register(world.db, { crm_person_id: key, email }));
    };
    const stripe = () =>
      know("stripe", world.vendors.stripe.createCustomer({ email, metadata: customer() }).id);
    const checkout = () => {
      const session = world.vendors.stripe.completeCheckout({
        email: random() < 0.3 ? email.replace("@", "+pay@") : email,
        priceId: "price_evening_month",
        metadata: customer(),
      });
      know("stripe", String(session.customer));
    };
    const patient = () => {
      const id = rowOf.get(who);
      know(
        "health",
        world.vendors.health.createPatient({
          name: `Patient ${who}`,
          address: ADDRESS,
          telecom: { email },
          identifiers: id === undefined
            ? []
            : [{ system: "https://clockwork.invalid/customer", value: String(id) }],
        }),
      );
    };
    acts.push(signUp, ...shuffle([random() < 0.5 ? stripe : checkout, patient], random));
    if (random() < 0.3) acts.push(stripe);
  }
  for (const act of shuffle(acts, random)) {
    await act();
    if (random() < 0.3) await world.drainAll();
  }
  await world.drainAll();
  await world.pass({ minutes: 15 });
  await world.drainAll();
  await expectTrue(world, truth, rowOf);
});

async function expectTrue(
  world: World,
  truth: readonly { who: number; system: KeySystem; key: string }[],
  rowOf: ReadonlyMap<number, number>,
): Promise<void> {
  const people = new Map<number, Set<number>>();
  for (const { who, system, key } of truth) {
    const holder = await holderOf(world.db, { system, key });
    if (holder) people.set(holder.customerId, (people.get(holder.customerId) ?? new Set()).add(who));
    else {
      const open = (await questions(world, key)).filter(({ status }) => status === "MANUAL_INTERVENTION");
      expect(open, `${system} ${key} of ${who}`).toHaveLength(1);
    }
  }
  expect([...people.values()].filter((who) => who.size > 1)).toEqual([]);
  for (const [who, id] of rowOf) expect(people.get(id)).toEqual(new Set([who]));
  // It is not all questions: whoever was named was linked.
  expect(people.size).toBeGreaterThan(7);
}
