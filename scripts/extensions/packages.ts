import { execFile } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const MAJOR = "15";
const PACKAGES = [`postgresql-${MAJOR}`, `postgresql-${MAJOR}-cron`];
const BIN = `lib/postgresql/${MAJOR}/bin`;
const LIB = `lib/postgresql/${MAJOR}/lib`;
const SHARE = `share/postgresql/${MAJOR}`;
const APT_TIMEOUT_MS = 100_000;

const OUR_EXTENSIONS = fileURLToPath(new URL("../stack/extensions", import.meta.url));
/** Not in Debian. */
export const STAND_INS = ["pg_net", "supabase_vault"];

/** Installs Debian's packages where they are missing. Throws with the remedy when that is impossible. */
export async function ensurePackages(log: (line: string) => void): Promise<void> {
  const found = () =>
    existsSync(join("/usr", BIN, "postgres")) && existsSync(join("/usr", LIB, "pg_cron.so"));
  if (found()) return log(`Debian's ${PACKAGES.join(" and ")} are installed`);
  const wanted = `Debian 12's packages ${PACKAGES.join(" and ")}`;
  if (!existsSync("/usr/bin/apt-get")) throw new Error(`This needs ${wanted}, and here is no apt-get`);
  if (process.getuid?.() !== 0) {
    throw new Error(
      `This needs ${wanted}: run it as root once, or \`apt-get install ${PACKAGES.join(" ")}\``,
    );
  }
  log(`Installing ${wanted}`);
  await withoutMainCluster(async () => {
    await apt(["update", "-qq"]);
    await apt(["install", "-y", "-qq", "--no-install-recommends", ...PACKAGES]);
  });
  if (!found()) throw new Error(`apt-get installed ${wanted}, but pg_cron.so is not in /usr/${LIB}`);
}

async function apt(args: string[]): Promise<void> {
  const options = {
    timeout: APT_TIMEOUT_MS,
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive", LC_ALL: "C" },
  };
  await promisify(execFile)("/usr/bin/apt-get", args, options).catch((error: unknown) => {
    const said = error instanceof Error && "stderr" in error ? String(error.stderr).trim() : "";
    throw new Error(`apt-get ${args[0]} failed:\n${said.split("\n").slice(-10).join("\n")}`);
  });
}

/** Debian's package makes a cluster of its own and starts it on 5432, unless a setting forbids it. */
async function withoutMainCluster(work: () => Promise<void>): Promise<void> {
  const folders = ["/etc/postgresql-common", "/etc/postgresql-common/createcluster.d"];
  const made = folders.filter((folder) => !existsSync(folder));
  for (const folder of made) mkdirSync(folder);
  const file = "/etc/postgresql-common/createcluster.d/clockwork-test.conf";
  writeFileSync(file, "create_main_cluster = false\n");
  try {
    await work();
  } finally {
    rmSync(file, { force: true });
    // A folder that the package took over is not empty any more: it stays.
    for (const folder of made.toReversed()) {
      try {
        rmdirSync(folder);
      } catch {
        // not empty
      }
    }
  }
}

/**
 * Copies Debian's Postgres into `folder`, so that the machine's own is never written: Postgres finds its files from
 * where its program lies. The copy gets the stand-ins.
 * @returns the folder with the programs
 */
export function copyPostgres(folder: string): string {
  const home = join(folder, "usr");
  for (const part of [BIN, LIB, SHARE]) {
    cpSync(join("/usr", part), join(home, part), {
      recursive: true,
      verbatimSymlinks: true,
      filter: (path) => basename(path) !== "bitcode", // only for the compiler, and most of the size
    });
  }
  // The parents in between follow our umask: the database's user must get through.
  for (const parent of ["", "lib", "lib/postgresql", dirname(BIN), "share", "share/postgresql"]) {
    chmodSync(join(home, parent), 0o755);
  }
  const extensions = join(home, SHARE, "extension");
  for (const name of STAND_INS) {
    const control = readFileSync(join(OUR_EXTENSIONS, `${name}.control`), "utf8");
    const version = /default_version = '(.*)'/.exec(control)?.[1];
    for (const file of [`${name}.control`, `${name}--${version}.sql`]) {
      cpSync(join(OUR_EXTENSIONS, file), join(extensions, file));
      chmodSync(join(extensions, file), 0o644);
    }
  }
  return join(home, BIN);
}
