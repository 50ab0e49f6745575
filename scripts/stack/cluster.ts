import { readFileSync } from "node:fs";
import { withClient } from "./client.ts";
import type { LocalPostgres } from "./postgres.ts";

const ROLES = readFileSync(new URL("roles.sql", import.meta.url), "utf8");

/** A cluster like that of a Supabase project. */
interface LocalCluster {
  /** Of the role `postgres`, as migrations and functions connect. Not a superuser. */
  url(database: string): string;
}

/**
 * Gives a server the roles, schemas, extensions and the database `postgres` of a hosted project.
 * Safe to repeat: on a cluster that has them it only sets the password.
 * @param password of the roles that log in. Default: the superuser's, to have one secret to keep.
 */
export async function prepareCluster(
  server: LocalPostgres,
  password = server.password,
): Promise<LocalCluster> {
  // Not from the database `postgres`, which is replaced below.
  await withClient(server.superuserUrl("template1"), async (client) => {
    const { rows } = await client.query("select from pg_roles where rolname = 'postgres'");
    await client.query("select set_config('clockwork.role_password', $1, false)", [password]);
    if (rows.length === 0) await client.query(ROLES); // one simple query: all of it or nothing
    else await client.query(SET_PASSWORD);
    const made = await client.query(
      "select from pg_database where datname = 'postgres' and pg_get_userbyid(datdba) = 'postgres'",
    );
    if (made.rows.length === 0) {
      await client.query("drop database if exists postgres");
      await client.query("create database postgres owner postgres");
    }
  });
  return {
    url: (database) =>
      `postgresql://postgres:${encodeURIComponent(password)}@127.0.0.1:${server.port}/${database}`,
  };
}

/** Makes a copy of a database that nobody is connected to, by its files: twice as fast as through the log. */
export function copyStatement(from: string, to: string): string {
  return `create database ${to} template ${from} owner postgres strategy file_copy`;
}

/** @returns the URL of the copy */
export async function copyDatabase({ url }: LocalCluster, from: string, to: string): Promise<string> {
  await withClient(url("template1"), (client) => client.query(copyStatement(from, to)));
  return url(to);
}

const SET_PASSWORD = `do $$ begin
  execute format('alter role postgres password %L', current_setting('clockwork.role_password'));
end $$`;
