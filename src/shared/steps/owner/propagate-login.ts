import { contactDifferences } from "../../owners/contact.ts";
import { whoMustMoveFirst } from "../../owners/login-email.ts";
import { type Customer, customerById, keyOf } from "../../registry/customers.ts";
import { readProfile } from "../../queue/crm.ts";
import { Permanent, Retryable, Wait } from "../../queue/reasons.ts";
import { defineOwnStep, type StepContext } from "../../queue/step.ts";
import { VendorError } from "../../vendors/contract.ts";
import { LOGIN_REFUSALS, type LoginUser } from "../../vendors/login.ts";
import { sha256Hex } from "../../vendors/signing.ts";

const REQUEST = "request email change";

/** A request without a reply may still be sending its mails. */
const REQUEST_VISIBLE_AFTER_SECONDS = 60;

const MINUTE_MS = 60_000;
/** Auth counts mails by the hour. */
const MAIL_LIMIT_WAIT_MS = 15 * MINUTE_MS;
const NOT_FREE_WAIT_MS = 60 * MINUTE_MS;
/** How long another customer may leave a mail unconfirmed before a person is asked. */
const NOT_FREE_DAYS = 14;
/** A person talks to a customer who confirms none of so many mails. */
const MOST_REQUESTS = 3;

/**
 * The login's email follows the CRM once the customer confirms it to Supabase Auth. This step has Auth ask, and never sets
 * the email. It asks once while there is time to confirm, so neither an echo nor a resend mails again.
 */
export const ownerPropagateLogin = defineOwnStep("owner.propagate_login", {
  queue: "login",
  async run(ctx, { customer_id: customerId }) {
    const customer = await customerById(ctx.deps.db, customerId);
    ctx.about({ customerId });
    if (!customer.login_user_id || !customer.crm_person_id) return { kind: "done" };
    const email = await readOwner(ctx, customer);
    const login = await readLogin(ctx, customer);
    // The step owner.propagate_contact asks a person about an empty email at the owner.
    if (!email || !isToBeAsked(ctx, email, login)) return { kind: "done" };
    const inTheWay = await whoMustMoveFirst(ctx, customer, email);
    if (inTheWay) throw notFree(ctx, customerId, inTheWay);
    try {
      await request(ctx, customer, email, login.pendingEmail?.toLowerCase() === email.toLowerCase());
    } catch (error) {
      throw explain(ctx, customerId, error);
    }
    await ctx.deps.faultPoint?.("mirror written");
    if (isToBeAsked(ctx, email, await readLogin(ctx, customer))) {
      throw new Retryable("NOT_YET_VISIBLE", { vendor: "login" });
    }
    return { kind: "done" };
  },
});

async function readOwner(ctx: StepContext, customer: Customer): Promise<string | null> {
  const { email } = await readProfile(ctx, keyOf(customer, "crm_person_id"), customer.id);
  return email?.trim() || null;
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
    operation: REQUEST,
    // A hash, because the ledger keeps no address; numbered, because an address can come back.
    key: `${change}:${times + 1}`,
    visibleAfterSeconds: REQUEST_VISIBLE_AFTER_SECONDS,
    find: async () => (await isAsked()) ? userId : null,
    guard: async () => {
      // The owner's own event has its own task; this one is tried again.
      if ((await readOwner(ctx, customer)) !== email || (await isAsked())) {
        throw new Retryable("NOT_YET_VISIBLE", { vendor: "crm" });
      }
    },
    send: async () => {
      await ctx.vendors.login.requestEmailChange(userId, email);
      return userId;
    },
  });
}

/** How often Auth has asked the user about this address. */
async function countRequests(ctx: StepContext, change: string): Promise<number> {
  const { times } = await ctx.deps.db
    .selectFrom("clockwork.effects")
    .select(({ fn }) => fn.countAll<number>().as("times"))
    .where("vendor", "=", "login")
    .where("operation", "=", REQUEST)
    .where("key", "like", `${change}:%`)
    .where("state", "=", "CONFIRMED")
    .executeTakeFirstOrThrow();
  return times;
}

/** The error that ends the task after a refusal of Auth. */
function explain(ctx: StepContext, customerId: number, error: unknown): unknown {
  if (!(error instanceof VendorError) || error.failure !== "refused") return error;
  const { status, code = "-" } = error.details;
  switch (code) {
    case LOGIN_REFUSALS.taken:
      // Somebody was faster. The next try finds the other login by its address.
      return new Retryable("NOT_YET_VISIBLE", { vendor: "login" });
    case LOGIN_REFUSALS.tooManyMails:
      return new Wait(new Date(ctx.now().getTime() + MAIL_LIMIT_WAIT_MS), "LOGIN_MAIL_LIMIT");
    case LOGIN_REFUSALS.secondFactor:
      return new Permanent("LOGIN_NEEDS_CUSTOMER", { customer: customerId });
    case LOGIN_REFUSALS.noConfirmation:
      return new Permanent("LOGIN_CONFIRMATION_OFF");
    default:
      return status === 401 ? error : new Permanent("LOGIN_CHANGE_REFUSED", { customer: customerId, code });
  }
}

/** Another login has the address: wait until its customer confirms another one, or ask a person. */
function notFree(
  ctx: StepContext,
  customerId: number,
  inTheWay: NonNullable<Awaited<ReturnType<typeof whoMustMoveFirst>>>,
): Permanent | Wait {
  const details = { customer: customerId, other: inTheWay.customerId ?? "nobody" };
  if (inTheWay.kind === "circle" && inTheWay.isOursToAsk) {
    return new Permanent("LOGIN_EMAILS_SWAPPED", details);
  }
  const now = ctx.now().getTime();
  const isTooLong = now - ctx.task.createdAt.getTime() > NOT_FREE_DAYS * 24 * 60 * MINUTE_MS;
  if (inTheWay.kind === "stays" || isTooLong) return new Permanent("LOGIN_EMAIL_TAKEN", details);
  return new Wait(new Date(now + NOT_FREE_WAIT_MS), "LOGIN_EMAIL_NOT_FREE", details);
}
