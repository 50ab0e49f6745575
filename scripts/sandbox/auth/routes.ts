import type { Context, MiddlewareHandler } from "hono";
import { z } from "zod";
import { bearer, jsonBody, makeApp, Refusal } from "../app.ts";
import { type Faults, withFaults } from "../faults.ts";
import type { SandboxApp } from "../server.ts";
import type { AuthUser, Users } from "./users.ts";

const linkRequest = z.object({ type: z.string(), email: z.string() });
const verifyRequest = z.object({ type: z.string(), token_hash: z.string() });
const userRequest = z.object({ email: z.string().min(1) });

/** The site at which a link in a mail ends. Nothing is served there. */
const SITE_URL = "http://127.0.0.1:3000";

/**
 * The paths of Supabase Auth that Clockwork and a customer's mail program use, as the hosted gateway shows them under
 * `/auth/v1`. Source: supabase/auth, internal/api (admin.go, mail.go, verify.go, user.go, logout.go, errors.go).
 */
export function makeRoutes(
  { users, faults, keys }: {
    users: Users;
    faults: Faults;
    keys: { service: string; anon: string };
  },
): SandboxApp {
  const app = makeApp(refused);
  /** The gateway knows two keys. */
  const checkKey: MiddlewareHandler = async (c, next) => {
    const key = c.req.header("apikey");
    if (key === undefined) return c.json({ message: "No API key found in request" }, 401);
    if (key !== keys.service && key !== keys.anon) return c.json({ message: "Invalid API key" }, 401);
    return await next();
  };
  const checkAdmin: MiddlewareHandler = async (c, next) => {
    if (bearer(c) !== keys.service) throw new Refusal(403, "not_admin", "User not allowed");
    return await next();
  };
  const keyed = (operation: string) => [withFaults(faults, operation), checkKey] as const;
  const admin = (operation: string) => [...keyed(operation), checkAdmin] as const;

  app.get("/auth/v1/admin/users", ...admin("list users"), (c) => {
    const filter = c.req.query("filter") ?? "";
    const page = Number(c.req.query("page") ?? 1);
    const perPage = Number(c.req.query("per_page") ?? 50);
    const found = [...users.byId.values()].filter(({ email }) => email.includes(filter));
    const shown = found.slice((page - 1) * perPage, page * perPage);
    c.header("x-total-count", String(found.length));
    return c.json({ users: shown.map(wire), aud: "authenticated" });
  });

  app.get("/auth/v1/admin/users/:id", ...admin("get user"), (c) => {
    const user = users.byId.get(c.req.param("id") ?? "");
    if (!user) throw new Refusal(404, "user_not_found", "User not found");
    return c.json(wire(user));
  });

  app.post("/auth/v1/admin/generate_link", ...admin("generate link"), async (c) => {
    const { type, email } = await read(linkRequest, c);
    if (type !== "recovery") throw new Refusal(400, "validation_failed", "Invalid email action link type");
    const user = users.withEmail(email);
    if (!user) throw new Refusal(404, "user_not_found", "User with this email not found");
    const hashed_token = users.recoveryToken(user);
    return c.json({
      ...wire(user),
      action_link: `${SITE_URL}/auth/v1/verify?token=${hashed_token}&type=recovery`,
      email_otp: "000000",
      hashed_token,
      verification_type: type,
      redirect_to: SITE_URL,
    });
  });

  app.post("/auth/v1/verify", ...keyed("verify"), async (c) => {
    const { type, token_hash } = await read(verifyRequest, c);
    if (type !== "recovery") throw new Refusal(400, "validation_failed", "Invalid email verification type");
    const user = users.recover(token_hash);
    const { accessToken, refreshToken, expiresAt } = users.openSession(user);
    return c.json({
      access_token: accessToken,
      token_type: "bearer",
      expires_in: 3600,
      expires_at: Math.floor(expiresAt.getTime() / 1000),
      refresh_token: refreshToken,
      user: wire(user),
    });
  });

  // The link in a mail: a person's browser shows no key.
  app.get("/auth/v1/verify", withFaults(faults, "open link"), (c) => {
    const result = new URLSearchParams();
    try {
      const isChanged = users.confirmEmailChange(c.req.query("token") ?? "");
      const halfWay = "Confirmation link accepted. Please proceed to confirm link sent to the other email";
      if (!isChanged) result.set("message", halfWay);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      result.set("error_code", error.code);
      result.set("error_description", error.message);
    }
    return c.redirect(`${SITE_URL}/#${result}`, 303);
  });

  app.get("/auth/v1/settings", ...keyed("settings"), (c) =>
    c.json({
      external: { email: true, phone: false },
      disable_signup: false,
      mailer_autoconfirm: !users.confirmsEmail,
      phone_autoconfirm: false,
    }));

  app.put("/auth/v1/user", ...keyed("update user"), async (c) => {
    const user = users.sessionUser(bearer(c));
    users.requestEmailChange(user, (await read(userRequest, c)).email);
    return c.json(wire(user));
  });

  app.post("/auth/v1/logout", ...keyed("log out"), (c) => {
    users.sessionUser(bearer(c));
    users.closeSession(bearer(c));
    return c.body(null, 204);
  });

  app.notFound((c) => c.text("404 page not found", 404));
  return app;
}

/** The form of an error depends on the API version that the caller asks for. */
function refused({ status, code, message }: Refusal, c: Context): Response {
  const version = c.req.header("x-supabase-api-version");
  return version === "2024-01-01"
    ? Response.json({ code, message }, { status, headers: { "x-supabase-api-version": version } })
    : Response.json({ code: status, error_code: code, msg: message }, { status });
}

async function read<Schema extends z.ZodType>(schema: Schema, c: Context): Promise<z.output<Schema>> {
  const parsed = schema.safeParse(await jsonBody(c));
  if (!parsed.success) throw new Refusal(400, "bad_json", "Could not parse request body as JSON");
  return parsed.data;
}

/** A user as Auth shows it: an empty field is left out, except the email and the phone. */
function wire(user: AuthUser): Record<string, unknown> {
  const time = (name: string, at: Date | null) => (at ? { [name]: at.toISOString() } : {});
  return {
    id: user.id,
    aud: "authenticated",
    role: "authenticated",
    email: user.email,
    ...time("email_confirmed_at", user.emailConfirmedAt),
    phone: "",
    ...time("confirmed_at", user.emailConfirmedAt),
    ...time("recovery_sent_at", user.recoverySentAt),
    ...(user.newEmail === "" ? {} : { new_email: user.newEmail }),
    ...time("email_change_sent_at", user.emailChangeSentAt),
    ...time("last_sign_in_at", user.lastSignInAt),
    app_metadata: { provider: "email", providers: ["email"] },
    user_metadata: {},
    ...(user.hasSecondFactor ? { factors: [{ id: user.id, factor_type: "totp", status: "verified" }] } : {}),
    identities: [],
    created_at: user.createdAt.toISOString(),
    updated_at: user.createdAt.toISOString(),
    is_anonymous: false,
  };
}
