import { setTimeout as sleep } from "node:timers/promises";
import type { Fault } from "../sandbox/faults.ts";
import type { Life } from "../stack/life.ts";
import { OUTAGE_WAVE } from "./cast.ts";
import type { Stage } from "./stage.ts";

export interface Injected {
  vendor: string;
  what: string;
  met: number;
}

const DOUBLED_SHARE = 0.15;
const OUTAGE_STEP_MINUTES = 20;
const OUTAGE_STEPS = 6;

/** The faults of the story, in its order. */
export function makeTroubles({ stack, progress }: Stage) {
  const { stripe, health, pharmacy, crm } = stack.vendors;
  const sandboxes = { stripe, health, pharmacy, crm };
  const injected: Injected[] = [];
  let holdSeen: string | null = null;

  function add(vendor: keyof typeof sandboxes, fault: Fault): void {
    sandboxes[vendor].faults.add(fault);
  }

  /** Ends all faults of the vendor and writes down how often each was met. */
  function end(vendor: keyof typeof sandboxes): void {
    const { faults } = sandboxes[vendor];
    faults.clear();
    for (const [what, met] of faults.met) {
      const known = injected.find((one) => one.vendor === vendor && one.what === what);
      if (known) known.met = met;
      else injected.push({ vendor, what, met });
    }
  }

  const waves: Record<number, { says: string; before?: () => void; during?: () => Promise<void> }> = {
    0: { says: "webhooks come doubled and shuffled" },
    1: {
      says: "the pharmacy takes orders, its replies get lost, and its webhooks come late",
      before: () => {
        // The pharmacy's list is then the only word of those orders.
        pharmacy.outbox.faults.silent = true;
        add("pharmacy", { kind: "lose_answer", operation: "create order", times: 6 });
        add("health", { kind: "status", status: 500, times: 3 });
      },
    },
    2: {
      says:
        "the pharmacy takes two orders only after our look, and Stripe a subscription; vendors ask to slow down",
      before: () => {
        add("pharmacy", { kind: "late_commit", operation: "create order", times: 2 });
        add("pharmacy", {
          kind: "status",
          status: 429,
          retryAfterSeconds: 20,
          operation: "get order",
          times: 1,
        });
        add("stripe", { kind: "status", status: 429, retryAfterSeconds: 7, times: 2 });
        add("stripe", { kind: "lose_request", times: 3 });
        add("stripe", { kind: "lose_answer", operation: "create subscription", times: 1 });
        add("stripe", { kind: "late_commit", operation: "create subscription", times: 1 });
      },
    },
    [OUTAGE_WAVE]: {
      says: `the pharmacy is out for ${(OUTAGE_STEPS * OUTAGE_STEP_MINUTES) / 60} hours (503)`,
      before: () => add("pharmacy", { kind: "status", status: 503 }),
    },
    4: {
      says: "the webhooks function is killed while events come in",
      during: async () => {
        const pid = stack.functionPid("webhooks");
        if (pid === undefined) return;
        process.kill(pid, "SIGKILL");
        injected.push({ vendor: "clockwork", what: "webhooks function killed", met: 1 });
        await stack.vendors.flush();
        await waitUntil(() => stack.functionPid("webhooks") !== undefined);
      },
    },
  };

  return {
    /** The injected faults and how often each was met, for the report. */
    injected,
    /** Why Clockwork held the pharmacy's queue during its outage; null if it did not. */
    holdSeen: () => holdSeen,
    /** Every vendor doubles and shuffles its webhooks from here on. */
    disturbTheMail(): void {
      for (const { outbox } of Object.values(sandboxes)) {
        Object.assign(outbox.faults, { doubled: DOUBLED_SHARE, shuffled: true });
      }
    },
    announce: (wave: number) => waves[wave]?.says ?? "all is well",
    before: (wave: number) => waves[wave]?.before?.(),
    isOutage: (wave: number) => wave === OUTAGE_WAVE,
    async during(wave: number, work: () => Promise<void>): Promise<void> {
      await waves[wave]?.during?.();
      await work();
    },
    async after(wave: number, life: Life): Promise<void> {
      if (wave === OUTAGE_WAVE) {
        for (let step = 1; step < OUTAGE_STEPS; step++) await life.pass({ minutes: OUTAGE_STEP_MINUTES });
        const { rows } = await stack.pool.query<{ paused_reason: string }>(
          "select paused_reason from ops.vendors where vendor = 'pharmacy' and state = 'paused'",
        );
        holdSeen = rows[0]?.paused_reason ?? null;
        progress(
          holdSeen
            ? `the pharmacy's queue is held: ${holdSeen}`
            : "the pharmacy's queue is NOT held, though the pharmacy is out",
        );
        end("pharmacy");
        await life.pass({ minutes: 11 });
      }
      if (wave === 1) {
        await life.rest({ minutes: 10 });
        pharmacy.outbox.faults.silent = false;
        await life.work();
      }
      if (wave === 2) {
        await life.rest({ minutes: 10 });
        await pharmacy.faults.commitLate();
        await stripe.faults.commitLate();
        await life.work();
      }
      for (const vendor of ["stripe", "health", "pharmacy"] as const) if (wave !== OUTAGE_WAVE) end(vendor);
    },
    /** The CRM's replies get lost while `live` goes on. */
    async crmLosesReplies(life: Life, live: () => Promise<void>): Promise<void> {
      add("crm", { kind: "lose_answer", times: 4 });
      add("crm", { kind: "status", status: 500, times: 2 });
      await live();
      end("crm");
      await life.rest({ minutes: 60 });
    },
    async secondMonth(life: Life): Promise<void> {
      add("pharmacy", { kind: "lose_answer", operation: "create order", times: 2 });
      add("pharmacy", { kind: "lose_answer", operation: "cancel order", times: 1 });
      add("stripe", { kind: "status", status: 500, share: 0.05, times: 5 });
      await life.work();
      await life.rest({ minutes: 15 });
      end("pharmacy");
      end("stripe");
    },
    /** Ends all faults. Webhooks that were kept back are sent from now on. */
    calm(): void {
      for (const { outbox, faults } of Object.values(sandboxes)) {
        faults.clear();
        Object.assign(outbox.faults, { doubled: 0, shuffled: false, silent: false });
      }
    },
  };
}

async function waitUntil(isSo: () => boolean): Promise<void> {
  while (!isSo()) await sleep(25);
}
