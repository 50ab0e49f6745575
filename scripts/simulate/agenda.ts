/** What is going to happen, in order of time; what falls on one moment happens in the order it was planned. */
export interface Agenda {
  plan(at: Date | number, act: () => void | Promise<void>): void;
  /** Does everything up to and including `until`, and what that brings with it. */
  happen(until: Date): Promise<void>;
}

interface Entry {
  at: number;
  order: number;
  act: () => void | Promise<void>;
}

/** A binary heap: a long run plans a hundred thousand acts. */
export function makeAgenda(): Agenda {
  const heap: Entry[] = [];
  let planned = 0;
  const isBefore = (a: Entry, b: Entry) => a.at < b.at || (a.at === b.at && a.order < b.order);

  function push(entry: Entry): void {
    let place = heap.push(entry) - 1;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      const above = heap[parent];
      if (!above || isBefore(above, entry)) break;
      heap[place] = above;
      place = parent;
    }
    heap[place] = entry;
  }

  function pop(): Entry | undefined {
    const first = heap[0];
    const last = heap.pop();
    if (!first || !last || first === last) return first;
    let place = 0;
    for (;;) {
      const [left, right] = [heap[2 * place + 1], heap[2 * place + 2]];
      const child = right && left && isBefore(right, left) ? right : left;
      if (!child || isBefore(last, child)) break;
      heap[place] = child;
      place = child === left ? 2 * place + 1 : 2 * place + 2;
    }
    heap[place] = last;
    return first;
  }

  return {
    plan: (at, act) => push({ at: Number(at), order: planned++, act }),
    async happen(until) {
      while (heap[0] && heap[0].at <= until.getTime()) await pop()?.act();
    },
  };
}
