import { beforeEach, describe, expect, test } from "vitest";
import { type Effect, EFFECT_LEASE_SECONDS, once } from "../../src/shared/queue/effects.ts";
import { Permanent, Wait } from "../../src/shared/queue/reasons.ts";
import { VendorError } from "../../src/shared/vendors/contract.ts";
import { addTask, effects } from "../support/act.ts";
import { makeWorld, type World } from "../support/world.ts";

let world: World;
let taskId: number;
/** What the vendor really made. */
let made: string[];

beforeEach(async () => {
  world = await makeWorld();
  taskId = await addTask(world.db, "order.place", { order_id: 1 });
  made = [];
});

/** An effect at a vendor that makes `thing-<n>` with each send and lists what it made. */
function effect(overrides: Partial<Effect> = {}): Effect {
  return {
    vendor: "pharmacy",
    operation: "make thing",
    key: "line:1:1",
    visibleAfterSeconds: 60,
    find: () => Promise.resolve(made[0] ?? null),
    send: () => {
      made.push(`thing-${made.length + 1}`);
      return Promise.resolve(made.at(-1) ?? null);
    },
    ...overrides,
  };
}

const unanswered = () => new VendorError("pharmacy", "unanswered", "make thing");
/** Does it, then the answer is lost. */
const sendAndLose = () => {
  made.push(`thing-${made.length + 1}`);
  return Promise.reject(unanswered());
};

describe("once", () => {
  test("does it, and never again however often it is asked", async () => {
    expect(await once(world.deps, taskId, effect())).toBe("thing-1");
    await world.pass({ days: 45 });
    expect(await once(world.deps, taskId, effect())).toBe("thing-1");
    expect(made).toEqual(["thing-1"]);
    expect(await effects(world)).toMatchObject([{
      state: "CONFIRMED",
      reference: "thing-1",
      attempt: 1,
      leased_until: null,
    }]);
  });

  test("another key is another thing", async () => {
    await once(world.deps, taskId, effect());
    expect(await once(world.deps, taskId, effect({ key: "line:1:2" }))).toBe("thing-2");
  });

  test("a send without an answer is looked up, not before it had time to show, and found", async () => {
    await expect(once(world.deps, taskId, effect({ send: sendAndLose }))).rejects.toThrow(VendorError);
    expect(await effects(world)).toMatchObject([{ state: "INTENT", leased_until: null }]);
    await expect(once(world.deps, taskId, effect())).rejects.toMatchObject({
      reason: { code: "EFFECT_SETTLING" },
    });
    await world.pass({ seconds: 61 });
    expect(await once(world.deps, taskId, effect())).toBe("thing-1");
    expect(made).toEqual(["thing-1"]);
  });

  test("a send without an answer that was not done is sent again", async () => {
    const lost = effect({ send: () => Promise.reject(unanswered()) });
    await expect(once(world.deps, taskId, lost)).rejects.toThrow(VendorError);
    await world.pass({ seconds: 61 });
    expect(await once(world.deps, taskId, effect())).toBe("thing-1");
    expect(await effects(world)).toMatchObject([{ state: "CONFIRMED", attempt: 2 }]);
  });

  test("waiting to settle does not move the moment it was sent", async () => {
    await expect(once(world.deps, taskId, effect({ send: sendAndLose }))).rejects.toThrow(VendorError);
    for (let i = 0; i < 5; i++) {
      await world.pass({ seconds: 10 });
      await expect(once(world.deps, taskId, effect())).rejects.toThrow(Wait);
    }
    await world.pass({ seconds: 11 });
    expect(await once(world.deps, taskId, effect())).toBe("thing-1");
  });

  test("a look-up that fails leaves it to be looked up again", async () => {
    await expect(once(world.deps, taskId, effect({ send: sendAndLose }))).rejects.toThrow(VendorError);
    await world.pass({ seconds: 61 });
    await expect(once(world.deps, taskId, effect({ find: () => Promise.reject(unanswered()) }))).rejects
      .toThrow(VendorError);
    expect(await once(world.deps, taskId, effect())).toBe("thing-1");
    expect(made).toEqual(["thing-1"]);
  });

  test("tells a send how often the vendor said no, and only that", async () => {
    const told: number[] = [];
    const ends = ["unanswered", "refused", "rate_limited", "refused", "unreachable"] as const;
    for (const failure of ends) {
      const send = (refusals: number) => {
        told.push(refusals);
        return Promise.reject(new VendorError("pharmacy", failure, "make thing"));
      };
      await expect(once(world.deps, taskId, effect({ send }))).rejects.toThrow();
      await world.pass({ minutes: 2 });
    }
    expect(told).toEqual([0, 0, 1, 1, 2]);
    expect(await effects(world)).toMatchObject([{ state: "REFUSED", refusals: 2 }]);
  });

  test.each(["refused", "rate_limited", "unreachable"] as const)(
    "a vendor that %s surely did nothing: no look-up",
    async (failure) => {
      const send = () => Promise.reject(new VendorError("pharmacy", failure, "make thing"));
      await expect(once(world.deps, taskId, effect({ send }))).rejects.toThrow(VendorError);
      expect(await effects(world)).toMatchObject([{ state: "REFUSED", leased_until: null }]);
      const find = () => Promise.reject(new Error("must not be asked"));
      expect(await once(world.deps, taskId, effect({ find }))).toBe("thing-1");
    },
  );

  test("a bug after the send counts as unanswered", async () => {
    const send = () => {
      made.push("thing-1");
      return Promise.reject(new TypeError("a bug"));
    };
    await expect(once(world.deps, taskId, effect({ send }))).rejects.toThrow(TypeError);
    await world.pass({ seconds: 61 });
    expect(await once(world.deps, taskId, effect())).toBe("thing-1");
    expect(made).toEqual(["thing-1"]);
  });

  test("while one run holds it another waits, uncounted, until the lease is over", async () => {
    let release = () => {};
    const held = new Promise<void>((resolve) => (release = resolve));
    let sending = () => {};
    const isSending = new Promise<void>((resolve) => (sending = resolve));
    const slow = once(
      world.deps,
      taskId,
      effect({
        send: async () => {
          sending();
          await held;
          made.push("slow");
          return "slow";
        },
      }),
    );
    await isSending;
    await expect(once(world.deps, taskId, effect())).rejects.toMatchObject({
      reason: { code: "EFFECT_HELD" },
    });
    release();
    expect(await slow).toBe("slow");
    expect(await once(world.deps, taskId, effect())).toBe("slow");
    expect(made).toEqual(["slow"]);
  });

  test("a run that slept past its lease finds out before it sends", async () => {
    const zombie = {
      ...world.deps,
      faultPoint: async (name: string) => {
        if (name === "effect looked up") await world.pass({ seconds: EFFECT_LEASE_SECONDS + 61 });
      },
    };
    await expect(once(zombie, taskId, effect())).rejects.toThrow(Wait);
    expect(made).toEqual([]);
    expect(await once(world.deps, taskId, effect())).toBe("thing-1");
  });

  test("the first confirmation stands, and a second thing that was made is logged", async () => {
    // The lease runs out while the first send is on its way; the second run sees nothing and sends too.
    const slow = effect({
      send: async () => {
        await world.pass({ seconds: EFFECT_LEASE_SECONDS + 61 });
        await once(world.deps, taskId, effect({ find: () => Promise.resolve(null) }));
        made.push("late");
        return "late";
      },
    });
    expect(await once(world.deps, taskId, slow)).toBe("thing-1");
    expect(made).toEqual(["thing-1", "late"]);
    expect(world.lines).toContainEqual({
      event: "effect_made_twice",
      fields: { effect: 1, standing: "thing-1", second: "late" },
    });
  });

  test("a drain that dies after the send leaves what may have been done to be found", async () => {
    const dying = {
      ...world.deps,
      faultPoint: (name: string) =>
        name === "effect sent" ? Promise.reject(new Error("killed")) : Promise.resolve(),
    };
    await expect(once(dying, taskId, effect())).rejects.toThrow("killed");
    await expect(once(world.deps, taskId, effect())).rejects.toThrow(Wait);
    await world.pass({ seconds: EFFECT_LEASE_SECONDS + 61 });
    expect(await once(world.deps, taskId, effect())).toBe("thing-1");
    expect(made).toEqual(["thing-1"]);
  });

  test("a guard calls it off before anything is sent", async () => {
    const guard = () => Promise.reject(new Permanent("CHARGE_REFUNDED"));
    await expect(once(world.deps, taskId, effect({ guard }))).rejects.toThrow(Permanent);
    expect(made).toEqual([]);
    expect(await effects(world)).toMatchObject([{ state: "REFUSED" }]);
    expect(await once(world.deps, taskId, effect())).toBe("thing-1");
  });

  test("with a vendor that ignores repeats it is simply sent again, as long as the vendor remembers", async () => {
    const remembering = (send: Effect["send"]): Effect => {
      const { find: _, ...rest } = effect({ idempotentForSeconds: 3600, send });
      return rest;
    };
    await expect(once(world.deps, taskId, remembering(sendAndLose))).rejects.toThrow(VendorError);
    await world.pass({ minutes: 59 });
    expect(await once(world.deps, taskId, remembering(() => Promise.resolve("same")))).toBe("same");
  });

  test("when nobody can be asked a person is, and their resend does it again", async () => {
    const { find: _, ...unaskable } = effect();
    await expect(once(world.deps, taskId, { ...unaskable, send: sendAndLose })).rejects.toThrow(VendorError);
    await expect(once(world.deps, taskId, unaskable)).rejects.toMatchObject({
      reason: { code: "OUTCOME_UNKNOWN" },
    });
    expect(await once(world.deps, taskId, unaskable)).toBe("thing-2");
  });
});
