import type { PriceId } from "../sandbox/clinic.ts";
import type { Beginner } from "../proof/evidence.ts";
import type { CardState } from "../sandbox/stripe/cards.ts";
import type { Stack } from "../stack/stack.ts";

/** The kinds of beginner: their card, and the number of their prescriptions. */
const KINDS = [
  { name: "Default", card: "default", price: "price_evening_month", chooses: false, prescriptions: 1 },
  { name: "Choice", card: "on_file", price: "price_morning_quarter", chooses: true, prescriptions: 1 },
  { name: "Twice", card: "default", price: "price_morning_month", chooses: true, prescriptions: 2 },
  { name: "Without Card", card: "none", price: "price_morning_month", chooses: true, prescriptions: 1 },
  { name: "Declined", card: "declined", price: "price_evening_month", chooses: false, prescriptions: 1 },
] as const satisfies readonly {
  name: string;
  card: CardState;
  price: PriceId;
  chooses: boolean;
  prescriptions: number;
}[];

/** The price at which the demo's shop sells by prescription, too. */
export const DEFAULT_PRICES: readonly PriceId[] = ["price_evening_month"];

/** One of each kind for so many customers of the demo. */
const ONE_OF_EACH_PER = 100;

export async function beginByPrescription({ clinic }: Stack, customers: number): Promise<Beginner[]> {
  const beginners: Beginner[] = [];
  const rounds = Math.max(1, Math.round(customers / ONE_OF_EACH_PER));
  for (let round = 1; round <= rounds; round++) {
    for (const { name, card, price, chooses, prescriptions } of KINDS) {
      const person = await clinic.signUp(`Beginner ${name} ${round}`, undefined, card);
      if (chooses) await clinic.choosePrice(person, price);
      for (let i = 0; i < prescriptions; i++) clinic.prescribe(person, price);
      beginners.push({ person, price });
    }
  }
  return beginners;
}

/** Beginners who could not be charged bring a card that works. */
export function bringCards({ vendors: { stripe } }: Stack, beginners: readonly Beginner[]): void {
  for (const { person } of beginners) {
    const isSubscribed = stripe.state.subscriptions.group(person.stripeCustomerId).size > 0;
    if (!isSubscribed) stripe.changeCard(person.stripeCustomerId, "default");
  }
}
