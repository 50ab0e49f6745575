import { importMember } from "../sandbox/members.ts";
import { seeded } from "../sandbox/random.ts";
import { startVendors } from "../sandbox/vendors.ts";
import { importAll, serveCrowd } from "./serve-crowd.ts";

// The drift section's vendors: many customers whose facts are in step, but for one in a hundred.

const ONE_DRIFTED_IN = 100;

const now = () => new Date();
const vendors = await startVendors({ now, random: seeded(1), webhooksUrl: "http://127.0.0.1:1" });
importAll((n) => {
  const { stripeCustomerId, crmPersonId, loginUserId, email } = importMember(vendors, n, now());
  if (n % ONE_DRIFTED_IN === 0) {
    const at = Math.floor(now().getTime() / 1000);
    vendors.crm.people.get(crmPersonId)?.attributes.set("plan_state", { value: "paused", at });
  }
  return [stripeCustomerId, crmPersonId, loginUserId, email];
});
serveCrowd(vendors);
