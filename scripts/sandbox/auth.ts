import { makeRoutes } from "./auth/routes.ts";
import { type AuthMail, AuthRefusal, type AuthUser, Users } from "./auth/users.ts";
import { Faults } from "./faults.ts";
import { randomId, type SandboxApp } from "./server.ts";

/** The stand-in for Supabase Auth, and what people do there. */
export interface AuthSandbox {
  app: SandboxApp;
  faults: Faults;
  /** The keys of the project that the gateway lets in. */
  keys: { service: string; anon: string };
  users: ReadonlyMap<string, AuthUser>;
  /** Every mail that was sent, oldest first. */
  mails: readonly AuthMail[];
  /** Where it is served, for the links in its mails. */
  servedAt(url: string): void;
  /** Somebody signs up. Throws where the address is taken. Gives the user's id. */
  signUp(email: string, options?: { confirmed?: boolean }): string;
  /** As {@link signUp}, for many thousands at once: whether the address is free is not looked at. */
  importUser(email: string): string;
  deleteUser(userId: string): void;
  /** The user adds a second factor. */
  addSecondFactor(userId: string): void;
  ban(userId: string): void;
  /** The user asks for another email in the app's own settings. */
  changeEmail(userId: string, email: string): void;
  /** Opens the link in a mail, as its reader does. True when the user's email is now the new one. */
  open(mail: AuthMail): boolean;
  /** Opens every link that was mailed to this user and is still good. */
  openAll(userId: string): void;
  /** Sessions that are open. */
  sessionsOf(userId: string): number;
  /** Null lifts the limit. */
  limitMails(perHour: number | null): void;
  /** Whether the old address must confirm a change too. Supabase's default is that it must. */
  setSecureEmailChange(isOn: boolean): void;
  /** The setting "Confirm email". */
  setConfirmEmail(isOn: boolean): void;
}

/** Supabase Auth on loopback: the admin's reading of users, links, sessions, and the change of an email with its mails. */
export function makeAuthSandbox({ now, random }: { now: () => Date; random: () => number }): AuthSandbox {
  const faults = new Faults(random);
  let servedAt = "http://127.0.0.1";
  const users = new Users({ now, random, url: () => servedAt });
  const keys = {
    service: randomId(random, "sb_secret_", 31),
    anon: randomId(random, "sb_publishable_", 31),
  };
  const get = (userId: string): AuthUser => {
    const user = users.byId.get(userId);
    if (!user) throw new Error(`the sandbox of Supabase Auth has no user ${userId}`);
    return user;
  };
  const open = (mail: AuthMail) =>
    users.confirmEmailChange(new URL(mail.url).searchParams.get("token") ?? "");
  return {
    app: makeRoutes({ users, faults, keys }),
    faults,
    keys,
    users: users.byId,
    mails: users.mails,
    servedAt: (url) => void (servedAt = url),
    signUp: (email, { confirmed = true } = {}) => users.create(email, confirmed).id,
    importUser: (email) => users.import(email, true).id,
    deleteUser: (userId) => void users.byId.delete(get(userId).id),
    addSecondFactor: (userId) => void (get(userId).hasSecondFactor = true),
    ban: (userId) => void (get(userId).banned = true),
    changeEmail: (userId, email) => users.requestEmailChange(get(userId), email),
    open,
    openAll(userId) {
      for (const mail of users.mails.filter((one) => one.userId === userId)) {
        try {
          open(mail);
        } catch (error) {
          if (!(error instanceof AuthRefusal && error.code === "otp_expired")) throw error;
        }
      }
    },
    sessionsOf: (userId) => users.sessionsOf(userId),
    limitMails: (perHour) => void (users.mailsPerHour = perHour),
    setSecureEmailChange: (isOn) => void (users.bothConfirm = isOn),
    setConfirmEmail: (isOn) => void (users.confirmsEmail = isOn),
  };
}
