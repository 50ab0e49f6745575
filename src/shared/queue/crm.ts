import type { Trx } from "../db/database.ts";
import type { Crm, CrmProfile } from "../vendors/crm.ts";
import { Permanent } from "./reasons.ts";
import type { StepContext } from "./step.ts";

const SEND_EVENT = "send event";

/** The CRM ignores a repeat of an event's id for at least this long. It starts nothing for an event that is older. */
export const CRM_WINDOW_HOURS = 72;

/**
 * Tells the CRM a fact, once.
 * @param key the event's id, and the effect's key
 * @param event is built right before the send, after `guard`
 */
export async function tellOnce(
  ctx: StepContext,
  key: string,
  event: () => Omit<Parameters<Crm["sendEvent"]>[0], "id">,
  guard: () => Promise<void> = () => Promise.resolve(),
): Promise<void> {
  await ctx.once({
    vendor: "crm",
    operation: SEND_EVENT,
    key,
    idempotentForSeconds: CRM_WINDOW_HOURS * 3600,
    guard,
    send: async () => {
      await ctx.vendors.crm.sendEvent({ ...event(), id: key });
      return null;
    },
  });
}

/** True while a send of the event had no reply: the CRM may know the fact. */
export async function mayBeTold(trx: Trx, key: string): Promise<boolean> {
  const sent = await trx.selectFrom("clockwork.effects").select("id")
    .where("vendor", "=", "crm").where("operation", "=", SEND_EVENT).where("key", "=", key)
    .where("state", "=", "INTENT").where("sent_at", "is not", null).executeTakeFirst();
  return sent !== undefined;
}

/** The CRM's profile of a customer. Throws Permanent where the CRM does not have it. */
export async function readProfile(ctx: StepContext, person: string, customer: number): Promise<CrmProfile> {
  const profile = (await ctx.vendors.crm.readProfiles([person])).get(person);
  if (!profile) throw new Permanent("CRM_PERSON_UNKNOWN", { person, customer });
  return profile;
}
