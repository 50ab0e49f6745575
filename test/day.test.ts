import { describe, expect, test } from "vitest";
import { addDays, type Day, dayIn, endOfDay, isDay, startOfDay } from "../src/shared/day.ts";

const NEW_YORK = "America/New_York";
const AUCKLAND = "Pacific/Auckland";
const ZONES = [NEW_YORK, AUCKLAND, "UTC", "Asia/Kolkata", "Australia/Lord_Howe", "America/Sao_Paulo"];
const at = (text: string) => new Date(text);

describe("the day of an instant", () => {
  test("is that of the zone, west and east of UTC", () => {
    expect(dayIn(at("2026-12-08T04:59:59.999Z"), NEW_YORK)).toBe("2026-12-07");
    expect(dayIn(at("2026-12-08T05:00:00Z"), NEW_YORK)).toBe("2026-12-08");
    expect(dayIn(at("2026-12-06T10:59:59.999Z"), AUCKLAND)).toBe("2026-12-06");
    expect(dayIn(at("2026-12-06T11:00:00Z"), AUCKLAND)).toBe("2026-12-07");
  });

  test("begins and ends within itself, and the next begins with the next millisecond", () => {
    for (const zone of ZONES) {
      for (let day: Day = "2017-12-01", n = 0; n < 500; n++) {
        const [start, end] = [startOfDay(day, zone), endOfDay(day, zone)];
        expect([dayIn(start, zone), dayIn(end, zone)], `${day} ${zone}`).toEqual([day, day]);
        day = dayIn(new Date(end.getTime() + 1), zone);
        expect(startOfDay(day, zone), `${day} ${zone}`).toEqual(new Date(end.getTime() + 1));
      }
    }
  });
});

describe("days later", () => {
  test("is the same time of the day by the calendar, whatever the clock did in between", () => {
    const end = endOfDay("2026-11-20", NEW_YORK);
    expect(addDays(end, -30, NEW_YORK)).toEqual(endOfDay("2026-10-21", NEW_YORK));
    expect(addDays(startOfDay("2026-10-20", NEW_YORK), 30, NEW_YORK)).toEqual(
      startOfDay("2026-11-19", NEW_YORK),
    );
    expect(addDays(at("2026-03-07T12:00:00Z"), 1, NEW_YORK)).toEqual(at("2026-03-08T11:00:00Z"));
    expect(addDays(at("2026-04-04T12:00:00Z"), 1, AUCKLAND)).toEqual(at("2026-04-05T13:00:00Z"));
    expect(addDays(at("2026-03-07T12:00:00Z"), 1, "UTC")).toEqual(at("2026-03-08T12:00:00Z"));
  });

  test("of two such times is the former, of none the one that the clock leaps to", () => {
    expect(addDays(at("2026-10-31T05:30:00Z"), 1, NEW_YORK)).toEqual(at("2026-11-01T05:30:00Z"));
    expect(addDays(at("2026-03-07T07:30:00Z"), 1, NEW_YORK)).toEqual(at("2026-03-08T07:30:00Z"));
    expect(addDays(startOfDay("2018-11-03", "America/Sao_Paulo"), 1, "America/Sao_Paulo"))
      .toEqual(startOfDay("2018-11-04", "America/Sao_Paulo"));
  });
});

test("a day is one of the calendar, in full", () => {
  expect(["2026-12-07", "2028-02-29", "0001-01-01"].filter(isDay)).toHaveLength(3);
  const none = ["2026-02-30", "2026-13-01", "2026-00-10", "0000-01-01", "2026-1-1", "2026-12", "soon", ""];
  expect([...none, "2026-12-07T00:00:00Z", " 2026-12-07", "2026-12-07\n"].filter(isDay)).toEqual([]);
});

test("a zone that does not exist is an error, not an answer", () => {
  for (const ask of [dayIn, (now: Date, zone: string) => addDays(now, 1, zone)]) {
    expect(() => ask(at("2026-01-15T00:00:00Z"), "America/Nowhere")).toThrow(RangeError);
  }
});
