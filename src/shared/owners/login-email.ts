import { type Customer, findCustomer } from "../registry/customers.ts";
import type { StepContext } from "../queue/step.ts";

/** No chain of customers who each wait for the next one's address is this long by chance. */
const LONGEST_CHAIN = 20;

/**
 * Another login that has the address: Supabase Auth gives no two logins the same.
 * - `stays`: the other login keeps it: it is in no row, or the CRM gives its customer the same address.
 * - `moves`: the CRM gives the other customer another address, and the login changes when they confirm it.
 * - `circle`: each login has the address that the next one is to have. None can begin; only one asks a person.
 */
type InTheWay =
  & { customerId: number | null }
  & ({ kind: "stays" | "moves" } | { kind: "circle"; isOursToAsk: boolean });

/** The login that must give up `email` before this customer's can have it; null when it is free, or this login's own. */
export async function whoMustMoveFirst(
  ctx: StepContext,
  customer: Customer,
  email: string,
): Promise<InTheWay | null> {
  const first = await readHolder(ctx, email);
  if (!first || first.loginId === customer.login_user_id) return null;
  const customerId = first.customer?.id ?? null;
  if (!first.wanted || isSame(first.wanted, email)) return { kind: "stays", customerId };
  const circle = [customer.id];
  let holder: Holder | null = first;
  for (let hop = 0; hop < LONGEST_CHAIN; hop++) {
    if (!holder?.customer || !holder.wanted) break;
    circle.push(holder.customer.id);
    holder = await readHolder(ctx, holder.wanted);
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

async function readHolder(ctx: StepContext, email: string): Promise<Holder | null> {
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
