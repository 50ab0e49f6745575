import type { Account } from "./account.ts";
import type { CustomerBalanceTransaction } from "./money-objects.ts";

interface Change {
  /** Below 0 is a credit: the customer owes less. In cents. */
  amount: number;
  type: CustomerBalanceTransaction["type"];
  invoice?: string;
  creditNote?: string;
}

/** Moves the balance of a customer, which the next finalized invoice takes in. Sends `customer.updated`. */
export function changeBalance(
  { state, events }: Account,
  customerId: string,
  { amount, type, invoice, creditNote }: Change,
): CustomerBalanceTransaction | null {
  const customer = state.customers.get(customerId);
  if (!customer || amount === 0) return null;
  const previous = { balance: customer.balance };
  customer.balance += amount;
  const count = state.customerBalanceTransactions.group(customerId).size + 1;
  const transaction = state.customerBalanceTransactions.add({
    // Counted, without a random number: a seed gives the same ids as before.
    ...state.fresh("customer_balance_transaction", "", 0),
    id: `cbtxn_${customerId.slice("cus_".length)}${count}`,
    amount,
    credit_note: creditNote ?? null,
    currency: customer.currency ?? "usd",
    customer: customerId,
    description: null,
    ending_balance: customer.balance,
    invoice: invoice ?? null,
    type,
  });
  events.emit("customer.updated", customer, previous);
  return transaction;
}
