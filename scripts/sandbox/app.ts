import { type Context, Hono } from "hono";
import type { SandboxApp } from "./server.ts";

/** A refusal by a vendor's API: the HTTP status, and the vendor's own code and text. */
export class Refusal extends Error {
  override name = "Refusal";
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** An app that answers every {@link Refusal} thrown within it by `answer`. */
export function makeApp(answer: (refusal: Refusal, c: Context) => Response): SandboxApp {
  const app: SandboxApp = new Hono();
  app.onError((error, c) => {
    if (error instanceof Refusal) return answer(error, c);
    console.error("sandbox:", error);
    return c.text("Internal Server Error", 500);
  });
  return app;
}

/** The token of `Authorization: Bearer …`; empty where there is none. */
export function bearer(c: Context): string {
  return /^Bearer (.+)$/.exec(c.req.header("authorization") ?? "")?.[1] ?? "";
}

/** The request's body; null where it is no JSON. */
export async function jsonBody(c: Context): Promise<unknown> {
  return await c.req.json().catch(() => null);
}
