import { contactDifferences } from "../../owners/contact.ts";
import { whoMustMoveFirst } from "../../owners/login-email.ts";
import { type Customer, customerById, keyOf } from "../../registry/customers.ts";
import { Permanent, reason, Retryable } from "../../queue/reasons.ts";
import { defineOwnStep, type Outcome, type StepContext } from "../../queue/step.ts";
import { VendorError } from "../../vendors/contract.ts";
import { LOGIN_REFUSALS, type LoginUser } from "../../vendors/login.ts";
import { sha256Hex } from "../../vendors/signing.ts";

/** An unanswered request may still be sending its mails. */
const REQUEST_SETTLE_SECONDS = 60;

const MINUTE_MS = 60_000;
/** Auth counts mails by the hour. */
const MAIL_LIMIT_WAIT_MS = 15 * MINUTE_MS;
const NOT_FREE_WAIT_MS = 60 * MINUTE_MS;
/** How long another customer has to answer a mail before a person is asked. */
const NOT_FREE_DAYS = 14;
/** Whoever answers none of so many mails is talked to. */
const MOST_REQUESTS = 3;

/**
 * The login's email follows the CRM only as far as the customer says so to Supabase Auth: this has Auth ask, and never
 * sets it. What was asked for is not asked again while there is time to answer, so neither an echo nor a resend mails.
 */
export const ownerPropagateLogin = defineOwnStep("owner.propagate_login", {
  queue: "login",
  async run(ctx, { customer_id: customerId }) {
    const customer = await customerById(ctx.deps.db, customerId);
    ctx.about({ customerId });
    if (!customer.login_user_id || !customer.crm_person_id) return { kind: "done" };
    const email = await readOwner(ctx, customer);
    const login = await readLogin(ctx, customer);
    // An empty email at the owner was asked about where the other mirrors are set.
    if (!email || !isToBeAsked(ctx, email, login)) return { kind: "done" };
    const inTheWay = await whoMustMoveFirst(ctx, customer, email);
    if (inTheWay) return notFree(ctx, customerId, inTheWay);
    try {
      await request(ctx, customer, email, login.pendingEmail?.toLowerCase() === email.toLowerCase());
    } catch (error) {
      return afterRefusal(ctx, customerId, error);
    }
    await ctx.deps.faultPoint?.("mirror written");
    if (isToBeAsked(ctx, email, await readLogin(ctx, customer))) {
      throw new Retryable("NOT_YET_VISIBLE", { vendor: "login" });
    }
    return { kind: "done" };
  },
});

async function readOwner(ctx: StepContext, customer: Customer): Promise<string | null> {
  const personId = keyOf(customer, "crm_person_id");
  const crm = (await ctx.vendors.crm.readProfiles([personId])).get(personId);
  if (!crm) throw new Permanent("CRM_PERSON_UNKNOWN", { person: personId, customer: customer.id });
  return crm.email?.trim() || null;
}

async function readLogin(ctx: StepContext, customer: Customer): Promise<LoginUser> {
  const userId = keyOf(customer, "login_user_id");
  const login = await ctx.vendors.login.getUser(userId);
  if (!login) throw new Permanent("LOGIN_UNKNOWN", { login: userId, customer: customer.id });
  return login;
}

function isToBeAsked(ctx: StepContext, email: string, login: LoginUser): boolean {
  const reading = { crm: { email, phone: null }, stripe: null, registryEmail: email, login };
  const [difference] = contactDifferences(reading, ctx.now());
  return difference !== undefined && !difference.awaitsConfirmation;
}

/** Owner and login are read once more, last: what was asked for or changed meanwhile is not asked for again. */
class Moved extends Error {
  override name = "Moved";
}

async function request(
  ctx: StepContext,
  customer: Customer,
  email: string,
  isRepeat: boolean,
): Promise<void> {
  const userId = keyOf(customer, "login_user_id");
  const change = `${userId}:${(await sha256Hex(`${userId}:${email.toLowerCase()}`)).slice(0, 32)}`;
  const times = await countRequests(ctx, change);
  if (isRepeat && times >= MOST_REQUESTS) {
    throw new Permanent("LOGIN_NOT_CONFIRMED", { customer: customer.id, times });
  }
  const isAsked = async () => !isToBeAsked(ctx, email, await readLogin(ctx, customer));
  await ctx.once({
    vendor: "login",
    operation: "request email change",
    // A hash of the address, for nobody's address may be read there; numbered, for an address can come back.
    key: `${change}:${times + 1}`,
    settleSeconds: REQUEST_SETTLE_SECONDS,
    find: async () => (await isAsked()) ? userId : null,
    guard: async () => {
      if ((await readOwner(ctx, customer)) !== email || (await isAsked())) throw new Moved();
    },
    send: async () => {
      await ctx.vendors.login.requestEmailChange(userId, email);
      return userId;
    },
  });
}

/** How often Auth has asked the user about this address. */
async function countRequests(ctx: StepContext, change: string): Promise<number> {
  const carriedOut = await ctx.deps.db
    .selectFrom("clockwork.effects")
    .select("id")
    .where("vendor", "=", "login")
    .where("operation", "=", "request email change")
    .where("key", "like", `${change}:%`)
    .where("state", "=", "CONFIRMED")
    .execute();
  return carriedOut.length;
}

function afterRefusal(ctx: StepContext, customerId: number, error: unknown): Outcome {
  // The owner's own news of it has its own task; this one looks once more.
  if (error instanceof Moved) throw new Retryable("NOT_YET_VISIBLE", { vendor: "crm" });
  if (!(error instanceof VendorError) || error.failure !== "refused") throw error;
  const { status, code = "-" } = error.details;
  switch (code) {
    case LOGIN_REFUSALS.taken:
      // Somebody was faster; who it is comes to light when it is looked at again.
      throw new Retryable("NOT_YET_VISIBLE", { vendor: "login" });
    case LOGIN_REFUSALS.tooManyMails:
      return {
        kind: "wait",
        until: new Date(ctx.now().getTime() + MAIL_LIMIT_WAIT_MS),
        reason: reason("LOGIN_MAIL_LIMIT"),
      };
    case LOGIN_REFUSALS.secondFactor:
      throw new Permanent("LOGIN_NEEDS_CUSTOMER", { customer: customerId });
    case LOGIN_REFUSALS.noConfirmation:
      throw new Permanent("LOGIN_CONFIRMATION_OFF");
    default:
      if (status === 401) throw error;
      throw new Permanent("LOGIN_CHANGE_REFUSED", { customer: customerId, code });
  }
}

/** Another login has the address. Its customer is on the way to another one, or a person must sort it out. */
function notFree(
  ctx: StepContext,
  customerId: number,
  inTheWay: NonNullable<Awaited<ReturnType<typeof whoMustMoveFirst>>>,
): Outcome {
  const details = { customer: customerId, other: inTheWay.customerId ?? "nobody" };
  if (inTheWay.kind === "stays") throw new Permanent("LOGIN_EMAIL_TAKEN", details);
  if (inTheWay.kind === "circle" && inTheWay.isOursToAsk) {
    throw new Permanent("LOGIN_EMAILS_SWAPPED", details);
  }
  const waited = ctx.now().getTime() - ctx.task.createdAt.getTime();
  if (waited > NOT_FREE_DAYS * 24 * 60 * MINUTE_MS) throw new Permanent("LOGIN_EMAIL_TAKEN", details);
  return {
    kind: "wait",
    until: new Date(ctx.now().getTime() + NOT_FREE_WAIT_MS),
    reason: reason("LOGIN_EMAIL_NOT_FREE", details),
  };
}
