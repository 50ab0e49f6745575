/** A worker that polls for work until it is stopped. */
export interface Loop {
  start(): void;
  /** Resolves when the last poll has ended. */
  stop(): Promise<void>;
}

/** Calls `poll` every `everyMs` (counted from its end). A failed poll is reported and tried again. */
export function makeLoop(
  poll: () => Promise<unknown>,
  everyMs: number,
  onError: (error: unknown) => void,
): Loop {
  let timer: NodeJS.Timeout | undefined;
  let current: Promise<unknown> = Promise.resolve();
  let stopped = true;
  const turn = (): void => {
    current = poll().catch(onError).then(() => {
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
