import { isoDay } from "../sandbox/clinic.ts";
import type { PhotonOrder } from "../sandbox/photon/state.ts";
import { type Check, check } from "./check.ts";
import type { Evidence } from "./evidence.ts";
import { baseOf, expectedFills, type Fill, fillsAuthorised, liveOrders, shippedAt } from "./expected.ts";

/** The pharmacy against Stripe and the health record, without Clockwork's own tables. */
export function checkShipping(evidence: Evidence): Check[] {
  const fills = expectedFills(evidence);
  return [mayShip(evidence, fills), mayNotShip(evidence, fills), prescribed(evidence)];
}

/** A customer has one live order for each paid fill of a product, up to the number that is prescribed. */
function mayShip(evidence: Evidence, fills: readonly Fill[]): Check {
  const result = check("exactly one live order at the pharmacy for each paid fill that may ship");
  const groups = Map.groupBy(fills, ({ patientId, product }) => `${patientId} ${product}`);
  let wanted = 0;
  let waiting = 0;
  for (const group of groups.values()) {
    const [first] = group;
    if (!first) continue;
    const authorised = fillsAuthorised(evidence, first.patientId, first.product);
    const ships = group.filter(({ verdict }) =>
      verdict.kind === "ship" || (verdict.kind === "decided" && verdict.live === 1)
    );
    const usedElsewhere = group.filter((fill) => !ships.includes(fill)).flatMap(({ live }) => live).length;
    const available = Math.max(0, Math.min(ships.length, authorised - usedElsewhere));
    const placed = ships.filter(({ live }) => live.length > 0).length;
    wanted += available;
    waiting += ships.length - available;
    for (const { base, live } of ships) {
      if (live.length > 1) result.doubled.push(`fill ${base} has ${live.length} live orders: ${idsOf(live)}`);
      if (live.length === 0 && available === ships.length) result.lost.push(`fill ${base} has no live order`);
    }
    if (available < ships.length && placed < available) {
      result.lost.push(`patient ${first.patientId}: ${available} fills are prescribed, ${placed} are placed`);
    }
  }
  result.scope = `${wanted} fills that may ship; ${waiting} paid ones wait for a prescription`;
  return result;
}

/** No order for a fill that is refunded, disputed, unpaid, not due, ended, paused, or unknown to Stripe. */
function mayNotShip(evidence: Evidence, fills: readonly Fill[]): Check {
  const result = check("no live order for a fill that may not ship");
  const why = new Map<string, number>();
  let shippedBefore = 0;
  for (const { base, live, verdict } of fills) {
    if (verdict.kind === "ship" || (verdict.kind === "decided" && verdict.live === 1)) continue;
    why.set(verdict.why, (why.get(verdict.why) ?? 0) + 1);
    const wrong = live.filter((order) => {
      if (verdict.kind === "paused") return new Date(order.createdAt) > nextSecond(verdict.since);
      const left = shippedAt(evidence, order.id);
      const isExcused = verdict.kind === "never" && verdict.since && left &&
        left <= nextSecond(verdict.since);
      if (isExcused) shippedBefore += 1;
      return !isExcused;
    });
    if (wrong.length > 0) {
      result.unexplained.push(`fill ${base} (${verdict.why}) has live orders: ${idsOf(wrong)}`);
    } else if (live.length > 1) {
      result.doubled.push(`fill ${base} (${verdict.why}) has ${live.length} live orders`);
    }
  }
  const known = new Set(fills.map(({ base }) => base));
  for (const [base, live] of liveOrders(evidence)) {
    if (!known.has(base)) result.unexplained.push(`nobody was charged for ${idsOf(live)} (${base})`);
  }
  const parts = [...why].sort().map(([reason, count]) => `${count} ${reason}`);
  result.scope = `${parts.join(", ")}; ${shippedBefore} had left before`;
  return result;
}

/** Stripe counts in whole seconds. */
function nextSecond(at: Date): Date {
  return new Date(at.getTime() + 1000);
}

/** Every live order names a prescription that was active for its patient when it was placed. */
function prescribed(evidence: Evidence): Check {
  const result = check("every live order is for a valid prescription of that patient");
  const { pharmacy, health } = evidence.vendors;
  let fills = 0;
  for (const order of [...liveOrders(evidence).values()].flat()) {
    for (const { prescriptionId } of order.fills) {
      fills += 1;
      const copy = pharmacy.state.prescriptions.get(prescriptionId);
      const filed = health.state.prescriptions.get(copy?.externalId ?? "");
      const end = filed?.dispenseRequest?.validityPeriod?.end;
      const isValid = copy?.patientId === order.patientId && filed?.status === "active" &&
        end !== undefined &&
        end >= isoDay(new Date(order.createdAt));
      if (!isValid) result.unexplained.push(`order ${order.id} ships without a valid prescription`);
    }
  }
  result.scope = `${fills} orders`;
  return result;
}

const TRACKED_AS: Record<string, string> = {
  ROUTING: "PLACED",
  PENDING: "PLACED",
  COMPLETED: "DELIVERED",
  CANCELED: "CANCELLED",
  ERROR: "FAILED",
};
const FULFILLED_AS: Record<string, string> = { SENT: "PLACED", FILLING: "FILLING", SHIPPED: "SHIPPED" };

/** Clockwork's own picture against the pharmacy's. */
export function checkTracker({ vendors, orders }: Evidence): Check {
  const result = check("tracker.orders says what the pharmacy says");
  const tracked = new Map(orders.map((order) => [order.reference, order]));
  const state = vendors.pharmacy.state.orders;
  let seconds = 0;
  for (const order of state.values()) {
    const row = tracked.get(order.externalId ?? "");
    if (!row) {
      result.lost.push(`pharmacy order ${order.id} (${order.externalId}) is in no row`);
    } else if (row.pharmacy_order_id !== order.id) {
      seconds += 1;
      if (order.state !== "CANCELED") {
        result.doubled.push(`pharmacy order ${order.id} is a second ${order.externalId}`);
      }
    } else if (row.state !== trackedAs(order)) {
      result.unexplained.push(`order ${row.id} is ${row.state}, at the pharmacy it is ${trackedAs(order)}`);
    }
  }
  // A second order can only come from a send that the pharmacy took after our look.
  const late = vendors.pharmacy.faults.met.get("late_commit") ?? 0;
  if (seconds > late) {
    result.doubled.push(`${seconds} second orders were made, but the pharmacy was late only ${late} times`);
  }
  for (const row of orders) {
    if (row.pharmacy_order_id !== null && !state.has(row.pharmacy_order_id)) {
      result.unexplained.push(
        `order ${row.id} is ${row.state} as ${row.pharmacy_order_id}, which the pharmacy has not`,
      );
    }
  }
  result.scope = `${orders.length} orders, ${state.size} at the pharmacy, ` +
    `${seconds} of them seconds that were cancelled`;
  return result;
}

function trackedAs(order: PhotonOrder): string {
  if (order.state !== "PLACED") return TRACKED_AS[order.state] ?? order.state;
  return FULFILLED_AS[order.fulfillment?.state ?? "SENT"] ?? "DELIVERED";
}

function idsOf(orders: readonly PhotonOrder[]): string {
  return orders.map(({ id, externalId }) => `${id} (${externalId ? baseOf(externalId) : "-"})`).join(", ");
}
