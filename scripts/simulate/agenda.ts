type Act = () => void | Promise<void>;

/** The acts to come, in order of time; acts of one moment happen in the order in which they were put down. */
export interface Agenda {
  at(moment: Date | number, act: Act): void;
  /** Does all acts up to and including `until`, and the acts that they put down for that time. */
  happen(until: Date): Promise<void>;
}

export function makeAgenda(): Agenda {
  /** The latest first, so that the next act is taken from the end. */
  const acts: { at: number; act: Act }[] = [];

  /** The index of a new act, by bisection: a long run puts down a hundred thousand acts. */
  function indexFor(at: number): number {
    let [low, high] = [0, acts.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((acts[middle]?.at ?? 0) > at) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  return {
    at: (moment, act) => void acts.splice(indexFor(Number(moment)), 0, { at: Number(moment), act }),
    async happen(until) {
      for (let next = acts.at(-1); next && next.at <= until.getTime(); next = acts.at(-1)) {
        acts.pop();
        await next.act();
      }
    },
  };
}
