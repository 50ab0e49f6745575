import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type EdgeFunction, startFunction } from "./edge-function.ts";
import { type Route, serveGateway } from "./gateway.ts";

interface FunctionsOptions {
  /** The folder that holds `supabase/functions`, `supabase/config.toml` and `node_modules`. */
  root: string;
  /** Of the gateway: 54321 is where the Supabase CLI serves. */
  port: number;
  /** The whole environment that the functions see, besides Deno's own variables. */
  env: Record<string, string>;
  /** Default: every folder with an index.ts. */
  names?: readonly string[];
  log: (line: string) => void;
  /** More paths of the project's API, e.g. `{"/auth/v1": "http://127.0.0.1:9999"}`; the prefix is cut off. */
  routes?: Record<string, string>;
}

export interface LocalFunctions {
  /** `http://127.0.0.1:<port>/functions/v1` */
  url: string;
  /** The process id of a function, or undefined while it is down. */
  pid(name: string): number | undefined;
  stop(): Promise<void>;
}

/**
 * Serves the edge functions as a hosted project does: `/functions/v1/<name>/...` reaches the function's own
 * Deno process as `/<name>/...`. A function that ends is started again. Resolves when all accept connections.
 */
export async function serveFunctions(
  { root, port, env, log, names = functionNames(join(root, "supabase/functions")), routes = {} }:
    FunctionsOptions,
): Promise<LocalFunctions> {
  const noJwt = functionsWithoutJwt(join(root, "supabase/config.toml"));
  const functions = new Map<string, EdgeFunction>();
  const stopAll = async (): Promise<void> => {
    await Promise.all([...functions.values()].map((one) => one.stop()));
  };
  const find = (path: string): Route | undefined => {
    const [, name = "", rest] = /^\/functions\/v1\/([^/?]+)(.*)$/s.exec(path) ?? [];
    const target = functions.get(name);
    if (target) {
      return {
        origin: target.origin,
        path: `/${name}${rest}`,
        needsJwt: !noJwt.has(name),
        up: target.pid() !== undefined,
      };
    }
    const [prefix, origin] =
      Object.entries(routes).find(([prefix]) => path === prefix || path.startsWith(`${prefix}/`)) ?? [];
    if (prefix === undefined || origin === undefined) return undefined;
    return { origin, path: path.slice(prefix.length) || "/", needsJwt: false, up: true };
  };
  try {
    const started = await Promise.allSettled(
      names.map(async (name) => functions.set(name, await startFunction({ root, name, env, log }))),
    );
    for (const result of started) if (result.status === "rejected") throw result.reason;
    const gateway = await serveGateway(port, find);
    return {
      url: `http://127.0.0.1:${gateway.port}/functions/v1`,
      pid: (name) => functions.get(name)?.pid(),
      async stop() {
        await gateway.close();
        await stopAll();
      },
    };
  } catch (error) {
    await stopAll();
    throw error;
  }
}

function functionNames(folder: string): string[] {
  return readdirSync(folder).filter((name) =>
    !name.startsWith("_") && existsSync(join(folder, name, "index.ts"))
  );
}

/** The functions that config.toml opens to callers without a JWT. All others need one, as when hosted. */
export function functionsWithoutJwt(configFile: string): Set<string> {
  const open = new Set<string>();
  if (!existsSync(configFile)) return open;
  let name: string | undefined;
  for (const line of readFileSync(configFile, "utf8").split("\n")) {
    const table = /^\s*\[(.*)\]\s*(#.*)?$/.exec(line)?.[1];
    if (table !== undefined) name = /^\s*functions\s*\.\s*"?([\w-]+)"?\s*$/.exec(table)?.[1];
    else if (name !== undefined && /^\s*verify_jwt\s*=\s*false\s*(#.*)?$/.test(line)) open.add(name);
  }
  return open;
}
