import { describe, expect, test } from "vitest";
import { webhookConnector, webhookSecrets } from "../../src/shared/connectors.ts";
import { databaseUrl, liveSecrets, parseEnv } from "../../src/shared/env.ts";

const URLS = [
  "STRIPE_API_URL",
  "MEDPLUM_BASE_URL",
  "PHOTON_API_URL",
  "PHOTON_AUTH_URL",
  "CUSTOMERIO_TRACK_URL",
] as const;

describe("parseEnv", () => {
  test("takes an empty environment: what is missing is undefined, addresses are the vendors' own", () => {
    const env = parseEnv({});
    expect(env).toMatchObject({
      MEDPLUM_BASE_URL: "https://api.medplum.com",
      PHOTON_API_URL: "https://api.photon.health/graphql",
      PHOTON_AUTH_URL: "https://auth.photon.health",
      CUSTOMERIO_TRACK_URL: "https://track.customer.io",
    });
    expect([env.STRIPE_API_URL, env.STRIPE_WEBHOOK_SECRET, env.CLOCKWORK_CRON_SECRET, env.CLOCKWORK_LOCAL])
      .toEqual([undefined, undefined, undefined, undefined]);
    expect(env.standardSecrets.size).toBe(0);
  });

  test("an empty or blank variable is one that is not set", () => {
    const names = [...Object.keys(parseEnv({})).filter((name) => name !== "standardSecrets"), ...URLS];
    for (const blank of ["", "  ", "\n"]) {
      const env = parseEnv(Object.fromEntries(names.map((name) => [name, blank])));
      expect(env).toEqual(parseEnv({}));
    }
  });

  test("cuts the blanks around a value that were copied with it", () => {
    const env = parseEnv({ CLOCKWORK_CRON_SECRET: " abc\n", MEDPLUM_BASE_URL: " http://127.0.0.1:9 " });
    expect([env.CLOCKWORK_CRON_SECRET, env.MEDPLUM_BASE_URL]).toEqual(["abc", "http://127.0.0.1:9"]);
  });

  test("refuses addresses that are none, by name and never by value", () => {
    for (
      const bad of [
        "hunter2",
        "javascript:hunter2",
        "postgres://u:hunter2@h/d",
        "://hunter2",
        "hunter2.example",
      ]
    ) {
      const variables = Object.fromEntries(URLS.map((name) => [name, bad]));
      let message = "";
      try {
        parseEnv({ ...variables, STRIPE_API_KEY: "hunter2" });
      } catch (error) {
        message = String(error);
      }
      for (const name of URLS) expect(message, bad).toContain(name);
      expect(message).not.toContain("hunter2");
      expect(message).not.toContain("STRIPE_API_KEY");
    }
  });

  test("reads a Standard Webhooks secret per source from the variable's name", () => {
    const env = parseEnv({
      STANDARD_WEBHOOK_SECRET_SHIPBOB: "whsec_a",
      STANDARD_WEBHOOK_SECRET_MY_OTHER_SHOP: "whsec_b,whsec_c",
      STANDARD_WEBHOOK_SECRET_EMPTY: "",
      STANDARD_WEBHOOK_SECRET_BLANK: " ",
      STANDARD_WEBHOOK_SECRET: "whsec_d",
      XSTANDARD_WEBHOOK_SECRET_X: "whsec_e",
    });
    const secrets = (source: string) => webhookSecrets(env, "standard", source);
    expect(secrets("shipbob")).toEqual(["whsec_a"]);
    expect(secrets("my-other-shop")).toEqual(["whsec_b", "whsec_c"]);
    expect(secrets("my_other_shop")).toEqual(["whsec_b", "whsec_c"]);
    for (const source of ["empty", "blank", "", "x", "SHIPBOB"]) expect(secrets(source), source).toEqual([]);
  });
});

describe("liveSecrets", () => {
  test("tells the new one and the old one, and nothing that is empty", () => {
    expect(liveSecrets("new,old")).toEqual(["new", "old"]);
    expect(liveSecrets(" new , old ,")).toEqual(["new", "old"]);
    expect(liveSecrets("only")).toEqual(["only"]);
    for (const none of [undefined, "", " ", ",", ", ,"]) expect(liveSecrets(none)).toEqual([]);
  });
});

describe("databaseUrl", () => {
  test("prefers the pooler's", () => {
    const [pooler, direct] = ["postgresql://a@pooler/db", "postgresql://a@direct/db"];
    expect(databaseUrl(parseEnv({ CLOCKWORK_DB_URL: pooler, SUPABASE_DB_URL: direct }))).toBe(pooler);
    expect(databaseUrl(parseEnv({ SUPABASE_DB_URL: direct }))).toBe(direct);
    expect(databaseUrl(parseEnv({ CLOCKWORK_DB_URL: "", SUPABASE_DB_URL: direct }))).toBe(direct);
    expect(() => databaseUrl(parseEnv({}))).toThrow("CLOCKWORK_DB_URL is not set");
  });
});

describe("webhookConnector", () => {
  test("knows the four vendors, and any source by Standard Webhooks", () => {
    const source = (vendor: string, name?: string) => webhookConnector(vendor, name)?.source;
    expect(["stripe", "medplum", "photon", "customerio"].map((vendor) => source(vendor)))
      .toEqual(["stripe", "health", "pharmacy", "crm"]);
    expect(source("standard", "shipbob")).toBe("standard.shipbob");
    expect(source("standard", "my_shop")).toBe("standard.my-shop");
    for (const name of [undefined, "", "A", "a.b", "../x", "a/b", "a\n", "x".repeat(51)]) {
      expect(source("standard", name), name).toBeUndefined();
    }
    for (const vendor of ["", "Stripe", "toString", "constructor", "__proto__", "crm", "health"]) {
      expect(source(vendor), vendor).toBeUndefined();
      expect(webhookSecrets(parseEnv({}), vendor), vendor).toEqual([]);
    }
  });
});
