import { dayIn } from "../../src/shared/day.ts";
import { Hono } from "hono";
import { z } from "zod";
import { Faults, withFaults } from "./faults.ts";
import { Outbox } from "./outbox.ts";
import { randomId, type Sandbox, type SandboxApp, type SandboxDeps, ulid } from "./server.ts";
import { makeEvents } from "./photon/events.ts";
import { makeGraphqlExecutor, operationName } from "./photon/graphql.ts";
import { makeOrders, type PhotonOrders } from "./photon/orders.ts";
import { PhotonRefusal } from "./photon/refusal.ts";
import { Rows } from "./photon/rows.ts";
import { mustHave, type PhotonOrder, type PhotonState, prescriptionState } from "./photon/state.ts";

/** What the sandbox's login takes unless it is told otherwise. */
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

export interface PhotonSandbox extends Sandbox, Omit<PhotonOrders, "create" | "cancel"> {
  state: PhotonState;
  /** Returns the patient's id, `pat_…`. */
  createPatient(patient: { externalId: string | null }): string;
  /** Signed and on file; `externalId` is the health record's id. Dates are `YYYY-MM-DD`. Returns `rx_…`. */
  writePrescription(prescription: {
    patientId: string;
    externalId: string | null;
    treatmentId: string;
    fillsAllowed: number;
    daysSupply: number;
    expirationDate: string;
    instructions: string;
  }): string;
  cancelPrescription(prescriptionId: string): void;
  /** A fill that nobody ordered through the API: over the counter, by phone. Throws where none is left. */
  handOut(prescriptionId: string): void;
  /** Orders with this `externalId` that are neither CANCELED nor ERROR: more than one is a second parcel. */
  liveOrders(reference: string): PhotonOrder[];
  /** Every token given so far stops working. */
  revokeTokens(): void;
}

/**
 * Photon Health on loopback: `POST /oauth/token`, `POST /graphql`, and its signed webhooks. `externalId` is not
 * unique and there is no idempotency key: what is sent twice is done twice.
 */
export function makePhotonSandbox(
  deps: SandboxDeps,
  client: { clientId: string; clientSecret: string } = PHOTON_SANDBOX_CLIENT,
): PhotonSandbox {
  const faults = new Faults(deps.random);
  const outbox = new Outbox({ ...deps, url: deps.webhook.url }, {
    givesUpOn: (status) => status >= 400 && status < 500 && status !== 408 && status !== 429,
    headOfLine: false,
  });
  const state: PhotonState = { patients: new Map(), prescriptions: new Rows(), orders: new Rows() };
  const events = makeEvents(deps, state, outbox);
  const { create, cancel, ...pharmacy } = makeOrders(deps, state, events);
  const execute = makeGraphqlExecutor(state, { create, cancel, ...pharmacy }, deps.now);
  /** Token to the moment it runs out, in ms. */
  const tokens = new Map<string, number>();

  const app: SandboxApp = new Hono();

  app.post("/oauth/token", withFaults(faults, "token"), async (c) => {
    const asked = login.safeParse(await c.req.json().catch(() => null));
    if (!asked.success) return c.json({ error: "invalid_request" }, 400);
    const { client_id, client_secret } = asked.data;
    if (client_id !== client.clientId || client_secret !== client.clientSecret) {
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
    const token = /^Bearer (.+)$/.exec(c.req.header("authorization") ?? "")?.[1] ?? "";
    if ((tokens.get(token) ?? 0) <= deps.now().getTime()) {
      return c.json(errors("UNAUTHENTICATED", "not signed in"), 401);
    }
    try {
      return c.json(execute(await c.req.json().catch(() => null)));
    } catch (error) {
      if (!(error instanceof PhotonRefusal)) throw error;
      return c.json(errors(error.code, error.message), error.status);
    }
  });

  return {
    app,
    faults,
    outbox,
    state,
    ...pharmacy,
    createPatient({ externalId }) {
      const id = "pat_" + ulid(deps.now(), deps.random);
      state.patients.set(id, { id, externalId });
      return id;
    },
    writePrescription(written) {
      mustHave(state.patients, written.patientId);
      const writtenAt = deps.now();
      const prescription = {
        ...written,
        id: "rx_" + ulid(deps.now(), deps.random),
        fillsRemaining: written.fillsAllowed,
        effectiveDate: dayIn(writtenAt, "UTC"),
        writtenAt: writtenAt.toISOString(),
        canceled: false,
      };
      state.prescriptions.set(prescription.id, prescription);
      events.prescription("created", prescription);
      return prescription.id;
    },
    cancelPrescription(prescriptionId) {
      const prescription = mustHave(state.prescriptions, prescriptionId);
      if (prescription.canceled) return;
      prescription.canceled = true;
      events.prescription("canceled", prescription);
    },
    handOut(prescriptionId) {
      const prescription = mustHave(state.prescriptions, prescriptionId);
      const standing = prescriptionState(prescription, deps.now());
      if (standing !== "ACTIVE") throw new Error(`prescription ${prescriptionId} is ${standing}`);
      prescription.fillsRemaining -= 1;
      if (prescription.fillsRemaining === 0) events.prescription("depleted", prescription);
    },
    liveOrders: (reference) =>
      [...state.orders.values()].filter((order) =>
        order.externalId === reference && order.state !== "CANCELED" && order.state !== "ERROR"
      ),
    revokeTokens: () => tokens.clear(),
  };
}

function errors(code: string, message: string) {
  return { data: null, errors: [{ message, extensions: { code } }] };
}
