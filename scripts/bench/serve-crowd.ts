import type { LocalVendors } from "../sandbox/vendors.ts";

// The other end of `withCrowd`: it runs in the vendors' process.

const KEYS_AT_ONCE = 5000;
const VENDORS = ["stripe", "health", "pharmacy", "crm", "login"] as const;

/** Makes the number of customers that is the first argument, and sends the keys of each, as `importOne` gives them. */
export function importAll(importOne: (n: number) => string[]): void {
  const count = Number(process.argv[2]);
  let keys: string[][] = [];
  for (let n = 0; n < count; n++) {
    keys.push(importOne(n));
    if (keys.length < KEYS_AT_ONCE && n < count - 1) continue;
    process.send?.({ keys });
    keys = [];
  }
}

/** Sends the vendors' URLs and keys, then their counts for each message, until the other end is gone. */
export function serveCrowd(vendors: LocalVendors): void {
  process.send?.({ env: vendors.env });
  process.on("message", () => {
    const callsOf = (vendor: (typeof VENDORS)[number]) =>
      [...vendors[vendor].faults.calls.values()].reduce((sum, calls) => sum + calls, 0);
    process.send?.({ calls: Object.fromEntries(VENDORS.map((vendor) => [vendor, callsOf(vendor)])) });
  });
  process.on("disconnect", () => process.exit(0));
}
