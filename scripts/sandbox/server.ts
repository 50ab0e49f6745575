import { type HttpBindings, serve } from "@hono/node-server";
import type { Hono } from "hono";
import { CONNECTION_BROKE, type Faults } from "./faults.ts";
import type { Outbox } from "./outbox.ts";

export type SandboxApp = Hono<{ Bindings: HttpBindings }>;

/** The parts from which every vendor's sandbox is made. */
export interface SandboxDeps {
  now: () => Date;
  /** 0 to 1, seeded. */
  random: () => number;
  fetch: typeof fetch;
  /** The address of the webhooks, and the secret that signs them. */
  webhook: { url: string; secret: string };
}

/** The parts that every vendor's sandbox has. */
export interface Sandbox {
  app: SandboxApp;
  faults: Faults;
  outbox: Outbox;
}

/** Serves a sandbox on loopback; port 0 picks a free one. Rejects when the port is taken. */
export async function serveSandbox(app: SandboxApp, port = 0) {
  return await new Promise<{ url: string; close(): Promise<void> }>((resolve, reject) => {
    const server = serve({ fetch: app.fetch, hostname: "127.0.0.1", port }, (info) =>
      resolve({
        url: `http://127.0.0.1:${info.port}`,
        close: () =>
          new Promise((done) => {
            if ("closeAllConnections" in server) server.closeAllConnections();
            server.close(() => done());
          }),
      }));
    server.once("error", reject);
  });
}

/** A `fetch` that hands each request to the sandbox at its origin, without a socket in between. */
export function callWithin(apps: ReadonlyMap<string, SandboxApp>): typeof fetch {
  return async (input, init) => {
    const request = new Request(input, init);
    const app = apps.get(new URL(request.url).origin);
    if (!app) throw new TypeError(`nobody answers at ${request.url}`);
    const response = await app.fetch(request, {});
    if (response.status === CONNECTION_BROKE) throw new TypeError("the connection broke");
    return response;
  };
}
