import { z } from "zod";
import { uuid } from "../random.ts";

/** The types that Clockwork reads, and their names in fault operations. */
export const RESOURCE_TYPES = {
  Patient: { one: "patient", many: "patients" },
  MedicationRequest: { one: "prescription", many: "prescriptions" },
  MedicationDispense: { one: "dispense", many: "dispenses" },
} as const;
export type ResourceType = keyof typeof RESOURCE_TYPES;

const periodSchema = z.looseObject({ start: z.string().optional(), end: z.string().optional() });
const referenceSchema = z.looseObject({ reference: z.string() });

/** A resource as written: the fields that the sandbox itself reads. Any other one stays as it came. */
export const bodySchema = z.looseObject({
  id: z.string().optional(),
  status: z.string().optional(),
  intent: z.string().optional(),
  subject: referenceSchema.optional(),
  identifier: z.array(z.looseObject({ system: z.string().optional(), value: z.string().optional() }))
    .optional(),
  active: z.boolean().optional(),
  telecom: z.array(z.looseObject({ system: z.string().optional(), use: z.string().optional() })).optional(),
  link: z.array(z.looseObject({ other: referenceSchema, type: z.string() })).optional(),
  authorizingPrescription: z.array(referenceSchema).optional(),
  dispenseRequest: z.looseObject({ validityPeriod: periodSchema.optional() }).optional(),
  name: z.array(z.looseObject({ family: z.string().optional(), given: z.array(z.string()).optional() }))
    .optional(),
  address: z.array(z.looseObject({ use: z.string().optional(), period: periodSchema.optional() })).optional(),
});
export type ResourceBody = z.output<typeof bodySchema>;

export type Resource = ResourceBody & {
  resourceType: ResourceType;
  id: string;
  meta: { versionId: string; lastUpdated: string; author: { reference: string } };
};

/** One state of a resource. `resource` is null for a delete. */
interface Version {
  interaction: "create" | "update" | "delete";
  versionId: string;
  lastUpdated: string;
  resource: Resource | null;
}

export interface Change {
  type: ResourceType;
  id: string;
  version: Version;
}

interface StoreDeps {
  now: () => Date;
  random: () => number;
  author: string;
  onChange: (change: Change) => void;
}

/** The resources with all their versions. Ids and version ids are uuids, as at Medplum. */
export class FhirStore {
  /** The live resources, by id. */
  readonly current = {
    Patient: new Map<string, Resource>(),
    MedicationRequest: new Map<string, Resource>(),
    MedicationDispense: new Map<string, Resource>(),
  } satisfies Record<ResourceType, Map<string, Resource>>;
  /** Every version, oldest first, by `Type/id`. Deleted resources keep theirs. */
  readonly history = new Map<string, Version[]>();
  /** The live resources by type and the names in them, so that a search reads few. */
  readonly #named = new Map<string, Map<string, Resource>>();
  readonly #deps: StoreDeps;

  constructor(deps: StoreDeps) {
    this.#deps = deps;
  }

  /** Throws when the id is, or was, taken. */
  create(type: ResourceType, body: ResourceBody, id = uuid(this.#deps.random)): Resource {
    if (this.history.has(`${type}/${id}`)) throw new Error(`${type}/${id} exists`);
    return this.#write(type, id, body, "create");
  }

  /** Writes a new version; equal content makes none. Throws for an unknown or deleted resource. */
  update(type: ResourceType, id: string, body: ResourceBody): Resource {
    const former = this.get(type, id);
    if (contentOf(former) === contentOf({ ...body, resourceType: type, id })) return former;
    return this.#write(type, id, body, "update");
  }

  /** A second delete does nothing. */
  delete(type: ResourceType, id: string): void {
    const former = this.current[type].get(id);
    if (!former) return;
    this.current[type].delete(id);
    this.#forget(former);
    this.#append(type, id, { interaction: "delete", ...this.#stamp(), resource: null });
  }

  /** The live resource. Throws for an unknown or deleted one. */
  get(type: ResourceType, id: string): Resource {
    const resource = this.current[type].get(id);
    if (!resource) throw new Error(`no ${type}/${id}`);
    return resource;
  }

  /** The type's live resources with this subject (`Patient/…`), prescription (`MedicationRequest/…`) or identifier. */
  naming(type: ResourceType, name: string): Iterable<Resource> {
    return this.#named.get(`${type} ${name}`)?.values() ?? [];
  }

  isDeleted(type: ResourceType, id: string): boolean {
    return this.history.has(`${type}/${id}`) && !this.current[type].has(id);
  }

  #write(type: ResourceType, id: string, body: ResourceBody, interaction: "create" | "update"): Resource {
    const stamp = this.#stamp();
    const { resourceType: _type, id: _id, meta: _meta, ...content } = body;
    const resource: Resource = {
      resourceType: type,
      id,
      meta: { ...stamp, author: { reference: this.#deps.author } },
      ...structuredClone(content),
    };
    const former = this.current[type].get(id);
    if (former) this.#forget(former);
    this.current[type].set(id, resource);
    for (const key of namesIn(resource)) {
      const known = this.#named.get(key) ?? new Map<string, Resource>();
      this.#named.set(key, known.set(id, resource));
    }
    this.#append(type, id, { interaction, ...stamp, resource });
    return resource;
  }

  #forget(former: Resource): void {
    for (const key of namesIn(former)) this.#named.get(key)?.delete(former.id);
  }

  #append(type: ResourceType, id: string, version: Version): void {
    const key = `${type}/${id}`;
    const versions = this.history.get(key) ?? [];
    versions.push(version);
    this.history.set(key, versions);
    this.#deps.onChange({ type, id, version });
  }

  #stamp() {
    return { versionId: uuid(this.#deps.random), lastUpdated: this.#deps.now().toISOString() };
  }
}

function namesIn({ resourceType, subject, authorizingPrescription, identifier }: Resource): string[] {
  const names = [
    subject?.reference,
    ...(authorizingPrescription ?? []).map(({ reference }) => reference),
    ...(identifier ?? []).map(({ value }) => value),
  ];
  return names.flatMap((name) => name === undefined ? [] : [`${resourceType} ${name}`]);
}

/** All fields but `meta`, in a fixed order. */
function contentOf({ meta: _meta, ...content }: ResourceBody): string {
  return JSON.stringify(
    content,
    (_key, value: unknown) =>
      typeof value === "object" && value !== null && !Array.isArray(value)
        ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
        : value,
  );
}
