import { beginRun, commitPage, comparePage, isAwaited, type Met, rowsBy } from "../../owners/drift-page.ts";
import { compareUnseen } from "../../owners/drift-unseen.ts";
import type { FollowUp } from "../../queue/reasons.ts";
import { defineOwnStep } from "../../queue/step.ts";

const STEP = "drift.logins";

/**
 * Every night: does each login show the email that the CRM has? One page of Supabase Auth's users a task, against their
 * profiles at the CRM (one call); then the logins of the registry that were not listed. A login is never set: what
 * differs has the customer asked, once for each address.
 */
export const driftLogins = defineOwnStep(STEP, {
  queue: "login",
  async run(ctx, { run_id: runId, page = 0, cursor, after }) {
    if (runId === undefined) return beginRun(ctx, STEP, "login");
    const place = { vendor: "login", runId, page } as const;
    if (!(await isAwaited(ctx.deps.db, place))) return { kind: "done" };
    if (after !== undefined) return await compareUnseen(ctx, STEP, place, after);
    const listed = await ctx.vendors.login.listUsers(cursor ?? null);
    const rows = await rowsBy(ctx.deps.db, "login_user_id", listed.entries.map(({ id }) => id));
    const met = listed.entries.flatMap((login): Met[] => {
      const row = rows.get(login.id);
      return row ? [{ row, plan: null, stripe: null, login }] : [];
    });
    const look = await comparePage(ctx, "login", met);
    look.unlinked += listed.entries.length - met.length;
    const from = listed.next === null ? { after: 0 } : { cursor: listed.next };
    return {
      kind: "done",
      commit: (trx) =>
        commitPage(
          trx,
          ctx,
          place,
          look,
          met,
          (run): FollowUp => ({ step: STEP, data: { ...run, ...from } }),
        ),
    };
  },
});
