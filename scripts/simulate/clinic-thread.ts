import { parentPort, workerData } from "node:worker_threads";
import type { Word } from "./clinics.ts";
import { runSimulation } from "./run.ts";

// One clinic's days, in a thread of its own. Its worker data are `SimulationOptions` without `onDay`.

const say = (word: Word) => parentPort?.postMessage(word);
say({ report: await runSimulation({ ...workerData, onDay: (day) => say({ day }) }) });
