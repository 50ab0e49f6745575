import { type Command, decimal, defineCommand, flag, type OptionsOf, seed, text, whole } from "../command.ts";

const DAYS_A_YEAR = 365;
const CUSTOMERS_A_CLINIC = 10;

const customers = (clinics: number) =>
  whole("the number of sign-ups", { from: CUSTOMERS_A_CLINIC * clinics, usual: 1000 });

const command = defineCommand(
  "npm run simulate",
  "Years of renewals on a moved clock, checked every simulated day.",
  {
    customers: customers(0),
    // Each with a database, a seed and a pharmacy of its own, and all at once.
    clinics: whole("how many clinics they go to", { from: 1, usual: 2 }),
    years: decimal("how long it takes", { from: 0.1, to: 10, usual: 2 }),
    days: whole("the same in days", { from: 30, usual: null }),
    seed: seed(),
    busy: decimal("how much happens to people and vendors; 1 is a usual life", {
      from: 0.1,
      to: 20,
      usual: 1,
    }),
    svg: text("FILE", "draw the renewals into this file", null),
    json: flag("print nothing but the report, as JSON"),
  },
);
type SimulateOptions = Omit<OptionsOf<typeof command>, "years" | "days"> & { days: number };

export const SIMULATE: Command<SimulateOptions> = {
  ...command,
  parse(args) {
    const { years, days, ...options } = command.parse(args);
    customers(options.clinics).read([String(options.customers)], "--customers");
    return { ...options, days: days ?? Math.round(years * DAYS_A_YEAR) };
  },
};
