/** A worker that looks for work again and again, until it is stopped. */
export interface Loop {
  start(): void;
  /** Resolves when the last look has ended. */
  stop(): Promise<void>;
}

/** Calls `look` every `everyMs` (counted from its end). A failed look is reported and tried again. */
export function makeLoop(
  look: () => Promise<unknown>,
  everyMs: number,
  onError: (error: unknown) => void,
): Loop {
  let timer: NodeJS.Timeout | undefined;
  let current: Promise<unknown> = Promise.resolve();
  let stopped = true;
  const turn = (): void => {
    current = look().catch(onError).then(() => {
      if (!stopped) timer = setTimeout(turn, everyMs);
    });
  };
  return {
    start() {
      if (!stopped) return;
      stopped = false;
      turn();
    },
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await current;
    },
  };
}
