import { z } from "zod";
import { dayIn } from "../../src/shared/day.ts";
import { bearer, jsonBody, makeApp, Refusal } from "./app.ts";
import { Faults, withFaults } from "./faults.ts";
import { Outbox } from "./outbox.ts";
import { makeEvents } from "./photon/events.ts";
import { makeGraphqlExecutor, operationName } from "./photon/graphql.ts";
import { makeOrders } from "./photon/orders.ts";
import { PhotonState, prescriptionState } from "./photon/state.ts";
import { randomId, ulid } from "./random.ts";
import type { Sandbox, SandboxDeps } from "./server.ts";
import { mustHave } from "./shelf.ts";

/** The credentials that the sandbox's login takes. */
export const PHOTON_SANDBOX_CLIENT = {
  clientId: "photon_sandbox_client",
  clientSecret: "photon_sandbox_secret",
} as const;

const TOKEN_SECONDS = 24 * 60 * 60;

const login = z.object({
  grant_type: z.literal("client_credentials"),
  client_id: z.string().min(1),
  client_secret: z.string().min(1),
  audience: z.string().min(1),
});

/**
 * Photon Health on loopback: `POST /oauth/token`, `POST /graphql`, and its signed webhooks. `externalId` is not
 * unique and there is no idempotency key: a call that is sent twice is done twice.
 */
export function makePhotonSandbox(deps: SandboxDeps) {
  const faults = new Faults(deps.random);
  const outbox = new Outbox({ ...deps, url: deps.webhook.url }, {
    givesUpOn: (status) => status >= 400 && status < 500 && status !== 408 && status !== 429,
  });
  const state = new PhotonState();
  const events = makeEvents(deps, state, outbox);
  const orders = makeOrders(deps, state, events);
  const execute = makeGraphqlExecutor(state, orders, deps.now);
  /** Token to the moment (ms) at which it ends. */
  const tokens = new Map<string, number>();

  const app = makeApp(({ status, code, message }) =>
    Response.json({ data: null, errors: [{ message, extensions: { code } }] }, { status })
  );

  app.post("/oauth/token", withFaults(faults, "token"), async (c) => {
    const asked = login.safeParse(await jsonBody(c));
    if (!asked.success) return c.json({ error: "invalid_request" }, 400);
    const { client_id, client_secret } = asked.data;
    const { clientId, clientSecret } = PHOTON_SANDBOX_CLIENT;
    if (client_id !== clientId || client_secret !== clientSecret) {
      return c.json({ error: "access_denied", error_description: "Unauthorized" }, 401);
    }
    const token = randomId(deps.random, "sandbox.", 40);
    tokens.set(token, deps.now().getTime() + TOKEN_SECONDS * 1000);
    return c.json({
      access_token: token,
      scope: "read:patient write:patient read:prescription read:order write:order",
      expires_in: TOKEN_SECONDS,
      token_type: "Bearer",
    });
  });

  // The clone leaves the body itself to the handler.
  const nameOf = withFaults(
    faults,
    async (c) => operationName(await c.req.raw.clone().json().catch(() => null)),
  );
  app.post("/graphql", nameOf, async (c) => {
    if ((tokens.get(bearer(c)) ?? 0) <= deps.now().getTime()) {
      throw new Refusal(401, "UNAUTHENTICATED", "not signed in");
    }
    return c.json(execute(await jsonBody(c)));
  });

  // The API alone creates and cancels orders.
  const { create: _create, cancel: _cancel, ...pharmacy } = orders;
  return {
    app,
    faults,
    outbox,
    state,
    ...pharmacy,
    /** Returns the patient's id, `pat_…`. */
    createPatient({ externalId }: { externalId: string | null }): string {
      const id = "pat_" + ulid(deps.now(), deps.random);
      state.patients.set(id, { id, externalId });
      return id;
    },
    /** Signed and on file; `externalId` is the health record's id. Dates are `YYYY-MM-DD`. Returns `rx_…`. */
    writePrescription(written: {
      patientId: string;
      externalId: string | null;
      treatmentId: string;
      fillsAllowed: number;
      daysSupply: number;
      expirationDate: string;
      instructions: string;
    }): string {
      mustHave(state.patients, written.patientId);
      const writtenAt = deps.now();
      const prescription = state.prescriptions.add({
        ...written,
        id: "rx_" + ulid(deps.now(), deps.random),
        fillsRemaining: written.fillsAllowed,
        effectiveDate: dayIn(writtenAt, "UTC"),
        writtenAt: writtenAt.toISOString(),
        canceled: false,
      });
      events.prescription("created", prescription);
      return prescription.id;
    },
    cancelPrescription(prescriptionId: string): void {
      const prescription = mustHave(state.prescriptions, prescriptionId);
      if (prescription.canceled) return;
      prescription.canceled = true;
      events.prescription("canceled", prescription);
    },
    /** A fill without an order through the API: over the counter, by phone. Throws when no fill is left. */
    handOut(prescriptionId: string): void {
      const prescription = mustHave(state.prescriptions, prescriptionId);
      const standing = prescriptionState(prescription, deps.now());
      if (standing !== "ACTIVE") throw new Error(`prescription ${prescriptionId} is ${standing}`);
      prescription.fillsRemaining -= 1;
      if (prescription.fillsRemaining === 0) events.prescription("depleted", prescription);
    },
    /** Orders with this `externalId` that are neither CANCELED nor ERROR: more than one is a second parcel. */
    liveOrders: (reference: string) =>
      [...state.orders.values()].filter((order) =>
        order.externalId === reference && order.state !== "CANCELED" && order.state !== "ERROR"
      ),
    /** Every token given so far stops working. */
    revokeTokens: () => tokens.clear(),
  } satisfies Sandbox & Record<string, unknown>;
}
