import { AuthError, createClient } from "@supabase/supabase-js";
import type { Fetch } from "../call.ts";
import { statusError } from "../call.ts";
import { type Login, VendorError } from "../contract.ts";

export interface SupabaseAuthOptions {
  /** The project's own URL, e.g. `https://<ref>.supabase.co`. */
  url: string;
  /** The service role's (secret) key. */
  serviceKey: string;
  fetch: Fetch;
}

/** The logins at Supabase Auth. Throws {@link VendorError}; a refusal never carries Auth's words. */
export function makeSupabaseAuthClient({ url, serviceKey, fetch }: SupabaseAuthOptions): Login {
  const options = {
    global: { fetch },
    auth: { persistSession: false, autoRefreshToken: false, detectSessionInUrl: false },
  };
  const supabase = createClient(url, serviceKey, options);
  return {
    async getUser(userId) {
      const { data, error } = await supabase.auth.admin.getUserById(userId);
      if (error?.status === 404) return null;
      if (error) throw toVendorError("get user", error);
      return { email: data.user.email || null, pendingEmail: data.user.new_email || null };
    },
  };
}

function toVendorError(operation: string, error: AuthError): VendorError {
  if (!error.status) return new VendorError("login", "unanswered", operation);
  return statusError("login", operation, error.status, null);
}
