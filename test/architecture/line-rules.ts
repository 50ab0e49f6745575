import { PHARMACY_ORDER_STATES } from "../../src/shared/vendors/pharmacy.ts";
import { filesUnder, handWritten, SHARED, shared, type SourceFile, sources } from "./sources.ts";

/** A rule about single lines: none of the files may have a line like `breaks`; lines like `keeps` are left alone. */
export interface LineRule {
  rule: string;
  files: readonly SourceFile[];
  pattern: RegExp;
  breaks: readonly string[];
  keeps: readonly string[];
  of?: "text" | "code" | "bare";
}

const withFunctions = [...sources, ...filesUnder("supabase/functions")];
const withoutWiring = sources.filter(({ path }) => path !== `${SHARED}/wiring.ts`);
/** The files that have such a thing in hand and may not judge it: all but the vendors' own folders and the judge. */
const besides = (judge: string, inHand: RegExp) =>
  sources.filter(({ path, text }) =>
    !path.startsWith(`${SHARED}/vendors/`) && !path.startsWith(`${SHARED}/${judge}`) && inHand.test(text)
  );
/** A status is compared with one of these words, or two of them are listed. A prescription's words are others. */
const judges = (words: string) =>
  [
    String.raw`(?<![\w$]|prescription\.)status\s*[!=]==?\s*"(${words})"`,
    String.raw`"(${words})"\s*[!=]==?\s*([\w.]+\.)?status\b`,
    String.raw`\bcase\s*"(${words})"`,
    String.raw`"(${words})",\s*"(${words})"`,
  ].join("|");
const PHARMACY_WORDS = `"(${PHARMACY_ORDER_STATES.join("|")})"`;

const outsideQueue = sources.filter(({ path }) => !path.startsWith(`${SHARED}/queue/`));
export const testFiles = filesUnder("test").filter(({ path }) => path.endsWith(".test.ts"));

export const LINE_RULES: readonly LineRule[] = [
  {
    rule: "src/shared runs anywhere: no Deno, process, Buffer, __dirname or require",
    files: shared,
    pattern: /(?<![\w.$])(Deno|process|Buffer|globalThis|__dirname|__filename|require)\b\s*[.([]/,
    breaks: ["Deno.env.get()", 'process["env"]', "Buffer.from(a)", "require()", "globalThis.Deno"],
    keeps: ["settle.process(a)", "reprocess()", "Denominator.of"],
  },
  {
    rule: "the clock is handed in: only wiring.ts reads the machine's",
    files: withoutWiring,
    pattern: /\bnew Date\(\)|\bDate\.now\(\)/,
    breaks: ["const a = new Date();", "Date.now()"],
    keeps: ["new Date(seconds * 1000)", "Date.parse(text)"],
  },
  {
    rule: "a day belongs to a zone: only day.ts cuts one out of an instant",
    files: [...sources, ...filesUnder("scripts")].filter(({ path }) => path !== `${SHARED}/day.ts`),
    pattern:
      /toISOString\(\)\s*\.(slice|substring|substr)\(0, 10\)|\.split\(["']T["']\)|\.toLocaleDateString\(/,
    breaks: ["due.toISOString().slice(0, 10)", 'at.toISOString().split("T")[0]', "date.toLocaleDateString()"],
    keeps: ["dayIn(due, timeZone)", "at.toISOString()", "name.slice(0, 10)"],
  },
  {
    rule: "FHIR's words for a prescription's status are judged by prescriptions/standing.ts alone",
    files: sources.filter(({ path }) =>
      !path.startsWith(`${SHARED}/vendors/`) && path !== `${SHARED}/prescriptions/standing.ts`
    ),
    pattern: /\bfhir\b|\bdoNotPerform\b/,
    breaks: ['one.fhir?.status === "active"', "({ fhir }) => fhir", "if (doNotPerform)"],
    keeps: ["standing.kind === kind", "fhirDate(text)"],
  },
  {
    rule: "chance and waiting are handed in: only wiring.ts uses the machine's",
    files: withoutWiring,
    pattern: /\bMath\.random\b|(?<![\w.])set(Timeout|Interval)\(/,
    breaks: ["Math.random()", "setTimeout(a, 1)", "setInterval(a, 1)"],
    keeps: ["deps.sleep(5)", "AbortSignal.timeout(5)"],
  },
  {
    rule: "only queue/ names clockwork.tasks: the others wake, ask and find tasks through it",
    files: outsideQueue,
    of: "code",
    pattern: /\bclockwork\.(tasks|task_history)\b/,
    breaks: [
      'await trx.updateTable("clockwork.tasks")',
      "join clockwork.tasks as pages",
      "from clockwork.task_history",
    ],
    keeps: ["clockwork.settings", "await wakeTasks(trx, { step })"],
  },
  {
    rule: "secrets and signatures are compared by equalsInConstantTime",
    files: sources,
    pattern: /\b\w*(secret|signature|authorization|expected)\b\s*[!=]==?\s*(?!""|undefined|null|0)\w/i,
    breaks: ["if (secret === given)", "return expected !== mac;", "cronSecret == x"],
    keeps: ['if (secret === "")', "if (signature === undefined)", "secrets.length === 0"],
  },
  {
    rule: "only wiring.ts writes to the console, through the log that is handed in",
    files: withoutWiring,
    pattern: /\bconsole\./,
    breaks: ["console.log(a)"],
    keeps: ["deps.log(a)"],
  },
  {
    rule: "no default exports",
    files: handWritten,
    pattern: /\bexport\s+default\b|\bas\s+default\b/,
    breaks: ["export default a;", "export { a as default };"],
    keeps: ["export const defaults = 1;"],
  },
  {
    rule: "no enum and no namespace: unions and objects do",
    files: handWritten,
    pattern: /^\s*(export\s+)?(declare\s+)?(const\s+)?(enum|namespace)\s+\w/,
    breaks: ["enum A {", "export const enum A {", "namespace A {"],
    keeps: ["fact: z.enum(FACTS)", "const enums = 1"],
  },
  {
    rule: "no any in src/shared and the functions",
    files: withFunctions,
    pattern: /(:|<|,|\||&|=>|\bas|\bextends|=)\s*any\b(?!\s*\()|\bany\[\]/,
    breaks: ["(a: any) => a", "Promise<any>", "a as any", "any[]", "Record<string, any>"],
    keeps: ["const anything = 1;", "company: string", "= any (${a}::text[])"],
  },
  {
    rule: "no casts in src/shared but `as const`: a parser tells what a thing is",
    files: withFunctions,
    pattern: /^(?!\s*(import|export)\b)(?!\s*(type )?\w+ as \w+,?$).*[\w)\]}"!]\s+as\s+(?!const\b)[\w{[(]/,
    breaks: ["const a = b as unknown;", "return (a as { b: string }).b;", "f(x!.y as T[])"],
    keeps: [
      "const a = [1] as const;",
      'import * as a from "b";',
      "  insertTasks as insert,",
      "status: 1 as const };",
    ],
  },
  {
    rule: "no check is switched off",
    files: [
      ...handWritten,
      ...filesUnder("test").filter(({ path }) => path !== "test/architecture/line-rules.ts"),
    ],
    of: "text",
    pattern: /@ts-(ignore|nocheck|expect-error)|deno-(lint|fmt)-ignore|eslint-disable/,
    breaks: ["// @ts-expect-error", "// deno-lint-ignore no-explicit-any"],
    keeps: ["// ignored"],
  },
  {
    rule: "no test is skipped or alone",
    files: testFiles,
    pattern: /\b(test|it|describe)\.(skip|only|todo|fails|skipIf|runIf)\b/,
    breaks: ["test.skip(", "describe.only(", "it.todo("],
    keeps: ["test.each(bad)(", "faults.only("],
  },
  {
    rule: "only subscriptions/standing.ts judges by Stripe's words for a subscription",
    files: besides("subscriptions/standing.ts", /StripeSubscription|[sS]ubscriptions?\w*\(|listCustomers\(/),
    of: "code",
    pattern: new RegExp([
      // Words of Stripe's alone: in quotes, or as the keys of a record.
      String.raw`"(trialing|unpaid|incomplete|incomplete_expired)"`,
      String.raw`(^|[{,])\s*(trialing|unpaid|incomplete|incomplete_expired|past_due)\??:`,
      String.raw`\b(collectionPaused?|pausedBecause|endedAt|pause_collection|cancel_at(_period_end)?)\b`,
      judges("active|past_due|canceled|paused"),
    ].join("|")),
    breaks: [
      'if (subscription.status === "active") return;',
      'if ("past_due" !== status) return;',
      'if (status !== "past_due") return;',
      'const ENDED = new Set(["canceled", "incomplete_expired"]);',
      '["active", "past_due"].includes(subscription.status)',
      '  "trialing",',
      "  unpaid: false,",
      'case "paused":',
      "if (subscription.collectionPaused) return;",
      "const { pausedBecause } = subscription;",
      "!one.endedAt && isBilled(one)",
    ],
    keeps: [
      'prescription.status === "active"',
      'row.price_status === "active"',
      '["created", "retry", "active"].includes(job.state)',
      '  "past_due",',
      'PAST_DUE: "past_due",',
      'const state = standing.state === "UNPAID";',
      "order.ended_at",
    ],
  },
  {
    rule:
      "only orders/invoices.ts and orders/kept.ts judge by Stripe's words for invoices and for money that went back",
    files: besides("orders/kept.ts", /stripe|invoice|charge/i)
      .filter(({ path }) => path !== `${SHARED}/orders/invoices.ts`),
    of: "code",
    pattern: new RegExp([
      String.raw`"(uncollectible|needs_response|under_review|requires_action|warning_\w+)"`,
      String.raw`(^|[{,])\s*(uncollectible|needs_response|under_review|requires_action|warning_\w+)\??:`,
      judges("paid|open|draft|void|issued|won|lost|prevented"),
    ].join("|")),
    breaks: [
      'if (invoice.status === "paid") return;',
      'if (status !== "open") return;',
      'const SETTLED = new Set(["paid", "void"]);',
      'case "draft":',
      '  "uncollectible",',
      'if (dispute.status === "lost") return;',
      '  "requires_action",',
      'if (note.status !== "issued") continue;',
    ],
    keeps: [
      'listOrders(cursor ?? null, "open")',
      '  "draft",',
      'prescription.status === "draft"',
      'invoiceStateOf(invoice) === "PAID"',
      'collectionPause = "void"',
    ],
  },
  {
    rule: "only orders/ judges by a pharmacy's words for an order",
    files: besides("orders/", /pharmacy/i),
    of: "code",
    pattern: new RegExp(String.raw`([!=]==?\s*|\bcase\s*|${PHARMACY_WORDS},\s*)${PHARMACY_WORDS}`),
    breaks: [
      'seen.state === "canceled"',
      'if (order.state !== "failed") return;',
      'case "shipped":',
      'new Set(["canceled", "failed"])',
    ],
    keeps: [
      'canceled: "order.canceled",',
      'order.state === "CANCELLED"',
      'error.failure === "refused"',
    ],
  },
];

export function linesAgainst({ files, pattern, of = "bare" }: LineRule): string[] {
  return files.flatMap((file) =>
    file[of].split("\n").filter((line) => pattern.test(line)).map((line) => `${file.path}: ${line.trim()}`)
  );
}
