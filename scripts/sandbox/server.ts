import { type HttpBindings, serve } from "@hono/node-server";
import type { Hono } from "hono";
import { CONNECTION_BROKE, type Faults } from "./faults.ts";
import type { Outbox } from "./outbox.ts";

export type SandboxApp = Hono<{ Bindings: HttpBindings }>;

/** What every vendor sandbox is made from. */
export interface SandboxDeps {
  now: () => Date;
  /** 0 to 1, seeded. */
  random: () => number;
  fetch: typeof fetch;
  /** Where its webhooks go, and the secret that signs them. */
  webhook: { url: string; secret: string };
}

/** What every vendor sandbox is. */
export interface Sandbox {
  app: SandboxApp;
  faults: Faults;
  outbox: Outbox;
}

/** Serves a sandbox on loopback; port 0 picks a free one. Rejects when the port is taken. */
export async function serveSandbox(
  app: SandboxApp,
  port = 0,
): Promise<{ url: string; close(): Promise<void> }> {
  return await new Promise((resolve, reject) => {
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

/** `fetch` that hands each request to the sandbox at its origin, without a socket in between. */
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

/** A seeded random number generator (mulberry32): 0 to 1. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** An id in the vendor's manner: prefix and `length` characters of `alphabet`. */
export function randomId(
  random: () => number,
  prefix: string,
  length: number,
  alphabet = ALPHANUMERIC,
): string {
  let id = prefix;
  for (let i = 0; i < length; i++) id += alphabet[Math.floor(random() * alphabet.length)];
  return id;
}
const ALPHANUMERIC = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/** Crockford base 32, as ULIDs use it. */
export const ULID_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/** A ULID: 48 bits of time, 80 random bits. */
export function ulid(now: Date, random: () => number): string {
  let time = now.getTime();
  let head = "";
  for (let i = 0; i < 10; i++) {
    head = ULID_ALPHABET[time % 32] + head;
    time = Math.floor(time / 32);
  }
  return randomId(random, head, 16, ULID_ALPHABET);
}
