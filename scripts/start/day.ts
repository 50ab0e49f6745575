import { setTimeout as sleep } from "node:timers/promises";
import { type Person, type PriceId, PRICES } from "../sandbox/clinic.ts";
import { makeOpsPerson } from "../sandbox/ops-person.ts";
import { seeded } from "../sandbox/random.ts";
import type { Stack } from "../stack/stack.ts";
import type { Out } from "./out.ts";

/** The time between two acts in the clinic. */
const ACT_SECONDS = 4;
/** The time between two rounds of webhooks. */
const BEAT_SECONDS = 1;
/** Sold from the first day on and missing in the registry: the trouble of an unknown product. */
const UNKNOWN_PRICE: PriceId = "price_pen_month";

const NAMES = ["Ada", "Ben", "Cleo", "Dan", "Edda", "Finn", "Gwen", "Hugo", "Ines", "Jon", "Kira", "Leo"];

interface Bought {
  person: Person;
  price: PriceId;
  chargeId: string | null;
}

/**
 * The clinic's day, one act after the other, at a pace that can be read. Some acts break something, and some repair it
 * by plain updates, as a person in the table editor does.
 */
export async function liveTheDay(stack: Stack, out: Out, ended: AbortSignal): Promise<void> {
  await stack.clinic.openShop([UNKNOWN_PRICE]);
  // A company waits for a Checkout that may be under way; this day has none.
  await stack.pool.query("update clockwork.settings set subscription_wait = interval '5 seconds'");
  await Promise.all([beat(stack, ended), actAfterAct(stack, out, ended)]);
}

/** Vendors send waiting webhooks, the pharmacy works, and the drain is ticked sooner than by cron. */
async function beat({ vendors, clinic, pool }: Stack, ended: AbortSignal): Promise<void> {
  for (let turn = 0; await pause(BEAT_SECONDS, ended); turn++) {
    if (turn % 5 === 0) clinic.workPharmacy(2);
    await vendors.flush();
    // The tick is safe to call at any time, doubled or not.
    if (turn % 2 === 0) await pool.query("select clockwork.tick()");
  }
}

async function actAfterAct(stack: Stack, out: Out, ended: AbortSignal): Promise<void> {
  const random = seeded(7);
  const ops = makeOpsPerson(stack.pool, (sql) => out.line("person", sql));
  const waiting: Bought[] = [];
  let lastBought: Bought | undefined;
  for (let act = 0; await pause(act === 0 ? 0 : ACT_SECONDS, ended); act++) {
    switch (act % 16) {
      case 3: {
        out.line("trouble", "The pharmacy will take the next order, and its reply will get lost on the way");
        stack.vendors.pharmacy.faults.add({ kind: "lose_answer", operation: "create order", times: 1 });
        lastBought = await someoneBuys(stack, out, random, "price_morning_month");
        break;
      }
      case 5: {
        await someoneBegins(stack, out);
        break;
      }
      case 6: {
        if (act < 16) {
          out.line("trouble", `Somebody buys ${UNKNOWN_PRICE}, which is not in the registry`);
        }
        await someoneBuys(stack, out, random, UNKNOWN_PRICE);
        break;
      }
      case 8: {
        const bought = await someoneBuys(stack, out, random, "price_evening_month", false);
        out.line("trouble", `${bought.person.email} has paid, but has no prescription`);
        waiting.push(bought);
        break;
      }
      case 10:
        await ops.addMissingProducts();
        break;
      case 11: {
        const bought = waiting.shift();
        if (!bought) break;
        stack.clinic.prescribe(bought.person, bought.price);
        out.line(
          "clinic",
          `A prescription is written for ${bought.person.email}: the order goes on by itself`,
        );
        break;
      }
      case 12: {
        if (!lastBought?.chargeId) break;
        out.line("stripe", `${lastBought.person.email} gets a refund`);
        stack.vendors.stripe.refund(lastBought.chargeId);
        lastBought = undefined;
        break;
      }
      case 13:
        pharmacyCancelsOne(stack, out);
        break;
      case 15:
        for (const reason of ["PHARMACY_CANCELLED", "PHARMACY_FAILED"]) await ops.resend(reason);
        break;
      default: {
        const shelf = PRICES.filter(({ id }) => id !== UNKNOWN_PRICE);
        const price = shelf[Math.floor(random() * shelf.length)]?.id ?? "price_morning_month";
        lastBought = await someoneBuys(stack, out, random, price);
      }
    }
  }
}

async function someoneBuys(
  { clinic }: Stack,
  out: Out,
  random: () => number,
  price: PriceId,
  prescribed = true,
): Promise<Bought> {
  const name = NAMES[Math.floor(random() * NAMES.length)] ?? "Ada";
  const person = await clinic.signUp(`${name} Example`);
  if (prescribed) clinic.prescribe(person, price);
  const { chargeId } = clinic.subscribe(person, price);
  out.line(
    "clinic",
    `${person.email} signs up${prescribed ? ", gets a prescription" : ""} and is charged for ${price}`,
  );
  return { person, price, chargeId };
}

/** Without a purchase: the card is on file, a price was chosen, and the prescription begins the subscription. */
async function someoneBegins({ clinic }: Stack, out: Out): Promise<void> {
  const person = await clinic.signUp("Mona Example", undefined, "on_file");
  await clinic.choosePrice(person, "price_evening_month");
  clinic.prescribe(person, "price_evening_month");
  out.line(
    "clinic",
    `${person.email} chose a price and gets a first prescription: the subscription begins by itself`,
  );
}

function pharmacyCancelsOne({ vendors: { pharmacy } }: Stack, out: Out): void {
  for (const order of pharmacy.state.orders.values()) {
    if (order.state === "CANCELED" || order.state === "ERROR") continue;
    const isEarly = ["ROUTING", "PENDING"].includes(order.state) || order.fulfillment?.state === "SENT";
    if (!isEarly) continue;
    pharmacy.cancelByPharmacy(order.id);
    out.line("trouble", `The pharmacy cancels ${order.id} on its own`);
    return;
  }
}

/** False when the day has ended. */
async function pause(seconds: number, ended: AbortSignal): Promise<boolean> {
  await sleep(seconds * 1000, undefined, { signal: ended }).catch(() => {});
  return !ended.aborted;
}
