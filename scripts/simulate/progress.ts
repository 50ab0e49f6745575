const WIDE = 40;

/** A bar on a terminal; elsewhere a line every twentieth of the way. */
export function makeProgress(days: number, write: (text: string) => void, isTerminal: boolean) {
  const startedAt = performance.now();
  let lastTwentieth = 0;
  return {
    day(day: number): void {
      const share = day / days;
      const seconds = (performance.now() - startedAt) / 1000;
      const left = (seconds / share) * (1 - share);
      const line = `day ${day} of ${days}, ${seconds.toFixed(0)} s gone, about ${left.toFixed(0)} s to go`;
      if (isTerminal) {
        const full = Math.round(share * WIDE);
        write(`\r[${"█".repeat(full)}${"·".repeat(WIDE - full)}] ${line}   `);
      } else if (Math.floor(share * 20) > lastTwentieth) {
        lastTwentieth = Math.floor(share * 20);
        write(`${line}\n`);
      }
    },
    end: () => write(isTerminal ? "\n" : ""),
  };
}
