import { relative } from "node:path";
import type { Stack } from "../stack/stack.ts";

/** The first words of `npm start`: views to read and things to try. */
export function welcome(stack: Stack, envFile: string): string {
  const near = relative(process.cwd(), envFile);
  const file = near.startsWith("..") ? envFile : near;
  return `
Clockwork is running

  Database    ${stack.databaseUrl}
  Functions   ${stack.functionsUrl}
  Everything  ${file} (URLs, keys and secrets of this run; only you may read it)

Look at
  select * from ops.manual_intervention;   tasks that need a person, and their choices
  select * from ops.waiting;               tasks that are retried or wait for their day
  select * from ops.timeline where customer = '…';   one customer's story across all systems
  select * from ops.delayed_shipments;     parcels past their limits
  select * from ops.vendors;               vendors that reply or fail, and queues that are held

Repair (in the table editor: edit the one cell)
  update clockwork.tasks set answer = '…' where id = …;           answer a stopped task with one of its choices
  update clockwork.tasks set status = 'PENDING' where id = …;     run it again; no effect is done twice
  update clockwork.tasks set status = 'CANCELLED' where id = …;   cancel it

Send a webhook (as the pharmacy; no step handles this one, so it is kept as PARKED)
  . ${file}; body='{"id":"hello-1","type":"photon:store:opened","data":{}}'
  curl -X POST "$CLOCKWORK_FUNCTIONS_URL/webhooks/photon" -d "$body" \\
    -H "X-Photon-Signature: $(printf %s "$body" | openssl dgst -sha256 -hmac "$PHOTON_WEBHOOK_SECRET" -r | cut -d' ' -f1)"

Ctrl-C stops everything. A small clinic now lives its day:
`;
}
