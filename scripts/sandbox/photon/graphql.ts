import { z } from "zod";
import type { Json } from "../../../src/shared/vendors/contract.ts";
import { ORDER_FIELDS, orderAnswer, PRESCRIPTION_FIELDS, prescriptionAnswer } from "./answers.ts";
import { checkSelection, type FieldMap, type ParsedOperation, parseOperation, pick } from "./document.ts";
import type { PhotonOrders } from "./orders.ts";
import { invalidQuery, PhotonRefusal } from "./refusal.ts";
import type { Rows } from "./rows.ts";
import { type PhotonOrder, type PhotonPrescription, type PhotonState, prescriptionState } from "./state.ts";

/** What the faults call each operation. */
export const OPERATION_NAMES: ReadonlyMap<string, string> = new Map([
  ["createOrder", "create order"],
  ["order", "get order"],
  ["orders", "list orders"],
  ["cancelOrder", "cancel order"],
  ["prescriptions", "list prescriptions"],
]);

const DEFAULT_PAGE = 25;

const id = z.string().min(1);
const address = z.strictObject({
  name: z.strictObject({ first: z.string(), last: z.string() }).nullish(),
  street1: z.string(),
  street2: z.string().nullish(),
  city: z.string(),
  state: z.string(),
  postalCode: z.string(),
  country: z.string(),
});
const createArgs = z.strictObject({
  patientId: id,
  fills: z.array(z.strictObject({ prescriptionId: id })).min(1),
  address,
  externalId: id.nullish(),
  pharmacyId: id.nullish(),
});
const page = { after: id.nullish(), first: z.number().int().positive().nullish() };
const filter = z.strictObject({ patientId: id.nullish(), state: z.string().nullish() }).nullish();
const listArgs = z.strictObject({ ...page, filter });

interface Operation {
  kind: "query" | "mutation";
  type: FieldMap;
  /** The arguments it knows; anything else is refused before it runs. */
  args: readonly string[];
  run(args: unknown): Json;
}

/** Runs one request body against Photon's schema as far as the sandbox has it. Throws {@link PhotonRefusal}. */
export function makeGraphqlExecutor(
  state: PhotonState,
  orders: PhotonOrders,
  now: () => Date,
): (request: unknown) => { data: { [field: string]: Json } } {
  const toOrder = (order: PhotonOrder) => orderAnswer(order, state);
  const toPrescription = (rx: PhotonPrescription) => prescriptionAnswer(rx, state, now());

  const operations: Record<string, Operation> = {
    createOrder: {
      kind: "mutation",
      type: ORDER_FIELDS,
      args: Object.keys(createArgs.shape),
      run(args) {
        const { fills, patientId, externalId, pharmacyId, address } = readArgs(createArgs, args);
        return toOrder(orders.create({
          patientId,
          prescriptionIds: fills.map((fill) => fill.prescriptionId),
          address,
          externalId: externalId ?? null,
          pharmacyId: pharmacyId ?? null,
        }));
      },
    },
    cancelOrder: {
      kind: "mutation",
      type: ORDER_FIELDS,
      args: ["id", "reason"],
      run: (args) =>
        toOrder(orders.cancel(readArgs(z.strictObject({ id, reason: z.string().nullish() }), args).id)),
    },
    order: {
      kind: "query",
      type: ORDER_FIELDS,
      args: ["id"],
      run(args) {
        const order = state.orders.get(readArgs(z.strictObject({ id }), args).id);
        return order ? toOrder(order) : null;
      },
    },
    orders: {
      kind: "query",
      type: ORDER_FIELDS,
      args: Object.keys(listArgs.shape),
      run: (args) => list(state.orders, readArgs(listArgs, args), (order) => order.state).map(toOrder),
    },
    prescriptions: {
      kind: "query",
      type: PRESCRIPTION_FIELDS,
      args: Object.keys(listArgs.shape),
      run: (args) =>
        list(state.prescriptions, readArgs(listArgs, args), (rx) => prescriptionState(rx, now()))
          .map(toPrescription),
    },
  };

  return (request) => {
    const { query, variables } = readRequest(request);
    const parsed = parseOperation(query);
    const operation = Object.hasOwn(operations, parsed.field) ? operations[parsed.field] : undefined;
    if (!operation || operation.kind !== parsed.kind) {
      throw invalidQuery(`no ${parsed.kind} ${parsed.field}`);
    }
    checkSelection(parsed.selection, operation.type, parsed.field);
    const args = bindArgs(parsed, operation, variables ?? {});
    return { data: { [parsed.field]: pick(operation.run(args), parsed.selection) } };
  };
}

const requestBody = z.object({ query: z.string(), variables: z.record(z.string(), z.unknown()).nullish() });

function readRequest(request: unknown): z.output<typeof requestBody> {
  const parsed = requestBody.safeParse(request);
  if (parsed.success) return parsed.data;
  throw new PhotonRefusal("BAD_REQUEST", "a query is needed", 400);
}

/** The name of the fault a request meets; `graphql` for what cannot be read. */
export function operationName(request: unknown): string {
  try {
    return OPERATION_NAMES.get(parseOperation(readRequest(request).query).field) ?? "graphql";
  } catch {
    return "graphql";
  }
}

function bindArgs(
  { args, variables }: ParsedOperation,
  operation: Operation,
  given: Record<string, unknown>,
): Record<string, unknown> {
  const bound: Record<string, unknown> = {};
  for (const [arg, variable] of args) {
    if (!operation.args.includes(arg)) throw invalidQuery(`unknown argument ${arg}`);
    if (!variables.has(variable)) throw invalidQuery(`variable $${variable} is not declared`);
    if (given[variable] !== undefined) bound[arg] = given[variable];
  }
  for (const [variable, required] of variables) {
    if (required && (given[variable] ?? null) === null) throw badInput(`$${variable} is required`);
  }
  return bound;
}

function readArgs<Schema extends z.ZodType>(schema: Schema, args: unknown): z.output<Schema> {
  const parsed = schema.safeParse(args);
  if (!parsed.success) throw badInput("the arguments do not fit");
  return parsed.data;
}

function badInput(message: string): PhotonRefusal {
  return new PhotonRefusal("BAD_USER_INPUT", message, 400);
}

/** Newest first, a page at a time, `after` being the id of a row. Shows the latest writes at once. */
function list<Row extends { id: string; patientId: string }>(
  rows: Rows<Row>,
  { after, first, filter }: z.output<typeof listArgs>,
  stateOf: (row: Row) => string,
): Row[] {
  const page = rows.page({
    patientId: filter?.patientId ?? null,
    after: after ?? null,
    first: first ?? DEFAULT_PAGE,
    fits: (row) => !filter?.state || stateOf(row) === filter.state,
  });
  if (!page) throw badInput("unknown cursor");
  return page;
}
