import type { BalanceTransaction } from "./money-objects.ts";
import type { StripeState } from "./state.ts";

interface Movement {
  /** Follows from the id of what moved the money, without a random number: a seed gives the same ids as before. */
  id: string;
  /** Signed: below 0 it leaves the account. */
  amount: number;
  currency: string;
  description: string;
  /** The charge, refund or dispute. */
  source: string;
  type: "refund" | "refund_failure" | "adjustment";
  fee?: number;
}

/** Moves money on the account's own balance at Stripe. No event: Stripe sends those of the source. */
export function moveBalance(state: StripeState, { fee = 0, ...movement }: Movement): BalanceTransaction {
  const now = state.nowSeconds();
  return state.balanceTransactions.add({
    ...movement,
    object: "balance_transaction",
    available_on: now,
    created: now,
    fee,
    net: movement.amount - fee,
    status: "available",
  });
}
