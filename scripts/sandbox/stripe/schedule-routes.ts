import { need } from "./errors.ts";
import type { Account } from "./account.ts";
import { choose } from "./lists.ts";
import { created, createdWithin, expand, text } from "./params.ts";
import type { StripeRouter } from "./router.ts";
import { cancelSchedule, releaseSchedule } from "./schedules.ts";

export function addScheduleRoutes(router: StripeRouter, account: Account): void {
  const { schedules } = account.state;
  const path = "/v1/subscription_schedules";
  const inPath = (id: string) => need(schedules, "subscription schedule", id, "schedule", 404);
  router.getter(path, "subscription schedule", schedules);
  router.lister(
    path,
    "subscription schedule",
    { customer: text, created },
    ({ customer, created }) =>
      choose(schedules.only(customer), { where: (one) => createdWithin(one.created, created) }),
  );
  router.route(
    "POST",
    `${path}/:id/release`,
    "release subscription schedule",
    { expand },
    (_params, id) => releaseSchedule(account, inPath(id)),
  );
  router.route(
    "POST",
    `${path}/:id/cancel`,
    "cancel subscription schedule",
    { expand },
    (_params, id) => cancelSchedule(account, inPath(id)),
  );
}
