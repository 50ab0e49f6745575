import { z } from "zod";
import { noSuch } from "./errors.ts";
import type { Account } from "./account.ts";
import { choose } from "./lists.ts";
import type { StripeEvent } from "./objects.ts";
import { created, createdBefore, createdWithin, expand, flag, text } from "./params.ts";
import type { StripeRouter } from "./router.ts";

/** Events are listed for 30 days, delivered or not. */
const EVENT_RETENTION_SECONDS = 30 * 86_400;

export function addEventRoutes(router: StripeRouter, { state, events }: Account): void {
  const exists = (event: StripeEvent) => event.created > state.nowSeconds() - EVENT_RETENTION_SECONDS;
  router.route("GET", "/v1/events/:id", "get event", { expand }, (_params, id) => {
    const event = state.events.get(id);
    if (!event || !exists(event)) throw noSuch("event", id, "id", 404);
    return event;
  });
  router.lister("/v1/events", "event", {
    type: text,
    types: z.array(z.string()).max(20).optional(),
    created,
    delivery_success: flag.optional(),
  }, ({ type, types, created, delivery_success }) =>
    choose(state.events, {
      exists,
      endsAt: (event) => !exists(event) || createdBefore(event.created, created),
      where: (event) =>
        createdWithin(event.created, created) &&
        (type === undefined || matches(event.type, type)) &&
        (types === undefined || types.includes(event.type)) &&
        (delivery_success === undefined || events.delivered(event.id) === delivery_success),
    }));
}

/** `customer.subscription.*` matches every event of that group. */
function matches(type: string, pattern: string): boolean {
  return pattern.endsWith("*") ? type.startsWith(pattern.slice(0, -1)) : type === pattern;
}
