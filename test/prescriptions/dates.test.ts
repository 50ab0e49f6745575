import { describe, expect, test } from "vitest";
import { endOf, startOf } from "../../src/shared/prescriptions/dates.ts";
import { parseFhirDateTime } from "../../src/shared/vendors/medplum/dates.ts";

describe("the last moment of a prescription", () => {
  const NEW_YORK = "America/New_York";
  const end = (text: string, zone = NEW_YORK) => endOf(parseFhirDateTime(text), zone)?.toISOString() ?? null;

  test("a date is the end of that day in the zone", () => {
    expect(end("2026-01-15")).toBe("2026-01-16T04:59:59.999Z");
    expect(end("2026-07-15")).toBe("2026-07-16T03:59:59.999Z");
    expect(end("2026-12-31", "UTC")).toBe("2026-12-31T23:59:59.999Z");
    expect(end("2026-12-31", "Asia/Tokyo")).toBe("2026-12-31T14:59:59.999Z");
    expect(end("2028-02-29")).toBe("2028-03-01T04:59:59.999Z");
  });

  test("on and around the days when the clock changes", () => {
    expect(end("2026-03-07")).toBe("2026-03-08T04:59:59.999Z");
    expect(end("2026-03-08")).toBe("2026-03-09T03:59:59.999Z");
    expect(end("2026-03-09")).toBe("2026-03-10T03:59:59.999Z");
    expect(end("2026-10-31")).toBe("2026-11-01T03:59:59.999Z");
    expect(end("2026-11-01")).toBe("2026-11-02T04:59:59.999Z");
    expect(end("2026-11-02")).toBe("2026-11-03T04:59:59.999Z");
  });

  test("where the clock changes at midnight itself", () => {
    // São Paulo 2018-11-04 began at 01:00; on 2018-02-17 the hour before midnight came twice.
    expect(end("2018-11-03", "America/Sao_Paulo")).toBe("2018-11-04T02:59:59.999Z");
    expect(end("2018-02-17", "America/Sao_Paulo")).toBe("2018-02-18T02:59:59.999Z");
  });

  test("a time with its offset is itself, whatever the zone", () => {
    expect(end("2026-03-08T17:30:00-05:00")).toBe("2026-03-08T22:30:00.000Z");
    expect(end("2026-03-08T17:30:00.250Z", "Asia/Tokyo")).toBe("2026-03-08T17:30:00.250Z");
  });

  test("unclear is null", () => {
    for (
      const text of [
        "2026",
        "2026-03",
        "",
        "soon",
        "2026-3-8",
        "2026-02-30",
        "2026-02-30T10:00:00Z",
        "2026-13-01",
        "2026-00-10",
        "0000-01-01",
        "03/08/2026",
        "2026-03-08T10:00:00",
        "2026-03-08T10:00Z",
        "2026-03-08T24:00:00Z",
        "2026-03-08 ",
        "2026-03-08\n",
      ]
    ) expect(end(text), text).toBeNull();
  });

  test("a zone that does not exist is an error, not an answer", () => {
    expect(() => end("2026-01-15", "America/Nowhere")).toThrow(RangeError);
  });
});

describe("the first moment of a prescription", () => {
  const start = (text: string, zone: string) => startOf(parseFhirDateTime(text), zone)?.toISOString() ?? null;

  test("a day, a month and a year begin with their first day in the zone, a time is itself", () => {
    expect(start("2026-03-08", "America/New_York")).toBe("2026-03-08T05:00:00.000Z");
    expect(start("2026-12", "Pacific/Auckland")).toBe("2026-11-30T11:00:00.000Z");
    expect(start("2026", "Asia/Tokyo")).toBe("2025-12-31T15:00:00.000Z");
    expect(start("2026-03-08T17:30:00-05:00", "Asia/Tokyo")).toBe("2026-03-08T22:30:00.000Z");
    expect(start("soon", "UTC")).toBeNull();
  });
});
