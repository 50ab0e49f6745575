import { sql } from "kysely";
import type { Database } from "../../src/shared/db/database.ts";
import { DAY_MS } from "../../src/shared/day.ts";
import { insertTasks } from "../../src/shared/queue/tasks.ts";
import type { PriceId } from "../sandbox/clinic.ts";
import { seeded } from "../sandbox/random.ts";
import type { LocalVendors } from "../sandbox/vendors.ts";
import { makeWorld } from "../sandbox/world.ts";
import { withMigratedDatabase } from "../stack/migrated.ts";

const NIGHTS = 30;

/** The number of choices of each price at the sandbox clinic, of 100. */
const CHOSEN: [price: string, share: number][] = [
  ["price_morning_month", 26],
  ["price_morning_month_2025", 13],
  ["price_morning_quarter", 15],
  ["price_evening_month", 24],
  ["price_pen_month", 17],
  ["price_pen_partner_offer", 5],
];

/**
 * A month at the sandbox clinic: people come, pause and go, one price was replaced, one exists at Stripe alone. The
 * steps of the night count it. `work` gets the database of the last morning.
 */
export async function withSampleClinic<T>(work: (db: Database) => Promise<T>): Promise<T> {
  return await withMigratedDatabase(async ({ url }) => {
    const today = Date.now();
    const random = seeded(4);
    const world = await makeWorld({ url, random, beginsAt: new Date(today - NIGHTS * DAY_MS) });
    const { db, vendors } = world;
    try {
      await world.clinic.openShop();
      await changeThePrices(db, vendors);
      for (let night = 0; night <= NIGHTS; night++) {
        await world.moveTo(new Date(today - (NIGHTS - night) * DAY_MS));
        liveADay(vendors, random, night);
        await insertTasks(db, [
          { step: "product.count_stripe", vendor: "stripe", key: `night:${night}`, data: {} },
          { step: "product.count_pharmacy", vendor: "pharmacy", key: `night:${night}`, data: {} },
        ]);
        await world.drain();
      }
      return await work(db);
    } finally {
      await world.close();
    }
  });
}

async function changeThePrices(db: Database, { stripe }: LocalVendors): Promise<void> {
  stripe.addPrice({ id: "price_morning_month_2025", interval: "month", intervalCount: 1, amount: 4400 });
  stripe.addPrice({ id: "price_pen_partner_offer", interval: "month", intervalCount: 1, amount: 14900 });
  await sql`
    insert into registry.product_keys (system, key, product_id, fills_per_charge, status, replaced_by)
    select system, 'price_morning_month_2025', product_id, 1, 'retired', key
    from registry.product_keys where key = 'price_morning_month'
  `.execute(db);
}

/** The first day brings all former customers. Each later day brings a few more, and some leave or pause. */
function liveADay(vendors: LocalVendors, random: () => number, night: number): void {
  const { stripe, pharmacy } = vendors;
  const joining = night === 0 ? 160 : 2 + Math.floor(random() * 4);
  for (let i = 0; i < joining; i++) {
    const price = choose(random, night);
    const { subscription } = stripe.importCustomer({ priceId: price });
    const patientId = pharmacy.createPatient({ externalId: `sample-${night}-${i}` });
    const treatmentId = TREATMENTS[productNameOf(price)] ?? "med_1003";
    // Some prescriptions outlive their subscription, and some people have two.
    pharmacy.writePrescription({
      patientId,
      externalId: `sample-${night}-${i}`,
      treatmentId,
      fillsAllowed: 12,
      daysSupply: 30,
      expirationDate: "2099-01-01",
      instructions: "",
    });
    if (subscription && random() < 0.08) stripe.pauseCollection(subscription.id);
  }
  for (const subscription of stripe.state.subscriptions.values()) {
    if (subscription.ended_at === null && random() < 0.004) stripe.cancel(subscription.id);
  }
}

const TREATMENTS: Record<string, string> = { morning: "med_1001", evening: "med_1002", pen: "med_1003" };
const productNameOf = (price: string) => price.split("_")[1] ?? "";

function choose(random: () => number, night: number): string {
  // After the first day nobody gets the retired price any more.
  const open = CHOSEN.filter(([price]) => night === 0 || price !== "price_morning_month_2025");
  let at = random() * open.reduce((sum, [, share]) => sum + share, 0);
  for (const [price, share] of open) {
    at -= share;
    if (at < 0) return price;
  }
  return "price_morning_month" satisfies PriceId;
}
