import { randomInt } from "node:crypto";
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

/**
 * A TCP port of 127.0.0.1 that nobody listens on now. It lies below the ports that systems give to outgoing connections:
 * one of those could be in use again before the caller listens.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(20_000, 32_000);
    if (await isFree(port)) return port;
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, "127.0.0.1");
  try {
    await once(server, "listening");
  } catch {
    return false;
  }
  server.close();
  await once(server, "close");
  return true;
}
