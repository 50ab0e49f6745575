import { defineCommand, flag, type OptionsOf, seed, whole } from "../command.ts";

export const DEMO = defineCommand(
  "npm run demo",
  "Two months of a clinic on a moved clock, while everything goes wrong. Reports what was lost, doubled or left unexplained.",
  {
    seed: seed(1),
    customers: whole("how many take part", { from: 40, usual: 200 }),
    json: flag("print nothing but the report, as JSON"),
  },
);
export type DemoOptions = OptionsOf<typeof DEMO>;
