import type { Json } from "../../../src/shared/vendors/contract.ts";
import { hmacSha256, toHex } from "../../../src/shared/vendors/signing.ts";
import type { Outbox } from "../outbox.ts";
import { ulid } from "../random.ts";
import type { SandboxDeps } from "../server.ts";
import { type SandboxPerson, text } from "./people.ts";

/** Customer.io's webhooks, signed as they are sent. */
export function makeHooks(deps: SandboxDeps, outbox: Outbox) {
  function send(id: string, message: Record<string, Json>): void {
    const body = JSON.stringify(message);
    outbox.push({
      id,
      async sign(now) {
        const timestamp = String(Math.floor(now.getTime() / 1000));
        const signature = toHex(await hmacSha256(deps.webhook.secret, `v0:${timestamp}:${body}`));
        return {
          body,
          headers: {
            "content-type": "application/json",
            "x-cio-timestamp": timestamp,
            "x-cio-signature": signature,
          },
        };
      },
    });
  }

  return {
    /** The webhook action of our own campaign, with a body that we defined. */
    profileChanged(person: SandboxPerson): void {
      const id = `7-${person.cioId}-${ulid(deps.now(), deps.random)}`;
      send(id, {
        event_id: id,
        type: "profile.changed",
        cio_id: person.cioId,
        external_id: person.id,
        email: text(person, "email"),
        phone: text(person, "phone"),
      });
    },
    /** A reporting webhook. */
    unsubscribed(person: SandboxPerson): void {
      const id = ulid(deps.now(), deps.random);
      const email = text(person, "email");
      send(id, {
        metric: "unsubscribed",
        event_id: id,
        object_type: "customer",
        timestamp: Math.floor(deps.now().getTime() / 1000),
        data: {
          customer_id: person.id,
          email_address: email,
          identifiers: { id: person.id, email, cio_id: person.cioId },
        },
      });
    },
  };
}
