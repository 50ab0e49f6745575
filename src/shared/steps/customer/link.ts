import type { Database, Trx } from "../../db/database.ts";
import { findCustomerById } from "../../registry/customers.ts";
import {
  holderOf,
  insertCustomer,
  inWords,
  type Key,
  KEYS,
  lockKeys,
  makeFormer,
  putKey,
  recogniseBy,
} from "../../registry/keys.ts";
import { isUuid } from "../../registry/references.ts";
import { Permanent, reason } from "../../queue/reasons.ts";
import { defineOwnStep, type StepContext } from "../../queue/step.ts";
import { assignCustomer, linked } from "../../registry/link.ts";

/**
 * Links a key to a customer, as a person says: `customer_id`, or null for a new customer. A contradiction with the registry
 * is refused. With `replace` the key replaces the one that the customer has.
 */
export const customerLink = defineOwnStep("customer.link", {
  queue: "health",
  async run(ctx, { system, key, customer_id, replace = false }) {
    if (system === "login" && !isUuid(key)) {
      throw new Permanent("INVALID_DATA", { problem: "key: not a uuid" });
    }
    const wish = { system, key, customerId: customer_id, replace };
    const atOwner = await readOwner(ctx, wish);
    if (atOwner === "gone") {
      return { kind: "cancelled", reason: reason("KEY_IS_GONE", { what: inWords(wish) }) };
    }
    const before = await decide(ctx.deps.db, wish);
    if (before.customerId !== null) ctx.about({ customerId: before.customerId });
    return {
      kind: "done",
      commit: async (trx) => {
        await lockKeys(trx);
        // A refusal here, after none above, fails this try; the next try stops with the reason.
        const { customerId, isThere, instead } = await decide(trx, wish);
        if (customerId === null) {
          const made = await insertCustomer(trx, [wish], atOwner.email);
          await assignCustomer(ctx, trx, made);
          return [linked(made)];
        }
        await assignCustomer(ctx, trx, customerId);
        if (isThere) return;
        if (instead !== null) await makeFormer(trx, { system, key: instead }, "replaced");
        await putKey(trx, customerId, wish);
        await recogniseBy(trx, customerId, atOwner.email);
        return [linked(customerId)];
      },
    };
  },
});

interface Wish extends Key {
  customerId: number | null;
  replace: boolean;
}

/** The change that the wish asks for. Throws Permanent for a contradiction. */
interface Change {
  /** Null: a new customer. */
  customerId: number | null;
  isThere: boolean;
  /** The key that the new one replaces. */
  instead: string | null;
}

async function decide(db: Database | Trx, wish: Wish): Promise<Change> {
  const what = inWords(wish);
  const target = wish.customerId === null ? null : await findCustomerById(db, wish.customerId);
  if (target === undefined) throw new Permanent("CUSTOMER_NOT_THERE", { customer: wish.customerId ?? 0 });
  const holder = await holderOf(db, wish);
  if (holder && target && holder.customerId !== target.id) {
    throw new Permanent("KEY_IS_ANOTHERS", { what, customer: holder.customerId });
  }
  if (holder?.why === null) return { customerId: holder.customerId, isThere: true, instead: null };
  if (holder && !target) {
    throw new Permanent("KEY_CAME_BACK", { what, customer: holder.customerId, why: holder.why ?? "" });
  }
  if (!target) return { customerId: null, isThere: false, instead: null };
  const instead = target[KEYS[wish.system].column];
  if (instead !== null && !wish.replace) {
    throw new Permanent("CUSTOMER_HAS_ANOTHER_KEY", { what, customer: target.id, other: instead });
  }
  return { customerId: target.id, isThere: false, instead };
}

/** `gone`: the owner has no record of the key. */
type Found = { email?: string } | "gone";

/** The email of the key's record at its owner, to recognise a new customer by. The pharmacy cannot be asked. */
async function readOwner(ctx: StepContext, { system, key }: Key): Promise<Found> {
  const { stripe, health, crm, login } = ctx.vendors;
  switch (system) {
    case "stripe":
      return found(await stripe.getCustomer(key));
    case "health": {
      const patient = await health.getPatient(key);
      if (!patient || patient.replacement.kind !== "none") return "gone";
      return found({ email: patient.emails[0] ?? null });
    }
    case "crm":
      return found((await crm.readProfiles([key])).get(key));
    case "login":
      return found(await login.getUser(key));
    case "pharmacy":
      return {};
  }
}

function found(record: { email: string | null } | null | undefined): Found {
  if (!record) return "gone";
  return record.email ? { email: record.email } : {};
}
