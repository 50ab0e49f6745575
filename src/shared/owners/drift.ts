import { sql } from "kysely";
import { countLater } from "../checks/runs.ts";
import type { Database, Trx } from "../db/database.ts";
import { hmacSha256, toHex } from "../vendors/signing.ts";
import { type Difference, type MirroredFact, OWNERS } from "./owners.ts";

/** A difference as it may be kept: its values as keyed hashes. */
interface HashedDifference extends Pick<Difference, "fact" | "system" | "attribute"> {
  ownerHash: string;
  mirrorHash: string;
}

/** Hashes are equal for equal values of one customer and attribute, and never for two customers. */
export async function hashDifferences(
  secret: string,
  customerId: number,
  differences: readonly Difference[],
): Promise<HashedDifference[]> {
  return await Promise.all(differences.map(async ({ fact, system, attribute, owner, mirror }) => {
    const hash = async (value: string | null) => {
      // Supabase Auth keeps emails in lower case, which makes no difference.
      const compared = system === "login" ? value?.toLowerCase() ?? null : value;
      return toHex(await hmacSha256(secret, JSON.stringify([customerId, fact, attribute, compared])));
    };
    return { fact, system, attribute, ownerHash: await hash(owner), mirrorHash: await hash(mirror) };
  }));
}

/**
 * Writes the differences to `tracker.drift`: one row for each mirror, until it is repaired. Counts each mirror once in
 * the run. Returns the differences that are new.
 */
export async function recordDrift(trx: Trx, found: {
  customerId: number;
  runId: number | null;
  taskId: number;
  differences: readonly HashedDifference[];
}): Promise<HashedDifference[]> {
  const { customerId, runId, taskId, differences } = found;
  const fresh: HashedDifference[] = [];
  let counted = 0;
  for (const difference of differences) {
    const { fact, system, attribute, ownerHash, mirrorHash } = difference;
    const open = await trx.selectFrom("tracker.drift").select(["id", "run_id", "owner_hash", "mirror_hash"])
      .where("customer_id", "=", customerId).where("system", "=", system).where("attribute", "=", attribute)
      .where("repaired_at", "is", null).forUpdate().executeTakeFirst();
    if (open) {
      const isSame = open.owner_hash === ownerHash && open.mirror_hash === mirrorHash;
      const isNewRun = runId !== null && runId !== open.run_id;
      await trx.updateTable("tracker.drift")
        .set((eb) => ({
          owner_hash: ownerHash,
          mirror_hash: mirrorHash,
          ...(isSame ? {} : { changed_at: sql<Date>`clockwork.now()` }),
          ...(isNewRun ? { run_id: runId, looks: eb("looks", "+", 1) } : {}),
        }))
        .where("id", "=", open.id).execute();
      if (isNewRun) counted += 1;
      continue;
    }
    const row = await trx.insertInto("tracker.drift")
      .values({
        customer_id: customerId,
        fact,
        owner: OWNERS[fact].owner,
        system,
        attribute,
        owner_hash: ownerHash,
        mirror_hash: mirrorHash,
        run_id: runId,
        task_id: taskId,
      })
      .onConflict((conflict) => conflict.doNothing())
      .returning("id").executeTakeFirst();
    if (row === undefined) continue;
    fresh.push(difference);
    counted += 1;
  }
  if (runId !== null) await countLater(trx, runId, { missing: counted, repaired: 0 });
  return fresh;
}

/** The open drift of these customers: rows whose mirror was not yet read with the owner's value. */
export async function openDriftOf(db: Database | Trx, customerIds: readonly number[]) {
  if (customerIds.length === 0) return [];
  return await db.selectFrom("tracker.drift").select(["id", "customer_id", "fact", "system", "attribute"])
    .where("customer_id", "in", [...customerIds]).where("repaired_at", "is", null)
    .execute();
}

/** Closes rows of `tracker.drift` whose mirror shows the owner's value. */
export async function markRepaired(trx: Trx, driftIds: readonly number[]): Promise<void> {
  if (driftIds.length === 0) return;
  const rows = await trx.updateTable("tracker.drift").set({ repaired_at: sql<Date>`clockwork.now()` })
    .where("id", "in", [...driftIds]).where("repaired_at", "is", null)
    .returning("run_id").execute();
  for (const [runId, ofRun] of Map.groupBy(rows, ({ run_id }) => run_id)) {
    if (runId !== null) await countLater(trx, runId, { missing: 0, repaired: ofRun.length });
  }
}

type MirrorName = Pick<Difference, "system" | "attribute">;

/** Closes the open drift of a customer's fact, but for the mirrors that `still` differ. */
export async function closeDrift(
  trx: Trx,
  customerId: number,
  fact: MirroredFact,
  still: readonly MirrorName[] = [],
): Promise<void> {
  const open = (await openDriftOf(trx, [customerId])).filter((row) => row.fact === fact);
  await markRepaired(trx, open.filter((row) => !differs(row, still)).map(({ id }) => id));
}

/** True when the mirror of an open row is among the differences. */
export function differs(
  row: { system: string; attribute: string },
  differences: readonly MirrorName[],
): boolean {
  return differences.some(({ system, attribute }) => system === row.system && attribute === row.attribute);
}
