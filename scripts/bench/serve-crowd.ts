import type { LocalVendors } from "../sandbox/vendors.ts";

// The other end of `startCrowd`: it runs in the vendors' process.

const KEYS_AT_ONCE = 5000;
const VENDORS = ["stripe", "health", "pharmacy", "crm", "login"] as const;

/** Makes as many customers as the process was started for, and sends the keys that `importOne` gives for each. */
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

/** Says where the vendors are reached, then answers `calls` with their counts until the other end is gone. */
export function serveCrowd(vendors: LocalVendors): void {
  process.send?.({ env: vendors.env });
  process.on("message", () => {
    const callsOf = (vendor: (typeof VENDORS)[number]) =>
      [...vendors[vendor].faults.calls.values()].reduce((sum, calls) => sum + calls, 0);
    process.send?.({ calls: Object.fromEntries(VENDORS.map((vendor) => [vendor, callsOf(vendor)])) });
  });
  process.on("disconnect", () => process.exit(0));
}
