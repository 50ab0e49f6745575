import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { anchorOf, decisionsTable } from "../../scripts/generate/decisions.ts";
import { environmentTable } from "../../scripts/generate/environment.ts";
import { aboutStep, stripeEventsTable } from "../../scripts/generate/events.ts";
import { markdownTable, withTables } from "../../scripts/generate/markdown.ts";
import { ownersTable } from "../../scripts/generate/owners.ts";
import { parseEnv } from "../../src/shared/env.ts";
import { STEPS } from "../../src/shared/steps/table.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const PAGES = ["README.md", ...readdirSync(join(ROOT, "docs")).map((name) => `docs/${name}`)]
  .filter((name) => name.endsWith(".md"));
const read = (name: string) => readFileSync(join(ROOT, name), "utf8");

describe("tables in the docs", () => {
  const page =
    "# A\n\n<!-- table: one -->\n<!-- end -->\n\nand\n\n<!-- table: two words -->\nold\n<!-- end -->\n";

  test("stand between their markers, and a second writing changes nothing", () => {
    const tables = { one: "| 1 |", "two words": "| 2 |" };
    const written = withTables(page, tables);
    expect(written).toBe(
      "# A\n\n<!-- table: one -->\n\n| 1 |\n\n<!-- end -->\n\nand\n\n<!-- table: two words -->\n\n| 2 |\n\n<!-- end -->\n",
    );
    expect(withTables(written, tables)).toBe(written);
  });

  test("markers without a table, a table without markers, and markers without an end are refused", () => {
    expect(() => withTables(page, { one: "| 1 |" })).toThrow("there is no table of two words");
    expect(() => withTables(page, { one: "1", "two words": "2", three: "3" })).toThrow(
      "no markers for the table of three",
    );
    expect(() => withTables(page.replace("<!-- end -->\n\nand", "and"), { one: "1", "two words": "2" }))
      .toThrow();
  });

  test("a cell cannot end its row", () => {
    expect(markdownTable(["a"], [["x | y\nz"]])).toBe("| a |\n| --- |\n| x \\| y z |");
  });

  test("every variable that is parsed is in the table of the environment, with its use", () => {
    const rows = environmentTable().split("\n").slice(2);
    for (const name of Object.keys(parseEnv({})).filter((name) => name !== "standardSecrets")) {
      expect(rows.filter((row) => new RegExp(`^\\| \`${name}\` \\| \\S`).test(row)), name).toHaveLength(1);
    }
    expect(rows.join()).toContain("`STANDARD_WEBHOOK_SECRET_<SOURCE>`");
  });

  test("every event of Stripe that has a step is in the table of events, once", () => {
    const events = STEPS.flatMap(({ handles }) => handles).filter((name) => name.startsWith("stripe."));
    expect(events.length).toBeGreaterThan(15);
    for (const event of events) {
      expect(stripeEventsTable().split(`\`${event.slice("stripe.".length)}\``), event).toHaveLength(2);
    }
  });

  test("a step's docstring is the nearest before its name; a step without one is refused", () => {
    const source =
      `/** No. */\nconst a = 1;\n/**\n * Says: this,\n * and that. No more.\n */\n{ handles: ["stripe.a"] }`;
    expect(aboutStep(["", source], "stripe.a")).toBe("Says: this, and that.");
    expect(() => aboutStep([`{ handles: ["stripe.a"] }`], "stripe.a")).toThrow("stripe.a has no docstring");
  });

  test("a mirror that lags says until when", () => {
    expect(ownersTable()).toContain("login `email` (lags until the customer confirms it to Supabase Auth)");
  });
});

describe("decisions", () => {
  test("each names its room and has its number, a decision and a reason", () => {
    const text = read("docs/decisions.md");
    expect(decisionsTable(text).split("\n").length).toBeGreaterThan(10);
    for (const entry of text.split(/^## /m).slice(1)) {
      expect(entry).toMatch(/^\*\*Decision\.\*\* \S/m);
      expect(entry).toMatch(/^\*\*Why\.\*\* \S/m);
    }
  });

  test("one without a room, or out of order, is refused", () => {
    expect(() => decisionsTable("## 1. A\n\n**Decision.** B\n")).toThrow("decision 1 must begin with");
    expect(() => decisionsTable("## 2. A\n\nRoom: queue.\n")).toThrow("decision 1 must begin with");
  });
});

describe("pages", () => {
  test("the README has 120 lines at most", () => {
    expect(read("README.md").split("\n").length).toBeLessThanOrEqual(121);
  });

  test("every link of ours leads to a file, and to a heading of it", () => {
    const links = PAGES.flatMap((page) =>
      [...read(page).matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = ""]) => ({ page, link }))
    ).filter(({ link }) => !link.includes("://"));
    expect(links.length).toBeGreaterThan(30);
    const broken = links.filter(({ page, link }) => {
      const [file = "", anchor] = link.split("#");
      const target = file === "" ? page : normalize(join(dirname(page), file));
      try {
        const text = read(target);
        return anchor !== undefined && !anchorsOf(text).includes(anchor);
      } catch {
        return true;
      }
    });
    expect(broken).toEqual([]);
  });

  test("every command they name exists", () => {
    const { scripts } = JSON.parse(read("package.json"));
    const named = new Set(
      PAGES.flatMap((page) => [...read(page).matchAll(/`npm run ([a-z:]+)/g)].map(([, name]) => name)),
    );
    expect(named.size).toBeGreaterThan(8);
    expect([...named].filter((name) => !((name ?? "") in scripts))).toEqual([]);
  });
});

function anchorsOf(text: string): string[] {
  return [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) => anchorOf(heading));
}
