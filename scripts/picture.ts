import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

/** Writes a picture, and makes its folder where there is none. */
export function writePicture(file: string, svg: string): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, svg);
}

/** Text as it may stand in SVG. Names and keys are other people's. Characters that XML cannot hold are left out. */
export function escaped(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cs}\p{Cn}]/gu, "")
    .replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}
