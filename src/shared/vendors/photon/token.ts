import { z } from "zod";
import { callVendor, type Fetch } from "../call.ts";
import { VendorError } from "../contract.ts";
import { readAnswer } from "../json.ts";

export interface PhotonLogin {
  /** `https://auth.photon.health`, without a slash at the end. */
  authUrl: string;
  clientId: string;
  clientSecret: string;
  audience: string;
  fetch: Fetch;
  now: () => Date;
}

export interface TokenCache {
  /** A token good for at least another minute. One login serves every caller that waits for it. */
  get(): Promise<string>;
  /** Forgets `token` if it is still the one held and at least `minAgeMs` old. */
  drop(token: string, minAgeMs?: number): void;
}

const OPERATION = "log in";

/** So that a token never runs out between our look at the clock and the vendor's. */
const EARLY_MS = 60_000;

const answer = z.object({ access_token: z.string().min(1), expires_in: z.number().positive() });

/**
 * Machine tokens of Photon (24 h): `POST /oauth/token`, JSON, client credentials.
 * A login without an answer is `unreachable`, for the call it was needed for was surely never made.
 */
export function makeTokenCache(login: PhotonLogin): TokenCache {
  let held: { token: string; since: number; until: number } | null = null;
  let waiting: Promise<string> | null = null;

  async function logIn(): Promise<string> {
    const response = await callVendor(login.fetch, "pharmacy", OPERATION, `${login.authUrl}/oauth/token`, {
      method: "POST",
      headers: { "content-type": "application/json", accept: "application/json" },
      body: JSON.stringify({
        grant_type: "client_credentials",
        client_id: login.clientId,
        client_secret: login.clientSecret,
        audience: login.audience,
      }),
    });
    const { access_token, expires_in } = await readAnswer("pharmacy", OPERATION, response, answer);
    const since = login.now().getTime();
    held = { token: access_token, since, until: since + expires_in * 1000 - EARLY_MS };
    return access_token;
  }

  return {
    async get() {
      if (held && login.now().getTime() < held.until) return held.token;
      waiting ??= logIn().catch(asNeverSent).finally(() => {
        waiting = null;
      });
      return await waiting;
    },
    drop(token, minAgeMs = 0) {
      if (held?.token === token && login.now().getTime() - held.since >= minAgeMs) held = null;
    },
  };
}

function asNeverSent(error: unknown): never {
  if (error instanceof VendorError && error.failure === "unanswered") {
    throw new VendorError(error.vendor, "unreachable", error.operation, error.details);
  }
  throw error;
}
