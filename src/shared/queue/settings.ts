import type { Database, Trx } from "../db/database.ts";

/** The zone of the pharmacy's days: `clockwork.settings.pharmacy_time_zone`, an IANA name. */
export async function pharmacyZone(db: Database | Trx): Promise<string> {
  const { pharmacy_time_zone } = await db.selectFrom("clockwork.settings").select("pharmacy_time_zone")
    .executeTakeFirstOrThrow();
  return pharmacy_time_zone;
}
