import { Refusal } from "../app.ts";
import type { FhirStore, Resource, ResourceType } from "./store.ts";

/** Medplum's limits: docs, Search. */
const DEFAULT_COUNT = 20;
const MAX_COUNT = 1000;
const MAX_OFFSET = 10_000;

type Test = (resource: Resource, value: string) => boolean;

const byId: Test = ({ id }, value) => value.split(",").includes(id);
const byStatus: Test = ({ status }, value) => value.split(",").includes(status ?? "");
const bySubject: Test = ({ subject }, value) => value.split(",").includes(subject?.reference ?? "-");
const byIdentifier: Test = ({ identifier }, value) =>
  (identifier ?? []).some((one) => value === one.value || value === `${one.system}|${one.value}`);
const byPrescription: Test = ({ authorizingPrescription }, value) => {
  const wanted = value.split(",");
  return (authorizingPrescription ?? []).some(({ reference }) => wanted.includes(reference));
};

const PARAMETERS: Record<ResourceType, Record<string, Test>> = {
  Patient: { _id: byId, identifier: byIdentifier },
  MedicationRequest: { _id: byId, subject: bySubject, status: byStatus, identifier: byIdentifier },
  MedicationDispense: {
    _id: byId,
    subject: bySubject,
    status: byStatus,
    identifier: byIdentifier,
    prescription: byPrescription,
  },
};

const COMPARE: Record<string, (a: number, b: number) => boolean> = {
  ge: (a, b) => a >= b,
  gt: (a, b) => a > b,
  le: (a, b) => a <= b,
  lt: (a, b) => a < b,
};

/** One page of a search as a Bundle. Its links repeat `url`, the request's. Unknown parameters are refused. */
export function search(store: FhirStore, type: ResourceType, url: URL): Record<string, unknown> {
  const query = url.searchParams;
  const count = Math.min(wholeNumber(query, "_count", DEFAULT_COUNT), MAX_COUNT);
  const offset = wholeNumber(query, "_offset", 0);
  if (offset > MAX_OFFSET) throw badSearch("Search offset exceeds maximum");
  const sort = query.get("_sort");
  if (sort !== null && !/^-?_lastUpdated$/.test(sort)) throw badSearch("Unknown sort");
  const cursor = query.get("_cursor");
  if (cursor !== null && sort !== "_lastUpdated") throw badSearch("Cursor needs _sort=_lastUpdated");

  const elements = query.get("_elements") ?? query.get("_fields");
  const found = candidates(store, type, query).filter((resource) => matches(type, resource, query));
  if (sort) found.sort((a, b) => (sort.startsWith("-") ? -1 : 1) * (cursorOf(a) < cursorOf(b) ? -1 : 1));
  const rest = cursor === null
    ? found.slice(offset)
    : found.filter((resource) => cursorOf(resource) > cursor);
  const page = rest.slice(0, count);
  const last = page.at(-1);

  const link = [{ relation: "self", url: url.href }];
  if (rest.length > count && last) {
    const next = new URL(url);
    if (sort === "_lastUpdated") next.searchParams.set("_cursor", cursorOf(last));
    else next.searchParams.set("_offset", String(offset + count));
    link.push({ relation: "next", url: next.href });
  }
  return {
    resourceType: "Bundle",
    type: "searchset",
    entry: page.map((resource) => ({
      fullUrl: `${url.origin}/fhir/R4/${type}/${resource.id}`,
      search: { mode: "match" },
      resource: elements === null ? resource : subset(resource, elements.split(",")),
    })),
    link,
  };
}

/** The resources of the named subjects or prescriptions; every resource where the query names none. */
function candidates(store: FhirStore, type: ResourceType, query: URLSearchParams): Resource[] {
  const names = query.get("prescription") ?? query.get("subject");
  if (names === null) return [...store.current[type].values()];
  const found = new Map<string, Resource>();
  for (const name of new Set(names.split(","))) {
    for (const resource of store.naming(type, name)) found.set(resource.id, resource);
  }
  return [...found.values()];
}

/** `_elements`: the fields asked for, and those that identify a resource. */
function subset(resource: Resource, elements: readonly string[]): object {
  const kept = new Set(["resourceType", "id", "meta", ...elements]);
  return Object.fromEntries(Object.entries(resource).filter(([name]) => kept.has(name)));
}

function matches(type: ResourceType, resource: Resource, query: URLSearchParams): boolean {
  for (const [name, value] of query) {
    if (["_count", "_offset", "_sort", "_cursor", "_elements", "_fields"].includes(name)) continue;
    const test = name === "_lastUpdated" ? byLastUpdated : PARAMETERS[type][name];
    if (!test) throw badSearch(`Unknown search parameter for ${type}`);
    if (!test(resource, value)) return false;
  }
  return true;
}

const byLastUpdated: Test = ({ meta }, value) => {
  const compare = COMPARE[value.slice(0, 2)];
  const bound = Date.parse(value.slice(2));
  if (!compare || Number.isNaN(bound)) throw badSearch("Invalid _lastUpdated");
  return compare(Date.parse(meta.lastUpdated), bound);
};

/** The resource's rank in the order of last update; opaque to clients. ISO instants sort as text. */
function cursorOf({ meta, id }: Resource): string {
  return `1-${meta.lastUpdated}-${id}`;
}

function wholeNumber(query: URLSearchParams, name: string, otherwise: number): number {
  const value = query.get(name);
  if (value === null) return otherwise;
  if (!/^\d{1,9}$/.test(value)) throw badSearch(`Invalid ${name}`);
  return Number(value);
}

function badSearch(message: string): Refusal {
  return new Refusal(400, "invalid", message);
}
