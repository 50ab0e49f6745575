import { Hono } from "hono";
import { z } from "zod";
import { type Faults, withFaults } from "../faults.ts";
import type { SandboxApp } from "../server.ts";
import type { Shelf } from "../shelf.ts";
import { badParameters, invalidRequest, need, StripeApiError } from "./errors.ts";
import { expandPaths } from "./expand.ts";
import { decodeForm, type Form } from "./form.ts";
import type { Answer, IdempotencyMemory } from "./idempotency.ts";
import { choose, pageOf, type Selection } from "./lists.ts";
import { API_VERSION } from "./objects.ts";
import { created, createdWithin, expand, is, pageParams, text } from "./params.ts";
import type { StripeState } from "./state.ts";
import { show } from "./wire.ts";

interface RouterDeps {
  state: StripeState;
  faults: Faults;
  idempotency: IdempotencyMemory;
  /** The app of the account that a request names in its `Stripe-Account` header, if the key has access to it. */
  connected(accountId: string): SandboxApp | undefined;
}

/** Routes as Stripe serves them: key, version, form, strict parameters, idempotency, expansion, error shape. */
export class StripeRouter {
  readonly app: SandboxApp = new Hono();
  readonly #deps: RouterDeps;

  constructor(deps: RouterDeps) {
    this.#deps = deps;
    this.app.use("*", async (c, next) => {
      if (!/^Bearer (sk|rk)_\w+$/.test(c.req.header("authorization") ?? "")) {
        throw invalidRequest("You did not provide a valid API key.", { status: 401 });
      }
      const version = c.req.header("stripe-version");
      if (version !== undefined && version !== API_VERSION) {
        throw invalidRequest(`Invalid Stripe API version: ${version}`);
      }
      const accountId = c.req.header("stripe-account");
      if (accountId === undefined) return await next();
      const app = this.#deps.connected(accountId);
      if (app === this.app) return await next();
      if (app !== undefined) return await app.fetch(c.req.raw, c.env);
      throw invalidRequest(
        `The provided key does not have access to account '${accountId}' (or that account does not exist).`,
        { status: 403, code: "account_invalid" },
      );
    });
    this.app.notFound(({ req }) => {
      const error = invalidRequest(`Unrecognized request URL (${req.method}: ${req.path}).`, { status: 404 });
      return this.#answer(toAnswer(error));
    });
    this.app.onError((error) => this.#answer(toAnswer(error)));
  }

  /** `operation` is its name for faults; `handle` returns the object to answer with. */
  route<Shape extends z.ZodRawShape>(
    method: "GET" | "POST" | "DELETE",
    path: string,
    operation: string,
    shape: Shape,
    handle: (params: z.output<z.ZodObject<Shape>>, id: string, form: Form) => object,
  ): void {
    const schema = z.strictObject(shape);
    const expandOnly = z.object({ expand });
    this.app.on(method, path, withFaults(this.#deps.faults, operation), async (c) => {
      const text = method === "POST" ? await c.req.text() : new URL(c.req.url).search;
      const form = decodeForm(text);
      const parsed = schema.safeParse(form, { reportInput: true });
      if (!parsed.success) throw badParameters(parsed.error);
      const paths = expandOnly.parse(form).expand ?? [];
      const run = (): Answer => {
        try {
          const body = show(handle(parsed.data, c.req.param("id") ?? "", form));
          expandPaths(this.#deps.state, body, paths);
          return { status: 200, body };
        } catch (error) {
          return toAnswer(error);
        }
      };
      const key = method === "POST" ? c.req.header("idempotency-key") : undefined;
      if (key === undefined) return this.#answer(run());
      return this.#once(key, `${c.req.path}\n${text}`, run);
    });
  }

  /** `GET <path>/:id` over one of the state's maps. */
  getter<T extends object>(path: string, kind: string, map: ReadonlyMap<string, T>): void {
    this.route(
      "GET",
      `${path}/:id`,
      `get ${kind}`,
      { expand },
      (_params, id) => need(map, kind, id, "id", 404),
    );
  }

  /** `GET <path>`; `select` gives the entries in the list's order, or chooses them newest first. */
  lister<Shape extends z.ZodRawShape, T extends { id: string }>(
    path: string,
    kind: string,
    shape: Shape,
    select: (params: z.output<z.ZodObject<Shape>>, id: string) => T[] | Selection<T>,
    operation = `list ${kind}s`,
  ): void {
    const page = z.object(pageParams);
    const filters = z.object(shape);
    this.route("GET", path, operation, { ...pageParams, ...shape }, (_params, id, form) => {
      const entries = select(filters.parse(form), id);
      const list = pageOf(entries, page.parse(form), kind, path.replace(":id", id));
      return { ...list, data: list.data.map(show) };
    });
  }

  /** `GET <path>`, newest first, filtered by `created` and by the entries' fields `names`. */
  collection<T extends { id: string; created: number }>(
    path: string,
    kind: string,
    shelf: Shelf<T>,
    names: readonly (keyof T & string)[],
  ): void {
    const fields = z.object(Object.fromEntries(names.map((name) => [name, text])));
    const range = z.object({ created });
    this.lister(path, kind, { ...fields.shape, created }, (params) => {
      const wanted = fields.parse(params);
      const { created } = range.parse(params);
      return choose(shelf, {
        where: (entry) =>
          names.every((name) => is(entry[name], wanted[name])) && createdWithin(entry.created, created),
      });
    });
  }

  /** The first answer to a key is the answer for as long as the key is remembered. */
  #once(key: string, request: string, run: () => Answer): Response {
    const { idempotency } = this.#deps;
    const kept = idempotency.recall(key, request);
    if (kept) return this.#answer(kept, { "idempotency-key": key, "idempotent-replayed": "true" });
    const answer = run();
    idempotency.keep(key, request, answer);
    return this.#answer(answer, { "idempotency-key": key });
  }

  #answer(answer: Answer, headers: Record<string, string> = {}): Response {
    return Response.json(answer.body, {
      status: answer.status,
      headers: {
        "request-id": this.#deps.state.newId("req_", 14),
        "stripe-version": API_VERSION,
        ...headers,
      },
    });
  }
}

/** Any error but a {@link StripeApiError} is a bug of the sandbox, and looks like Stripe's 500. */
function toAnswer(error: unknown): Answer {
  if (error instanceof StripeApiError) return { status: error.status, body: { error: error.error } };
  console.error("stripe sandbox:", error);
  return { status: 500, body: { error: { type: "api_error", message: "An unknown error occurred." } } };
}
