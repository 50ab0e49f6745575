import { z } from "zod";
import { callVendor, type Fetch } from "../call.ts";
import { VendorError } from "../contract.ts";
import { readAnswer } from "../json.ts";

/** A token is given up this long before it expires, so that none runs out on the way. */
const TOKEN_MARGIN_MS = 60_000;

const tokenSchema = z.object({ access_token: z.string().min(1), expires_in: z.number().positive() });

/** A bearer token, fetched when needed and shared by everybody who asks. */
export interface TokenSource {
  get(): Promise<string>;
  /** The server no longer takes `token`: the next `get` logs in again. A newer one is kept. */
  discard(token: string): void;
}

/** OAuth2 client credentials (docs: Client Credentials), `POST <baseUrl>/oauth2/token`. */
export function makeTokenSource({ baseUrl, clientId, clientSecret, fetch, now }: {
  baseUrl: string;
  clientId: string;
  clientSecret: string;
  fetch: Fetch;
  now: () => Date;
}): TokenSource {
  let current: { token: string; goodUntil: number } | null = null;
  let asking: Promise<string> | null = null;

  async function logIn(): Promise<string> {
    const askedAt = now().getTime();
    const response = await callVendor(fetch, "health", "log in", `${baseUrl}/oauth2/token`, {
      method: "POST",
      headers: { accept: "application/json" },
      body: new URLSearchParams({
        grant_type: "client_credentials",
        client_id: clientId,
        client_secret: clientSecret,
      }),
    });
    const answer = await readAnswer("health", "log in", response, tokenSchema);
    current = {
      token: answer.access_token,
      goodUntil: askedAt + answer.expires_in * 1000 - TOKEN_MARGIN_MS,
    };
    return answer.access_token;
  }

  return {
    async get() {
      if (current && now().getTime() < current.goodUntil) return current.token;
      asking ??= logIn().catch(asNeverHandled).finally(() => asking = null);
      return await asking;
    },
    discard(token) {
      if (current?.token === token) current = null;
    },
  };
}

/** Without a token the call itself was never sent, whatever became of the login. */
function asNeverHandled(error: unknown): never {
  if (error instanceof VendorError && error.failure === "unanswered") {
    throw new VendorError("health", "unreachable", error.operation, error.details);
  }
  throw error;
}
