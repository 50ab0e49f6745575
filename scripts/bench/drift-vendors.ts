import { seeded } from "../sandbox/server.ts";
import { importMember } from "../sandbox/members.ts";
import { startVendors } from "../sandbox/vendors.ts";

// The vendors with many customers whose facts are in step, but for one in a hundred, in a process of their own, so that
// their memory is not ours. Started by the drift section; answers `calls` with its counts.

const KEYS_AT_ONCE = 5000;
const ONE_DRIFTED_IN = 100;

const count = Number(process.argv[2]);
const now = () => new Date();
const vendors = await startVendors({ now, random: seeded(1), webhooksUrl: "http://127.0.0.1:1" });
let keys: [string, string, string, string][] = [];
for (let n = 0; n < count; n++) {
  const member = importMember(vendors, n, now());
  if (n % ONE_DRIFTED_IN === 0) {
    const at = Math.floor(now().getTime() / 1000);
    vendors.crm.people.get(member.crmPersonId)?.attributes.set("plan_state", { value: "paused", at });
  }
  keys.push([member.stripeCustomerId, member.crmPersonId, member.loginUserId, member.email]);
  if (keys.length === KEYS_AT_ONCE || n === count - 1) {
    process.send?.({ keys });
    keys = [];
  }
}
process.send?.({ env: vendors.env });
process.on("message", () => {
  const calls = Object.fromEntries(
    (["stripe", "crm", "login"] as const).map((vendor) => [
      vendor,
      [...vendors[vendor].faults.calls.values()].reduce((sum, calls) => sum + calls, 0),
    ]),
  );
  process.send?.({ calls });
});
process.on("disconnect", () => process.exit(0));
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(130));
