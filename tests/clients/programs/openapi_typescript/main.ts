// Sends four requests through openapi-fetch and the generated types, and prints what it read as JSON.
import createClient from "openapi-fetch";
import type { components, paths } from "./schema.js";

type Schemas = components["schemas"];

function request(
  accelerator: string,
  hours: Schemas["DeviceHoursQuantity"],
  rate: Schemas["UsdPerDeviceHourQuantity"],
): Schemas["QuoteRequest"] {
  return {
    run: {
      name: "DeepSeek-R1",
      stages: [
        { name: "R1-Zero", work: { kind: "metered", device_hours: hours } },
        { name: "SFT data", work: { kind: "metered", device_hours: 5000 } },
        { name: "R1", work: { kind: "metered", device_hours: 41000 } },
      ],
    },
    cluster: { accelerator, devices: 512, supply: { kind: "rate", usd_per_device_hour: rate } },
    accounting: {
      base_model: {
        kind: "runs",
        ids: ["deepseek-v3-pretrain", "deepseek-v3-context", "deepseek-v3-posttrain"],
      },
    },
  };
}

function asked(baseUrl: string, body: Schemas["QuoteRequest"]) {
  return createClient<paths>({ baseUrl }).POST("/quote", { body });
}

async function quoted(url: string, body: Schemas["QuoteRequest"]): Promise<Schemas["Quote"]> {
  const { data, error } = await asked(url, body);
  if (!data) throw new Error(JSON.stringify(error));
  return data;
}

async function refused(url: string): Promise<object> {
  const { error } = await asked(url, request("no-such-accelerator", 101000, 2));
  if (!error) throw new Error("it was not refused");
  const first = error.errors![0];
  return { status: error.status, code: first.code, pointer: first.pointer };
}

const [service, later] = process.argv.slice(2);
const h800 = "nvidia-h800-sxm-80gb";
const number = await quoted(service, request(h800, 101000, 2));
const interval = await quoted(
  service,
  request(h800, { low: 90000, high: 120000 }, { low: 1.8, high: 2.4 }),
);
const added = await quoted(later, request(h800, 101000, 2));
console.log(
  JSON.stringify({
    number: { id: number.id, total: number.bases[0].total!.amount },
    interval: { id: interval.id },
    refused: await refused(service),
    later: {
      id: added.id,
      total: added.bases[0].total!.amount,
      status: added.bases[added.bases.length - 1].status,
      item: added.bases[0].lines[0].item,
      warning: added.warnings[0].code,
    },
    later_refused: await refused(later),
  }),
);
