import { expect } from "vitest";
import type { Person } from "../../scripts/sandbox/clinic.ts";
import { heard, liveAtPharmacy, orders, setStatus, stopped } from "../support/act.ts";
import type { World } from "../support/world.ts";
import { RENEWAL_STORIES } from "./renewal-stories.ts";

/** A piece of the work that must end the same way, whatever dies on the way. */
export interface Story {
  name: string;
  /** Sets the scene; nothing is faulty yet. */
  before(world: World): Promise<void>;
  /** What happens then, in moments; after each the world comes to rest. */
  moments: readonly ((world: World) => void | Promise<void>)[];
  /** What must be true in the end. */
  after(world: World): Promise<void>;
}

const people = new WeakMap<World, Person>();
const personOf = (world: World): Person => {
  const person = people.get(world);
  if (!person) throw new Error("nobody signed up");
  return person;
};

async function openWithAPatient(world: World): Promise<void> {
  await world.clinic.openShop();
  const person = await world.clinic.signUp("Ada Example");
  people.set(world, person);
  world.clinic.prescribe(person, "price_pen_month", { fills: 2 });
  await world.drainAll();
}

const pay = (world: World) => void world.clinic.subscribe(personOf(world), "price_pen_month");
const work = (world: World) => void world.clinic.workPharmacy();
const refund = (world: World) => {
  for (const charge of world.vendors.stripe.state.charges.values()) world.vendors.stripe.refund(charge.id);
};

/** The pen is sold by prescription; Ada has a card on file, and no prescription yet. */
async function openByPrescription(world: World): Promise<void> {
  await world.clinic.openShop([], ["price_pen_month"]);
  people.set(world, await world.clinic.signUp("Ada Example"));
  await world.drainAll();
}

const prescribe = (world: World) =>
  void world.clinic.prescribe(personOf(world), "price_pen_month", { fills: 2 });

export const ORDER_STORIES: readonly Story[] = [
  {
    name: "a charge becomes a delivered parcel",
    before: openWithAPatient,
    moments: [pay, work, work, work, work, work],
    async after(world) {
      expect(liveAtPharmacy(world)).toHaveLength(1);
      expect(await orders(world)).toMatchObject([{
        state: "DELIVERED",
        pharmacy_order_id: liveAtPharmacy(world)[0]?.id,
      }]);
      expect(await stopped(world)).toEqual([]);
      const told = heard(world, personOf(world).crmPersonId);
      expect(new Set(told).size).toBe(told.length);
      expect(told).toContain("order_delivered");
    },
  },
  {
    name: "a refund after placing cancels the order",
    before: openWithAPatient,
    moments: [pay, refund],
    async after(world) {
      expect(liveAtPharmacy(world)).toEqual([]);
      const ended = (await orders(world)).map((order) => order.state);
      expect(ended.every((state) => state === "CANCELLED")).toBe(true);
      expect(await stopped(world)).toEqual([]);
      const told = heard(world, personOf(world).crmPersonId);
      expect(new Set(told).size).toBe(told.length);
      if (ended.length > 0) expect(told).toContain("order_cancelled");
    },
  },
  {
    name: "an order the pharmacy cancels is replaced once",
    before: openWithAPatient,
    moments: [
      pay,
      (world) => {
        const [live] = liveAtPharmacy(world);
        if (live) world.vendors.pharmacy.cancelByPharmacy(live.id);
      },
      async (world) => {
        const stops = await stopped(world);
        expect(stops).toMatchObject([{ step: "order.replace", reason_code: "PHARMACY_CANCELLED" }]);
        await setStatus(world.db, stops[0]?.id ?? 0, "PENDING");
      },
      work,
    ],
    async after(world) {
      expect(liveAtPharmacy(world)).toHaveLength(1);
      expect(await orders(world)).toMatchObject([{ state: "CANCELLED", attempt: 1 }, { attempt: 2 }]);
      expect(await stopped(world)).toEqual([]);
    },
  },
  {
    name: "a first prescription becomes one subscription and its parcel",
    before: openByPrescription,
    moments: [prescribe, work],
    async after(world) {
      const { stripe } = world.vendors;
      expect([...stripe.state.subscriptions.values()]).toMatchObject([{ status: "active" }]);
      expect([...stripe.state.charges.values()]).toMatchObject([{ paid: true }]);
      expect(liveAtPharmacy(world)).toHaveLength(1);
      const [order] = await orders(world);
      expect(order).toMatchObject({ pharmacy_order_id: liveAtPharmacy(world)[0]?.id });
      expect(await stopped(world)).toEqual([]);
    },
  },
];

export const STORIES: readonly Story[] = [...ORDER_STORIES, ...RENEWAL_STORIES];

/** Time passes and fresh drains run until nothing is in anybody's hands: leases, heartbeats and backoffs run out. */
export async function recover(world: World): Promise<void> {
  for (let i = 0; i < 40; i++) {
    await world.drainAll();
    const open = await world.db.selectFrom("clockwork.tasks").select("id")
      .where((eb) => eb.or([eb("status", "=", "QUEUED"), eb("status", "=", "PENDING")])).executeTakeFirst();
    if (!open) return;
    // Short steps first; a vendor's pause can last ten minutes.
    await world.pass(i < 12 ? { seconds: 45 } : { minutes: 11 });
  }
  const open = await world.db.selectFrom("clockwork.tasks").select([
    "id",
    "step",
    "status",
    "reason",
    "run_after",
  ])
    .where("status", "in", ["QUEUED", "PENDING"]).limit(5).execute();
  throw new Error(`the world did not recover: ${JSON.stringify(open)}`);
}
