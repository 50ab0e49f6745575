/** A person in the CRM: the facts it owns and those it mirrors. Null: it has none. Kept in memory only. */
export interface CrmProfile {
  email: string | null;
  phone: string | null;
  planState: string | null;
  /** `YYYY-MM-DD`. */
  nextRefillOn: string | null;
}

/** The CRM: talks to customers; owner of email and phone. Never told a medical fact. */
export interface Crm {
  /**
   * `id` and `at` (when it happened) make the idempotency key, so neither may change between two tries. `tellAt` is
   * the time the event carries, `at` unless given: an event over 72 h old is stored and starts no campaign.
   */
  sendEvent(event: {
    personId: string;
    id: string;
    name: string;
    at: Date;
    tellAt?: Date;
    data: Record<string, string | number | boolean | null>;
  }): Promise<void>;
  /** Profiles of up to 100 people in one call. The map leaves out people whom the CRM does not know. */
  readProfiles(personIds: readonly string[]): Promise<Map<string, CrmProfile>>;
  /**
   * Sets mirrored facts of a person who exists (never makes one). `asOf`: when the owner was read; an update that
   * was read earlier and arrives later does not win.
   */
  updateProfile(
    personId: string,
    facts: Pick<CrmProfile, "planState" | "nextRefillOn">,
    asOf: Date,
  ): Promise<void>;
}
