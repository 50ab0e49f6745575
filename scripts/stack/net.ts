import type { Pool } from "pg";
import { type Loop, makeLoop } from "./loop.ts";

interface NetDeps {
  /** A role that may use the tables of pg_net: any may. */
  pool: Pool;
  fetch: typeof fetch;
  /** Called when a poll itself fails (no database); a failed request is only a row in net._http_response. */
  onError?: (error: unknown) => void;
}

export interface Net extends Loop {
  /** Sends all queued requests and waits for their replies. @returns the number of requests */
  deliverAll(): Promise<number>;
}

interface QueuedRequest {
  id: string;
  method: string;
  url: string;
  headers: Record<string, string> | null;
  body: Buffer | null;
  timeout_milliseconds: number;
}

interface Reply {
  status?: number;
  contentType?: string | null;
  headers?: Record<string, string>;
  content?: string;
  timedOut: boolean;
  error?: string;
}

/** pg_net's own numbers. */
const BATCH_SIZE = 200;
const POLL_EVERY_MS = 200;

/**
 * Does the work of pg_net's background worker for the stand-in extension, in one database. Like the real one
 * it forgets a request before it sends it: at most once, and lost with a crash.
 */
export function makeNet({ pool, fetch, onError = console.error }: NetDeps): Net {
  const inFlight = new Set<Promise<void>>();

  const sendBatch = async (): Promise<Promise<void>[]> => {
    const { rows } = await pool.query<QueuedRequest>(
      `delete from net.http_request_queue
       where id in (select id from net.http_request_queue order by id limit $1 for update skip locked)
       returning *`,
      [BATCH_SIZE],
    );
    if (rows.length > 0) {
      await pool.query("delete from net._http_response where created < now() - interval '6 hours'");
    }
    return rows.map((row) => {
      const sent = send(fetch, row).then((reply) => record(pool, row.id, reply));
      inFlight.add(sent);
      return sent.finally(() => inFlight.delete(sent));
    });
  };

  const loop = makeLoop(
    async () => {
      // Not awaited: a slow reply must not delay the next request.
      for (const sent of await sendBatch()) void sent.catch(onError);
    },
    POLL_EVERY_MS,
    onError,
  );
  return {
    async deliverAll() {
      let count = 0;
      for (let batch = await sendBatch(); batch.length > 0; batch = await sendBatch()) {
        await Promise.all(batch);
        count += batch.length;
      }
      return count;
    },
    start: loop.start,
    async stop() {
      await loop.stop();
      await Promise.allSettled(inFlight);
    },
  };
}

async function send(fetch: NetDeps["fetch"], request: QueuedRequest): Promise<Reply> {
  try {
    const response = await fetch(request.url, {
      method: request.method.toUpperCase(),
      headers: request.headers ?? {},
      body: request.body === null ? null : new Uint8Array(request.body),
      signal: AbortSignal.timeout(request.timeout_milliseconds),
    });
    return {
      status: response.status,
      contentType: response.headers.get("content-type"),
      headers: Object.fromEntries(response.headers),
      content: await response.text(),
      timedOut: false,
    };
  } catch (error) {
    const timedOut = error instanceof Error && error.name === "TimeoutError";
    if (timedOut) return { timedOut, error: `Timeout of ${request.timeout_milliseconds} ms reached` };
    return { timedOut, error: error instanceof Error ? error.message : String(error) };
  }
}

async function record(pool: Pool, id: string, reply: Reply): Promise<void> {
  await pool.query(
    `insert into net._http_response (id, status_code, content_type, headers, content, timed_out, error_msg)
     values ($1, $2, $3, $4, $5, $6, $7)`,
    [id, reply.status, reply.contentType, reply.headers, reply.content, reply.timedOut, reply.error],
  );
}
