import { type Customer, findCustomer } from "../registry/customers.ts";
import type { StepContext } from "../queue/step.ts";

/** A chain of customers of which each waits for the next one's address is never this long by chance. */
const LONGEST_CHAIN = 20;

/**
 * Why Supabase Auth would not let a login have an address, for no two logins have the same.
 * - `stays`: the other one is to keep it: a login of nobody's, or of a customer to whom the CRM gives the same address.
 * - `moves`: the other one's customer has another address by now, and changes as soon as they confirm it.
 * - `circle`: each has the address that the next one is to have. None can begin; only one of them asks a person.
 */
export type InTheWay =
  & { customerId: number | null }
  & ({ kind: "stays" | "moves" } | { kind: "circle"; isOursToAsk: boolean });

/** Who must give up `email` before this customer's login can have it; null when it is free, or this login's own. */
export async function whoMustMoveFirst(
  ctx: StepContext,
  customer: Customer,
  email: string,
): Promise<InTheWay | null> {
  const first = await holderOf(ctx, email);
  if (!first || first.loginId === customer.login_user_id) return null;
  const customerId = first.customer?.id ?? null;
  if (!first.wanted || isSame(first.wanted, email)) return { kind: "stays", customerId };
  const circle = [customer.id];
  let holder: Holder | null = first;
  for (let hop = 0; hop < LONGEST_CHAIN; hop++) {
    if (!holder?.customer || !holder.wanted) break;
    circle.push(holder.customer.id);
    holder = await holderOf(ctx, holder.wanted);
    if (holder && holder.loginId === customer.login_user_id) {
      return { kind: "circle", customerId, isOursToAsk: customer.id === Math.min(...circle) };
    }
  }
  return { kind: "moves", customerId };
}

interface Holder {
  loginId: string;
  customer: Customer | undefined;
  /** The address that the CRM gives this login's customer. */
  wanted: string | null;
}

async function holderOf(ctx: StepContext, email: string): Promise<Holder | null> {
  const login = await ctx.vendors.login.findUser(email);
  if (!login) return null;
  const customer = await findCustomer(ctx.deps.db, "login_user_id", login.id);
  const personId = customer?.crm_person_id;
  const profile = personId ? (await ctx.vendors.crm.readProfiles([personId])).get(personId) : undefined;
  return { loginId: login.id, customer, wanted: profile?.email?.trim() || null };
}

function isSame(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}
