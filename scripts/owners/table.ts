import { type OwnedFact, OWNERS, type System } from "../../src/shared/owners/owners.ts";

const BEGIN = "<!-- owners: written by `npm run owners` from src/shared/owners/owners.ts -->";
const END = "<!-- end of owners -->";

const NAMES: Record<System, string> = {
  stripe: "Stripe",
  health: "health record",
  crm: "CRM",
  registry: "registry",
  login: "login",
};

/** Who owns what, as a table in Markdown. */
export function ownersTable(owners: Readonly<Record<string, OwnedFact>> = OWNERS): string {
  const rows = Object.values(owners).map((owned) =>
    `| ${owned.fact} (${owned.covers}) | ${NAMES[owned.owner]} | ${mirrorsOf(owned)} |`
  );
  return ["| fact | owner | mirrors kept in step |", "| --- | --- | --- |", ...rows].join("\n");
}

function mirrorsOf({ mirrors }: OwnedFact): string {
  if (mirrors.length === 0) return "none";
  return [...Map.groupBy(mirrors, ({ system }) => system)].map(([system, ofSystem]) =>
    `${NAMES[system]} ` + ofSystem.map(({ attribute, lags }) => {
      return `\`${attribute}\`${lags === undefined ? "" : ` (lags ${lags})`}`;
    }).join(", ")
  ).join("; ");
}

/** `readme` with the table of today between its markers. Throws where they are not there, once each and in order. */
export function withOwnersTable(readme: string, table = ownersTable()): string {
  const [before, rest, ...more] = readme.split(BEGIN);
  const [old, after, ...evenMore] = rest?.split(END) ?? [];
  if (before === undefined || old === undefined || after === undefined || more.length + evenMore.length > 0) {
    throw new Error(`README.md must have \`${BEGIN}\` and \`${END}\` once each`);
  }
  return `${before}${BEGIN}\n\n${table}\n\n${END}${after}`;
}
