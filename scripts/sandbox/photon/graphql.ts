import { z } from "zod";
import type { Json } from "../../../src/shared/vendors/contract.ts";
import { Refusal } from "../app.ts";
import { type Shelf, take } from "../shelf.ts";
import { ORDER_FIELDS, orderAnswer, PRESCRIPTION_FIELDS, prescriptionAnswer } from "./answers.ts";
import {
  checkSelection,
  type FieldMap,
  invalidQuery,
  type ParsedOperation,
  parseOperation,
  pick,
} from "./document.ts";
import type { PhotonOrders } from "./orders.ts";
import { addressInput, type PhotonOrder, type PhotonState, prescriptionState } from "./state.ts";

/** The operations' names for faults. */
const OPERATION_NAMES: ReadonlyMap<string, string> = new Map([
  ["createOrder", "create order"],
  ["order", "get order"],
  ["orders", "list orders"],
  ["cancelOrder", "cancel order"],
  ["prescriptions", "list prescriptions"],
]);

const DEFAULT_PAGE = 25;

const id = z.string().min(1);
const createArgs = z.strictObject({
  patientId: id,
  fills: z.array(z.strictObject({ prescriptionId: id })).min(1),
  address: addressInput,
  externalId: id.nullish(),
  pharmacyId: id.nullish(),
});
const cancelArgs = z.strictObject({ id, reason: z.string().nullish() });
const listArgs = z.strictObject({
  after: id.nullish(),
  first: z.number().int().positive().nullish(),
  filter: z.strictObject({ patientId: id.nullish(), state: z.string().nullish() }).nullish(),
});

interface Operation {
  kind: "query" | "mutation";
  type: FieldMap;
  /** The known arguments. Any other one is refused before the operation runs. */
  args: readonly string[];
  run(args: unknown): Json;
}

function operation<Args extends z.ZodObject>(
  kind: Operation["kind"],
  type: FieldMap,
  args: Args,
  run: (args: z.output<Args>) => Json,
): Operation {
  return {
    kind,
    type,
    args: Object.keys(args.shape),
    run(given) {
      const parsed = args.safeParse(given);
      if (!parsed.success) throw badInput("the arguments do not fit");
      return run(parsed.data);
    },
  };
}

/** Runs one request body against the part of Photon's schema that the sandbox has. Throws {@link Refusal}. */
export function makeGraphqlExecutor(
  state: PhotonState,
  orders: PhotonOrders,
  now: () => Date,
): (request: unknown) => { data: { [field: string]: Json } } {
  const toOrder = (order: PhotonOrder) => orderAnswer(order, state);

  const operations: Record<string, Operation> = {
    createOrder: operation("mutation", ORDER_FIELDS, createArgs, (args) => toOrder(orders.create(args))),
    cancelOrder: operation("mutation", ORDER_FIELDS, cancelArgs, ({ id }) => toOrder(orders.cancel(id))),
    order: operation("query", ORDER_FIELDS, z.strictObject({ id }), ({ id }) => {
      const order = state.orders.get(id);
      return order ? toOrder(order) : null;
    }),
    orders: operation(
      "query",
      ORDER_FIELDS,
      listArgs,
      (args) => pageOf(state.orders, args, (order) => order.state).map(toOrder),
    ),
    prescriptions: operation(
      "query",
      PRESCRIPTION_FIELDS,
      listArgs,
      (args) =>
        pageOf(state.prescriptions, args, (rx) => prescriptionState(rx, now()))
          .map((rx) => prescriptionAnswer(rx, state, now())),
    ),
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
  throw new Refusal(400, "BAD_REQUEST", "a query is needed");
}

/** The request's name for faults; `graphql` for an unreadable one. */
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

function badInput(message: string): Refusal {
  return new Refusal(400, "BAD_USER_INPUT", message);
}

/** One page of rows, newest first, from behind the row `after`. Shows the latest writes at once. */
export function pageOf<Row extends { id: string; patientId: string }>(
  rows: Shelf<Row>,
  { after, first, filter }: z.output<typeof listArgs>,
  stateOf: (row: Row) => string,
): Row[] {
  const shelf = rows.only(filter?.patientId);
  if (after && !shelf.has(after)) throw badInput("unknown cursor");
  const fits = (row: Row) => !filter?.state || stateOf(row) === filter.state;
  return take(shelf.newestFirst(after ?? undefined), first ?? DEFAULT_PAGE, fits);
}
