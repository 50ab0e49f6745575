import { createServer } from "node:net";
import { freePort } from "./postgres.ts";

/** A port for the stack, and whether it is another than usual. */
export interface ChosenPort {
  port: number;
  insteadOf?: number;
}

/**
 * The port of 127.0.0.1 to use. One that was asked for must be free; the usual one gives way to a free one.
 * @param asked what the environment variable `name` says; "0" asks for any free port
 */
export async function choosePort(
  name: string,
  asked: string | undefined,
  usual: number,
): Promise<ChosenPort> {
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

async function isFree(port: number): Promise<boolean> {
  return await new Promise((done) => {
    const probe = createServer().on("error", () => done(false));
    probe.listen(port, "127.0.0.1", () => probe.close(() => done(true)));
  });
}
