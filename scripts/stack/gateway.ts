import { once } from "node:events";
import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import { pipeline } from "node:stream";

/** Where a request goes. */
export interface Route {
  origin: string;
  path: string;
  needsJwt: boolean;
  up: boolean;
}

/** No connection is kept: one to a function that was restarted would fail a request that never reached it. */
const agent = new Agent({ keepAlive: false });

/** Serves an HTTP gateway on 127.0.0.1: everything about a request passes unchanged but the path. */
export async function serveGateway(
  port: number,
  find: (path: string) => Route | undefined,
): Promise<{ port: number; close(): Promise<void> }> {
  const server = createServer((incoming, outgoing) => {
    const route = find(incoming.url ?? "/");
    if (!route) return refuse(outgoing, 404, "Requested function was not found");
    // Hosted, a preflight request needs no JWT: browsers send none. Only the presence is checked here.
    if (route.needsJwt && incoming.method !== "OPTIONS" && !incoming.headers.authorization) {
      return refuse(outgoing, 401, "Missing authorization header");
    }
    if (!route.up) return refuse(outgoing, 503, "The function is not running");
    forward(incoming, outgoing, route);
  });
  await new Promise<void>((resolve, reject) => server.on("error", reject).listen(port, "127.0.0.1", resolve));
  const address = server.address();
  return {
    port: typeof address === "object" && address ? address.port : port,
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}

function forward(incoming: IncomingMessage, outgoing: ServerResponse, route: Route): void {
  const headers = { ...incoming.headers };
  delete headers.connection; // about this connection, not the next one
  const onward = request(route.origin, {
    agent,
    method: incoming.method,
    path: route.path,
    headers,
    setHost: false,
  });
  onward.on("response", (answer) => {
    const { connection: _, "keep-alive": __, ...kept } = answer.headers;
    outgoing.writeHead(answer.statusCode ?? 502, answer.statusMessage, kept);
    pipeline(answer, outgoing, () => {}); // a broken answer breaks off here too
  });
  onward.on("error", () => {
    if (outgoing.headersSent) outgoing.destroy();
    else refuse(outgoing, 502, "The function did not answer");
  });
  outgoing.on("close", () => {
    if (!outgoing.writableFinished) onward.destroy(); // the caller went away
  });
  incoming.pipe(onward);
}

function refuse(outgoing: ServerResponse, status: number, message: string): void {
  outgoing.writeHead(status, { "content-type": "application/json" });
  outgoing.end(JSON.stringify({ code: status, message }));
}
