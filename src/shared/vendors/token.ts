import { z } from "zod";
import { beforeSending, callVendor, type Fetch, readAnswer } from "./call.ts";
import type { Role } from "./contract.ts";

/** A token is renewed this long before it expires, so that none expires on the way to the vendor. */
const MARGIN_MS = 60_000;

const OPERATION = "log in";

const tokenAnswer = z.object({ access_token: z.string().min(1), expires_in: z.number().positive() });

export interface TokenCache {
  /** A token good for at least another minute. Callers that wait at the same time share one login. */
  get(): Promise<string>;
  /** The vendor refused `token`: the next `get` logs in anew, unless `token` is replaced or younger than `minAgeMs`. */
  forget(token: string, minAgeMs?: number): void;
}

/**
 * Bearer tokens by OAuth2 client credentials, kept in memory. `login` is the request that `url` expects.
 * A login without an answer is `unreachable`, because the call that needed the token was never sent.
 */
export function makeTokenCache(
  { vendor, fetch, now }: { vendor: Role; fetch: Fetch; now: () => Date },
  url: string,
  login: Pick<RequestInit, "headers" | "body">,
): TokenCache {
  let current: { token: string; since: number; until: number } | null = null;
  let waiting: Promise<string> | null = null;

  async function logIn(): Promise<string> {
    const since = now().getTime();
    const response = await callVendor(fetch, vendor, OPERATION, url, { method: "POST", ...login });
    const { access_token: token, expires_in } = await readAnswer(vendor, OPERATION, response, tokenAnswer);
    current = { token, since, until: since + expires_in * 1000 - MARGIN_MS };
    return token;
  }

  return {
    async get() {
      if (current && now().getTime() < current.until) return current.token;
      waiting ??= beforeSending(logIn()).finally(() => waiting = null);
      return await waiting;
    },
    forget(token, minAgeMs = 0) {
      if (current?.token === token && now().getTime() - current.since >= minAgeMs) current = null;
    },
  };
}
