import { describe, expect, test } from "vitest";
import {
  equalsInConstantTime,
  fromBase64,
  hmacSha256,
  sha256Hex,
  toBase64,
  toHex,
} from "../../src/shared/vendors/signing.ts";

const bytes = (length: number, value: number) => new Uint8Array(length).fill(value);

describe("hmacSha256: the vectors of RFC 4231", () => {
  test.each([
    {
      name: "case 1, a key of bytes",
      key: bytes(20, 0x0b),
      data: "Hi There",
      mac: "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
    },
    {
      name: "case 2, a key of text",
      key: "Jefe",
      data: "what do ya want for nothing?",
      mac: "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
    },
    {
      name: "case 3, data of bytes",
      key: bytes(20, 0xaa),
      data: bytes(50, 0xdd),
      mac: "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
    },
    {
      name: "case 6, a key longer than a block",
      key: bytes(131, 0xaa),
      data: "Test Using Larger Than Block-Size Key - Hash Key First",
      mac: "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
    },
  ])("$name", async ({ key, data, mac }) => {
    expect(toHex(await hmacSha256(key, data))).toBe(mac);
  });

  test("parts are signed as if they were one", async () => {
    const whole = toHex(await hmacSha256("Jefe", "what do ya want for nothing?"));
    const parts = await hmacSha256(
      "Jefe",
      "what do ",
      new TextEncoder().encode("ya want"),
      "",
      " for nothing?",
    );
    expect(toHex(parts)).toBe(whole);
  });

  test("text is UTF-8, in key and data", async () => {
    const encoder = new TextEncoder();
    const text = toHex(await hmacSha256("schlüssel", "größe"));
    expect(toHex(await hmacSha256(encoder.encode("schlüssel"), encoder.encode("größe")))).toBe(text);
  });

  test("a view into a larger buffer is signed as the view", async () => {
    const view = new TextEncoder().encode("[Jefe]").subarray(1, 5);
    expect(toHex(await hmacSha256(view, "x"))).toBe(toHex(await hmacSha256("Jefe", "x")));
  });

  test("an empty key signs nothing", async () => {
    await expect(hmacSha256("", "x")).rejects.toThrow();
    await expect(hmacSha256(new Uint8Array(), "x")).rejects.toThrow();
  });
});

test("sha256Hex: the vectors of FIPS 180-2", async () => {
  expect(await sha256Hex("abc")).toBe("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  expect(await sha256Hex(new Uint8Array())).toBe(
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
  );
});

describe("hex and base64", () => {
  test("hex keeps leading zeros", () => {
    expect(toHex(Uint8Array.of(0, 1, 15, 16, 255))).toBe("00010f10ff");
  });

  test.each([["", ""], ["f", "Zg=="], ["fo", "Zm8="], ["foo", "Zm9v"], ["foobar", "Zm9vYmFy"]])(
    "base64 of %j is %j (RFC 4648)",
    (text, base64) => {
      expect(toBase64(new TextEncoder().encode(text))).toBe(base64);
      expect(new TextDecoder().decode(fromBase64(base64))).toBe(text);
    },
  );

  test("every byte survives base64", () => {
    const all = Uint8Array.from({ length: 256 }, (_, i) => i);
    expect(fromBase64(toBase64(all))).toEqual(all);
  });

  test.each(["*", "Zg=", "Z", "Zm-_"])("text that is not base64 is refused: %j", (text) => {
    expect(() => fromBase64(text)).toThrow();
  });
});

describe("equalsInConstantTime", () => {
  test.each(["a", "0123abcd", "größe", "\u0000", "x".repeat(10_000)])("equal %#", (text) => {
    expect(equalsInConstantTime(text, `${text}`)).toBe(true);
  });

  test.each([
    ["", ""],
    ["", "a"],
    ["a", ""],
    ["\u0000", ""],
    ["a", "b"],
    ["a", "A"],
    ["ab", "a"],
    ["a", "ab"],
    ["abab", "ab"],
    ["ab", "abab"],
    ["a\u0000", "a"],
    ["a", "a\u0000"],
    ["abc", "abd"],
    ["abc", "zbc"],
    ["é", "e"],
    ["é", "e\u0301"],
    [" a", "a"],
  ])("%j is not %j", (given, expected) => {
    expect(equalsInConstantTime(given, expected)).toBe(false);
  });

  test("a difference anywhere counts", () => {
    const expected = "0123456789abcdef".repeat(4);
    for (let i = 0; i < expected.length; i++) {
      const given = `${expected.slice(0, i)}x${expected.slice(i + 1)}`;
      expect(equalsInConstantTime(given, expected)).toBe(false);
    }
  });
});
