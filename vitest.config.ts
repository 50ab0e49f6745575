import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** The folders whose files take longest: begun last, one of them would run alone at the end. */
const LONG = /\/test\/(proof|commands)\//;

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const byUsualOrder = await super.sort(files);
    const isLong = ({ moduleId }: TestSpecification) => LONG.test(moduleId);
    return [...byUsualOrder.filter(isLong), ...byUsualOrder.filter((file) => !isLong(file))];
  }
}

export default defineConfig({
  test: {
    globalSetup: ["test/support/global-setup.ts"],
    include: ["test/**/*.test.ts"],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
    // The files share what they import, which takes a second a file otherwise: no module of ours keeps a state.
    isolate: false,
    sequence: { sequencer: LongestFirst },
  },
});
