import { CronExpressionParser } from "cron-parser";

/**
 * The next moment at which a job with this schedule is due, strictly after `after`.
 * @param schedule five cron fields in UTC, or `N seconds`, as cron.schedule() takes them
 */
export function nextDue(schedule: string, after: Date): Date {
  const seconds = /^(\d+)\s+seconds?$/i.exec(schedule.trim())?.[1];
  if (seconds !== undefined) return new Date(after.getTime() + Number(seconds) * 1000);
  // pg_cron writes the last day of the month as $, cron-parser as L.
  const expression = schedule.trim().replace("$", "L");
  return CronExpressionParser.parse(expression, { currentDate: after, tz: "UTC" }).next().toDate();
}
