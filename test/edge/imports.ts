/** How the Supabase CLI (3.1.0) finds the imports of a file it uploads: by this expression and nothing else. */
const CLI_IMPORT =
  /(?:import|export)\s+(?:type\s+)?(?:{[^{}]+}|.*?)\s*(?:from)?\s*['"](.*?)['"]|import\(\s*(?:"([^"\r\n]*)"|'([^'\r\n]*)')\s*[,)]/gi;

/** What the CLI takes for imports: more than there are (any quoted text after an `export`), and not all there are. */
export function importsTheCliSees(text: string): Set<string> {
  return new Set(
    [...text.matchAll(CLI_IMPORT)].map(([, from, double, single]) => from ?? double ?? single ?? ""),
  );
}

const STATEMENTS = [
  /(?:^|[;}])\s*(?:import|export)\b[^"'`;]*?\bfrom\s*["']([^"'\n]+)["']/gm,
  /(?:^|[;}])\s*import\s*["']([^"'\n]+)["']/gm,
  /\bimport\s*\(\s*["'`]([^"'`\n]+)["'`]/g,
];

/** Every import, export-from and dynamic import there is, as the language has them. */
export function importsOf(text: string): Set<string> {
  const code = withoutComments(text);
  return new Set(
    STATEMENTS.flatMap((form) => [...code.matchAll(form)].map(([, specifier]) => specifier ?? "")),
  );
}

/** A dynamic import of something that is no literal: nobody can follow it before it runs. */
export function hasComputedImport(text: string): boolean {
  return /\bimport\s*\(\s*(?!["'])\S/.test(withoutComments(text));
}

/** Quoted texts are stepped over, so that the `//` of an address is no comment. */
export function withoutComments(text: string): string {
  return text.replace(
    /("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`)|\/\*[\s\S]*?\*\/|\/\/[^\n]*/g,
    (_, quoted: string | undefined) => quoted ?? " ",
  );
}
