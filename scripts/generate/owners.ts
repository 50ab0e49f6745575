import { type OwnedFact, OWNERS, type System } from "../../src/shared/owners/owners.ts";
import { markdownTable } from "./markdown.ts";

const NAMES: Record<System, string> = {
  stripe: "Stripe",
  health: "health record",
  crm: "CRM",
  registry: "registry",
  login: "login",
};

/** Each fact with its owner and its mirrors, as a table in Markdown. */
export function ownersTable(owners: Readonly<Record<string, OwnedFact>> = OWNERS): string {
  return markdownTable(
    ["fact", "owner", "mirrors kept in step"],
    Object.values(owners).map((owned) => [
      `${owned.fact} (${owned.covers})`,
      NAMES[owned.owner],
      mirrorsOf(owned),
    ]),
  );
}

function mirrorsOf({ mirrors }: OwnedFact): string {
  if (mirrors.length === 0) return "none";
  return [...Map.groupBy(mirrors, ({ system }) => system)].map(([system, ofSystem]) =>
    `${NAMES[system]} ` + ofSystem.map(({ attribute, lags }) => {
      return `\`${attribute}\`${lags === undefined ? "" : ` (lags ${lags})`}`;
    }).join(", ")
  ).join("; ");
}
