import { z } from "zod";
import { noSuch } from "./errors.ts";
import type { World } from "./invoicing.ts";
import { choose, createdBefore, createdParam, createdWithin } from "./lists.ts";
import type { StripeEvent } from "./objects.ts";
import { expand, flag, text } from "./params.ts";
import type { StripeRouter } from "./router.ts";

/** Events are listed for 30 days, delivered or not. */
const EVENT_RETENTION_SECONDS = 30 * 86_400;

export function addEventRoutes(router: StripeRouter, { state, events }: World): void {
  const kept = (event: StripeEvent) => event.created > state.nowSeconds() - EVENT_RETENTION_SECONDS;
  router.route("GET", "/v1/events/:id", "get event", { expand }, (_params, id) => {
    const event = state.events.get(id);
    if (!event || !kept(event)) throw noSuch("event", id, "id", 404);
    return event;
  });
  router.lister(
    "/v1/events",
    "event",
    "list events",
    {
      type: text,
      types: z.array(z.string()).max(20).optional(),
      created: createdParam,
      delivery_success: flag.optional(),
    },
    ({ type, types, created, delivery_success }) =>
      choose(state.events, {
        exists: kept,
        endsAt: (event) => !kept(event) || createdBefore(event.created, created),
        where: (event) =>
          createdWithin(event.created, created) &&
          (type === undefined || matches(event.type, type)) &&
          (types === undefined || types.includes(event.type)) &&
          (delivery_success === undefined || events.delivered(event.id) === delivery_success),
      }),
  );
}

/** `customer.subscription.*` matches every event of that group. */
function matches(type: string, pattern: string): boolean {
  return pattern.endsWith("*") ? type.startsWith(pattern.slice(0, -1)) : type === pattern;
}
