import { once } from "node:events";
import { createServer } from "node:net";

/**
 * The port of 127.0.0.1 to use, and the usual one when it gave way. A port that was asked for must be free.
 * @param asked the value of the environment variable `name`; "0" asks for any free port
 */
export async function choosePort(
  name: string,
  asked: string | undefined,
  usual: number,
): Promise<{ port: number; insteadOf?: number }> {
  if (asked === undefined || asked === "") {
    return await isFree(usual) ? { port: usual } : { port: await freePort(), insteadOf: usual };
  }
  const port = Number(asked);
  if (!Number.isInteger(port) || port < 0 || port > 65535) throw new Error(`${name}=${asked} is not a port`);
  if (port === 0) return { port: await freePort() };
  if (!(await isFree(port))) {
    throw new Error(`Port ${port} (${name}) is in use: choose another, or unset ${name}`);
  }
  return { port };
}

/** A TCP port of 127.0.0.1 that nobody listens on now. */
export async function freePort(): Promise<number> {
  return await tryPort(0);
}

async function isFree(port: number): Promise<boolean> {
  return await tryPort(port).then(() => true, () => false);
}

/** Listens on a port (0: any free one) for a moment, and gives its number. Rejects when it is taken. */
async function tryPort(port: number): Promise<number> {
  const server = createServer().listen(port, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (typeof address !== "object" || address === null) throw new Error("no port");
  return address.port;
}
