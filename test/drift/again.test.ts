import { sql } from "kysely";
import { describe, expect, test } from "vitest";
import { setStatus, stopped } from "../support/act.ts";
import { makeWorld, type World } from "../support/world.ts";
import { crowd, editPlan, type Member, nextNight, profile, rows } from "./support.ts";

async function oneMember(): Promise<{ world: World; member: Member }> {
  const world = await makeWorld();
  const [member] = await crowd(world, 1);
  if (!member) throw new Error("nobody");
  return { world, member };
}

const questions = async (world: World) =>
  (await stopped(world)).filter(({ reason_code }) => reason_code === "DRIFTS_AGAIN");

const causeOf = async (world: World, fact = "plan_state") =>
  (await rows(world, `select likely_cause from ops.drift where fact = '${fact}'`))[0]?.["likely_cause"];

describe("a fact that drifts again and again", () => {
  test(
    "goes to a person once, with the cause, and closes itself when it is quiet",
    { timeout: 180_000 },
    async () => {
      const { world, member } = await oneMember();
      const spoil = () => editPlan(world, member.crmPersonId, { plan_state: "cancelled" });
      for (let i = 0; i < 2; i++) {
        spoil();
        await nextNight(world);
        expect(await questions(world)).toEqual([]);
      }
      spoil();
      await nextNight(world);
      const [asked, ...more] = await questions(world);
      expect(more).toEqual([]);
      expect(asked?.reason).toBe(
        `plan_state of customer ${member.customerId} differed from Stripe in the CRM 3 times within 14 days. ` +
          "Likely cause: Something else writes to the CRM. The value of Stripe was put there 2 times, and the same other value came back each time.",
      );
      expect(await rows(world, "select times_in_30_days, task_id from ops.drift")).toEqual([
        { times_in_30_days: 3, task_id: asked?.id },
      ]);
      // No second one while it is open; what drifts is put right all the same.
      for (let i = 0; i < 4; i++) {
        spoil();
        await nextNight(world);
      }
      expect((await questions(world)).map(({ id }) => id)).toEqual([asked?.id]);
      expect(await profile(world, member)).toMatchObject({ planState: "active" });
      // Sent again while it drifts still: put right, and it stays.
      spoil();
      await setStatus(world.db, asked?.id ?? 0, "PENDING");
      await world.drainAll();
      expect((await questions(world)).map(({ id }) => id)).toEqual([asked?.id]);
      expect((await questions(world))[0]?.reason).toContain("7 times within 14 days");
      expect(await profile(world, member)).toMatchObject({ planState: "active" });
      // Sent again when it is quiet.
      await setStatus(world.db, asked?.id ?? 0, "PENDING");
      await world.drainAll();
      expect(await questions(world)).toEqual([]);
      expect(await world.task(asked?.id ?? 0)).toMatchObject({ status: "DONE" });
    },
  );

  test("counts from the last question on, and an old one that has been quiet ends by itself", {
    timeout: 180_000,
  }, async () => {
    const { world, member } = await oneMember();
    const spoil = () => editPlan(world, member.crmPersonId, { plan_state: "cancelled" });
    for (let i = 0; i < 3; i++) {
      spoil();
      await nextNight(world);
    }
    const [asked] = await questions(world);
    await setStatus(world.db, asked?.id ?? 0, "CANCELLED");
    for (let i = 0; i < 2; i++) {
      spoil();
      await nextNight(world);
    }
    expect(await questions(world)).toEqual([]);
    spoil();
    await nextNight(world);
    expect(await questions(world)).toHaveLength(1);
    await world.pass({ days: 13 });
    await nextNight(world);
    expect(await questions(world)).toEqual([]);
    expect(await stopped(world)).toEqual([]);
  });

  test("how often is often, and how many questions are enough, is data", { timeout: 120_000 }, async () => {
    const world = await makeWorld();
    const members = await crowd(world, 5);
    await sql`update clockwork.settings set drift_again_times = 2, drift_questions_at_most = 2`.execute(
      world.db,
    );
    for (let i = 0; i < 2; i++) {
      for (const { crmPersonId } of members) editPlan(world, crmPersonId, { plan_state: "cancelled" });
      await nextNight(world);
    }
    expect(await questions(world)).toHaveLength(2);
    expect(
      await rows(world, "select count(*)::int as all, max(times_in_30_days)::int as times from ops.drift"),
    )
      .toEqual([{ all: 5, times: 2 }]);
  });
});

describe("the likely cause", () => {
  test("once: not enough to tell", async () => {
    const { world, member } = await oneMember();
    editPlan(world, member.crmPersonId, { plan_state: "cancelled" });
    await nextNight(world);
    expect(await causeOf(world)).toBe(
      "It drifted once lately: an event of Stripe did not come, or somebody edited the CRM.",
    );
  });

  test("other values each time: somebody edits the mirror", async () => {
    const { world, member } = await oneMember();
    for (const plan_state of ["cancelled", "paused", "gold"]) {
      editPlan(world, member.crmPersonId, { plan_state });
      await nextNight(world);
    }
    expect(await causeOf(world)).toMatch(/^Somebody or something edits the CRM\. .* 3 times\.$/);
    expect((await questions(world))[0]?.reason).toContain("Somebody or something edits the CRM");
  });

  test("the owner's word changed each time and nothing of it was heard: events do not reach us", {
    timeout: 120_000,
  }, async () => {
    const { world, member } = await oneMember();
    const { stripe } = world.vendors;
    stripe.outbox.faults.dropped = 1;
    stripe.pause(member.subscriptionId);
    await nextNight(world);
    stripe.resume(member.subscriptionId);
    await nextNight(world);
    stripe.pause(member.subscriptionId);
    await nextNight(world);
    expect(await causeOf(world)).toBe(
      "Events of Stripe do not reach us. Its value changed 2 times, and no event came.",
    );
    expect(await questions(world)).toHaveLength(1);
    expect((await questions(world))[0]?.reason).toContain("Events of Stripe do not reach us");
  });

  test("both changed, and events were heard of: either", { timeout: 120_000 }, async () => {
    const { world, member } = await oneMember();
    const { stripe } = world.vendors;
    const at = member.crmPersonId;
    editPlan(world, at, { plan_state: "gold" });
    await nextNight(world);
    stripe.pause(member.subscriptionId);
    await world.drainAll();
    editPlan(world, at, { plan_state: "gold" });
    await nextNight(world);
    editPlan(world, at, { plan_state: "silver" });
    await nextNight(world);
    expect(await causeOf(world)).toBe(
      "Some events of Stripe do not reach us, or something else writes to the CRM. Both values changed.",
    );
  });
});
