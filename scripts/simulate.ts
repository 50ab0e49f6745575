import { run } from "./command.ts";
import { writePicture } from "./picture.ts";
import { runClinics } from "./simulate/clinics.ts";
import { SIMULATE } from "./simulate/options.ts";
import { makeProgress } from "./simulate/progress.ts";
import { render } from "./simulate/report.ts";
import { simulationPicture } from "./simulate/svg.ts";
import { withMigratedDatabase } from "./stack/migrated.ts";

await run(SIMULATE, async ({ json, svg, clinics, ...options }) => {
  const { seed, customers, days } = options;
  console.error(`seed ${seed}: ${customers} customers of ${clinics} clinics, ${days} days`);
  return await withMigratedDatabase(async ({ copy }) => {
    const urls: string[] = [];
    for (let clinic = 1; clinic <= clinics; clinic++) urls.push(await copy(`clinic_${clinic}`));
    const progress = makeProgress(days, (text) => void process.stderr.write(text), process.stderr.isTTY);
    const report = await runClinics({ ...options, urls, onDay: progress.day });
    progress.end();
    console.log(json ? JSON.stringify(report) : render(report));
    if (svg !== null) {
      const title = `${customers.toLocaleString("en-US")} customers over ${days} days`;
      writePicture(
        svg,
        simulationPicture(report.funnel, report.open, {
          title: `${title}: what became of their renewals`,
          subtitle:
            `npm run simulate -- --customers ${customers} --clinics ${clinics} --days ${days} --seed ${seed}`,
        }),
      );
      console.error(`the picture is in ${svg}`);
    }
    return report.ok ? 0 : 1;
    // Nothing here must survive a crash.
  }, { settings: { synchronous_commit: "off" } });
});
