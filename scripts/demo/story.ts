import type { Beginner } from "../proof/evidence.ts";
import { isoDay, type Person } from "../sandbox/clinic.ts";
import { beginByPrescription, bringCards, DEFAULT_PRICES } from "./beginners.ts";
import { BEGINNERS_WAVE, castParts, type Part, type Role, WAVES } from "./cast.ts";
import type { Stage } from "./stage.ts";
import { makeTroubles } from "./troubles.ts";

/** One customer with a subscription. */
export interface Customer extends Part {
  person: Person;
  subscriptionId: string;
  invoiceId: string;
  chargeId: string;
}

/** People's acts and decisions, which the checks need and no vendor's state shows. */
export interface Story {
  customers: Customer[];
  /** They sign up, get a prescription, and leave the rest to Clockwork. */
  beginners: Beginner[];
  /** Orders that the pharmacy itself cancelled or could not fill, by its id. */
  endedByPharmacy: Set<string>;
  /** How many live orders a person's decision leaves for a fill (`<invoice line>:<fill>`). */
  decisions: Map<string, 0 | 1>;
  troubles: ReturnType<typeof makeTroubles>;
}

/** Two months of the clinic's life. Every act happens at a vendor or in a cell of the table editor. */
export async function playStory(stage: Stage): Promise<Story> {
  const story: Story = {
    customers: [],
    beginners: [],
    endedByPharmacy: new Set(),
    decisions: new Map(),
    troubles: makeTroubles(stage),
  };
  const parts = castParts(stage.customers, stage.random);
  await stage.stack.clinic.openShop(["price_pen_month"], DEFAULT_PRICES);
  story.troubles.disturbTheMail();
  await firstDay(stage, story, parts);
  await firstWeek(stage, story);
  await nextMonth(stage, story, parts);
  await thirdMonth(stage, story);
  return story;
}

function of(story: Story, ...roles: Role[]): Customer[] {
  return story.customers.filter(({ role }) => roles.includes(role));
}

async function joinClinic(stage: Stage, story: Story, part: Part): Promise<Customer> {
  const { clinic, clock, vendors } = stage.stack;
  const { role, price } = part;
  const name = `Customer ${String(story.customers.length + 1).padStart(4, "0")}`;
  const person = await clinic.signUp(name, role === "customer_unknown" ? "stripe_customer_id" : undefined);
  const yesterday = isoDay(new Date(clock.now().getTime() - 2 * 86_400_000));
  if (role === "prescription_expired") clinic.prescribe(person, price, { validUntil: yesterday });
  else if (role === "prescription_unclear") clinic.prescribe(person, price, { validUntil: null });
  else if (role === "one_fill_only") clinic.prescribe(person, price, { fills: 1 });
  else if (role !== "prescribed_later" && role !== "never_prescribed") clinic.prescribe(person, price);
  if (role === "one_of_two_lines_credited") clinic.prescribe(person, otherPrice(price));
  const subscription = vendors.stripe.subscribe({
    customerId: person.stripeCustomerId,
    priceIds: [
      { price, quantity: 1 },
      ...(role === "one_of_two_lines_credited" ? [{ price: otherPrice(price), quantity: 1 }] : []),
    ],
  });
  const invoiceId = String(subscription.latest_invoice);
  const chargeId = vendors.stripe.invoiceChargeId(invoiceId) ?? "";
  const customer = { ...part, person, subscriptionId: subscription.id, invoiceId, chargeId };
  story.customers.push(customer);
  return customer;
}

function otherPrice(price: Part["price"]): Part["price"] {
  return price === "price_morning_month" ? "price_evening_month" : "price_morning_month";
}

async function firstDay(stage: Stage, story: Story, parts: Part[]): Promise<void> {
  const { stack: { vendors: { stripe } }, life, mail } = stage;
  const { troubles } = story;
  for (let wave = 0; wave < WAVES; wave++) {
    stage.progress(`day 1, wave ${wave + 1} of ${WAVES}: ${troubles.announce(wave)}`);
    troubles.before(wave);
    for (const part of parts.filter((one) => one.wave === wave)) {
      const customer = await joinClinic(stage, story, part);
      // Their refund or dispute is heard before their charge.
      if (part.role === "refunded_before_charge_is_heard" || part.role === "disputed_before_placing") {
        mail.delayedInvoices.add(customer.invoiceId);
        if (part.role === "disputed_before_placing") stripe.dispute(customer.chargeId);
        else stripe.refund(customer.chargeId);
      }
      if (part.role === "pauses") stripe.pause(customer.subscriptionId);
      if (part.role === "pauses_and_resumes") stripe.pauseCollection(customer.subscriptionId);
    }
    if (wave === BEGINNERS_WAVE) {
      story.beginners.push(...await beginByPrescription(stage.stack, stage.customers));
    }
    await troubles.during(wave, life.work);
    if (troubles.isOutage(wave)) {
      for (const { role, chargeId } of story.customers) {
        if (role === "refunded_in_outage") stripe.refund(chargeId);
      }
    }
    await life.pass({ minutes: 30 });
    await troubles.after(wave, life);
    mail.delayedInvoices.clear();
  }
  await life.rest({ minutes: 90 });
}

async function firstWeek(stage: Stage, story: Story): Promise<void> {
  const { stack: { vendors: { stripe, pharmacy, health }, clinic }, life, ops, progress } = stage;
  progress("day 1, evening: refunds, disputes, and orders that the pharmacy ends");
  for (const { chargeId } of of(story, "refunded_after_placing")) stripe.refund(chargeId);
  for (const { chargeId } of of(story, "disputed_after_placing")) stripe.dispute(chargeId);
  for (const { chargeId } of of(story, "partly_refunded")) stripe.refund(chargeId, 1000);
  for (const { invoiceId } of of(story, "one_of_two_lines_credited")) {
    const line = stripe.state.invoices.get(invoiceId)?.lines.data[0];
    if (line) stripe.creditNote(invoiceId, { lineId: line.id, amount: line.amount });
  }
  // The pharmacy first takes the orders in, then ends some.
  clinic.workPharmacy();
  endAtPharmacy(stage, story, "pharmacy_cancels", pharmacy.cancelByPharmacy);
  endAtPharmacy(stage, story, "pharmacy_fails", pharmacy.fail);
  await life.work();
  await life.rest({ minutes: 15 });

  progress("day 1, evening: ops repairs from the table editor");
  const stripeIds = new Map(
    of(story, "customer_unknown").map(({ person }) => [person.customerId, person.stripeCustomerId]),
  );
  await ops.addMissingProducts();
  await ops.addMissingCustomers(stripeIds);
  for (const reason of ["PHARMACY_CANCELLED", "PHARMACY_FAILED"]) {
    for (const fill of await ops.fillsOf(reason)) story.decisions.set(fill, 1);
    await ops.resend(reason);
  }
  bringCards(stage.stack, story.beginners);
  for (const reason of ["NO_PAYMENT_METHOD", "CARD_DECLINED", "MISSING_CUSTOMER_KEY"]) {
    await ops.resend(reason);
  }
  const [cancelled, shipped] = await ops.fillsOf("PARTIAL_REFUND", 2);
  if (cancelled) story.decisions.set(cancelled, 0);
  await ops.answer("PARTIAL_REFUND", "call_off", 1);
  if (shipped) story.decisions.set(shipped, 1);
  await life.work();
  await ops.answer("PARTIAL_REFUND", "ship", 1);
  for (const { person, price } of of(story, "prescribed_later")) clinic.prescribe(person, price);
  const [completed] = of(story, "prescription_unclear");
  for (const prescription of health.state.prescriptions.values()) {
    if (prescription.subject?.reference !== `Patient/${completed?.person.healthPatientId}`) continue;
    health.updatePrescription(prescription.id, {
      validUntil: isoDay(new Date(stage.stack.clock.now().getTime() + 300 * 86_400_000)),
    });
  }
  await life.work();
  await ops.resend("PRESCRIPTION_UNCLEAR");
  for (const { subscriptionId } of of(story, "pauses_and_resumes")) stripe.resumeCollection(subscriptionId);
  await life.work();
  await life.rest({ minutes: 90 });

  for (let day = 2; day <= 5; day++) {
    progress(`day ${day}: parcels move`);
    clinic.workPharmacy();
    const live = () => life.pass({ hours: day === 2 ? 18 : 24 });
    if (day === 3) await story.troubles.crmLosesReplies(life, live);
    else await live();
  }
  await life.rest({ minutes: 90 });
  progress("day 6: refunds after shipping; the CRM's people unsubscribe");
  for (const { chargeId } of of(story, "refunded_after_shipping")) stripe.refund(chargeId);
  for (const { person } of of(story, "one_month").slice(0, 5)) {
    if (stage.stack.vendors.crm.people.has(person.crmPersonId)) {
      stage.stack.vendors.crm.unsubscribe(person.crmPersonId);
    }
  }
  await life.work();
  await ops.cancel("ALREADY_SHIPPED", 1);
}

function endAtPharmacy(stage: Stage, story: Story, role: Role, end: (orderId: string) => void): void {
  const patients = new Set(of(story, role).map(({ person }) => person.pharmacyPatientId));
  for (const order of stage.stack.vendors.pharmacy.state.orders.values()) {
    if (!patients.has(order.patientId) || order.state === "CANCELED" || order.state === "ERROR") continue;
    story.endedByPharmacy.add(order.id);
    end(order.id);
  }
}

async function nextMonth(stage: Stage, story: Story, parts: Part[]): Promise<void> {
  const { stack: { vendors: { stripe } }, life, progress } = stage;
  progress("day 32: renewals, a declined card, second fills, and a few who come late");
  await life.pass({ days: 26 });
  const renewing: Role[] = ["renews", "card_declined", "one_fill_only"];
  for (const { role, subscriptionId } of story.customers) {
    if (renewing.includes(role)) {
      stripe.announceRenewal(subscriptionId);
      if (role === "card_declined") stripe.failPayment(subscriptionId);
      else stripe.renew(subscriptionId);
    } else if (role === "one_month") stripe.cancel(subscriptionId);
  }
  for (const part of parts.filter((one) => one.wave >= WAVES)) await joinClinic(stage, story, part);
  await story.troubles.secondMonth(life);
  await life.rest({ minutes: 90 });
  progress("day 33: the card works again, for one of them");
  const [paysAfterAll, ...others] = of(story, "card_declined");
  const openInvoice = (customer: Customer | undefined) =>
    String(stripe.state.subscriptions.get(customer?.subscriptionId ?? "")?.latest_invoice);
  if (paysAfterAll) stripe.payInvoice(openInvoice(paysAfterAll));
  for (const customer of others) stripe.voidInvoice(openInvoice(customer));
  await life.pass({ hours: 20 });
  await parcelsArrive(stage);
}

async function thirdMonth(stage: Stage, story: Story): Promise<void> {
  const { stack: { clinic }, life, progress } = stage;
  progress("day 63: third fills; a prescription that had run out is renewed");
  await life.pass({ days: 26 });
  const [renewed] = of(story, "one_fill_only");
  if (renewed) clinic.prescribe(renewed.person, renewed.price);
  await life.work();
  await life.rest({ minutes: 90 });
  await parcelsArrive(stage);
  // The mail that was held back arrives in the end.
  story.troubles.calm();
  await life.pass({ hours: 25 });
  await life.rest({ minutes: 90 });
}

async function parcelsArrive({ stack: { clinic }, life }: Stage): Promise<void> {
  for (let day = 0; day < 4; day++) {
    clinic.workPharmacy();
    await life.pass({ hours: 20 });
  }
}
