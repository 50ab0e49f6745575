import { z } from "zod";
import type { Json } from "../../../src/shared/vendors/contract.ts";
import { bearer, jsonBody } from "../app.ts";
import { type Faults, withFaults } from "../faults.ts";
import type { SandboxApp } from "../server.ts";
import { type People, type SandboxPerson, text } from "./people.ts";

const body = z.object({ ids: z.array(z.string()).min(1).max(100) });

/**
 * Adds the part of the App API that reads people: `POST /v1/customers/attributes`, `Authorization: Bearer <key>`.
 * The answer leaves out an unknown id, and shows every value as text.
 * Source: docs.customer.io/integrations/api/app, getPeopleById.
 */
export function addAppApi(app: SandboxApp, deps: { people: People; faults: Faults; key: string }): void {
  const { people, faults, key } = deps;
  app.post("/v1/customers/attributes", withFaults(faults, "read people"), async (c) => {
    if (bearer(c) !== key) {
      return c.json({ errors: [{ detail: "unauthorized", status: "401" }] }, 401);
    }
    const asked = body.safeParse(await jsonBody(c));
    if (!asked.success) return c.json({ errors: [{ detail: "invalid request", status: "400" }] }, 400);
    const found = [...new Set(asked.data.ids)].flatMap((id) => people.byId.get(id) ?? []);
    return c.json({ customers: found.map((person) => ({ customer: answer(person) })) });
  });
}

function answer(person: SandboxPerson): Json {
  const { id, cioId } = person;
  const set = [...person.attributes].filter(([name]) => text(person, name) !== "");
  return {
    id,
    identifiers: { id, email: text(person, "email") || null, cio_id: cioId },
    attributes: {
      ...Object.fromEntries(set.map(([name]) => [name, text(person, name)])),
      id,
      cio_id: cioId,
    },
    timestamps: Object.fromEntries(set.map(([name, { at }]) => [name, at])),
    unsubscribed: text(person, "unsubscribed") === "true",
    devices: [],
  };
}
