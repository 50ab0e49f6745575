import { Refusal } from "./app.ts";
import { makeRoutes } from "./auth/routes.ts";
import { type AuthMail, Users } from "./auth/users.ts";
import { Faults } from "./faults.ts";
import { randomId } from "./random.ts";
import { mustHave } from "./shelf.ts";

export type AuthSandbox = ReturnType<typeof makeAuthSandbox>;

/** Supabase Auth on loopback: the admin's reading of users, links, sessions, and the change of an email with its mails. */
export function makeAuthSandbox({ now, random }: { now: () => Date; random: () => number }) {
  const faults = new Faults(random);
  let servedAt = "http://127.0.0.1";
  const users = new Users({ now, random, url: () => servedAt });
  const keys = {
    service: randomId(random, "sb_secret_", 31),
    anon: randomId(random, "sb_publishable_", 31),
  };
  const get = (userId: string) => mustHave(users.byId, userId);
  /** Opens the link in a mail, as its reader does. True when the user's email is now the new one. */
  const open = (mail: AuthMail): boolean =>
    users.confirmEmailChange(new URL(mail.url).searchParams.get("token") ?? "");
  return {
    app: makeRoutes({ users, faults, keys }),
    faults,
    /** The keys of the project that the gateway lets in. */
    keys,
    users: users.byId,
    /** Every mail that was sent, oldest first. */
    mails: users.mails,
    /** Sets the address for the links in mails. */
    servedAt: (url: string): void => void (servedAt = url),
    /** Somebody signs up. Throws for a taken address. Returns the user's id. */
    signUp: (email: string, { confirmed = true } = {}): string => users.create(email, confirmed).id,
    /** As `signUp`, for many thousands at once: does not check that the address is free. */
    importUser: (email: string): string => users.import(email, true).id,
    deleteUser: (userId: string): void => void users.byId.delete(get(userId).id),
    /** The user adds a second factor. */
    addSecondFactor: (userId: string): void => void (get(userId).hasSecondFactor = true),
    ban: (userId: string): void => void (get(userId).banned = true),
    /** The user asks for another email in the app's own settings. */
    changeEmail: (userId: string, email: string): void => users.requestEmailChange(get(userId), email),
    open,
    /** Opens every link that was mailed to this user and is still good. */
    openAll(userId: string): void {
      for (const mail of users.mails.filter((one) => one.userId === userId)) {
        try {
          open(mail);
        } catch (error) {
          if (!(error instanceof Refusal && error.code === "otp_expired")) throw error;
        }
      }
    },
    /** The number of the user's open sessions. */
    sessionsOf: (userId: string): number => users.sessionsOf(userId),
    /** Null lifts the limit. */
    limitMails: (perHour: number | null): void => void (users.mailsPerHour = perHour),
    /** Whether the old address must confirm a change too. Supabase's default is true. */
    setSecureEmailChange: (isOn: boolean): void => void (users.bothConfirm = isOn),
    /** The setting "Confirm email". */
    setConfirmEmail: (isOn: boolean): void => void (users.confirmsEmail = isOn),
  };
}
