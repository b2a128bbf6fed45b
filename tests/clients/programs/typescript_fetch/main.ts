// Sends four requests through the generated client, and prints what it read as JSON.
import {
  Configuration,
  ProblemFromJSON,
  QuotesApi,
  ResponseError,
  type DeviceHoursQuantity,
  type Quote,
  type QuoteRequest,
  type UsdPerDeviceHourQuantity,
} from "./client/index";

function request(
  accelerator: string,
  hours: DeviceHoursQuantity,
  rate: UsdPerDeviceHourQuantity,
): QuoteRequest {
  return {
    run: {
      name: "DeepSeek-R1",
      stages: [
        { name: "R1-Zero", work: { kind: "metered", deviceHours: hours } },
        { name: "SFT data", work: { kind: "metered", deviceHours: 5000 } },
        { name: "R1", work: { kind: "metered", deviceHours: 41000 } },
      ],
    },
    cluster: { accelerator, devices: 512, supply: { kind: "rate", usdPerDeviceHour: rate } },
    accounting: {
      baseModel: {
        kind: "runs",
        ids: ["deepseek-v3-pretrain", "deepseek-v3-context", "deepseek-v3-posttrain"],
      },
    },
  };
}

function asked(basePath: string, quoteRequest: QuoteRequest): Promise<Quote> {
  return new QuotesApi(new Configuration({ basePath })).createQuote({ quoteRequest });
}

async function refused(basePath: string): Promise<object> {
  try {
    await asked(basePath, request("no-such-accelerator", 101000, 2));
  } catch (error) {
    if (!(error instanceof ResponseError)) throw error;
    const problem = ProblemFromJSON(await error.response.json());
    const first = problem.errors![0];
    return { status: problem.status, code: first.code, pointer: first.pointer };
  }
  throw new Error("it was not refused");
}

async function main([service, later]: string[]): Promise<void> {
  const h800 = "nvidia-h800-sxm-80gb";
  const number = await asked(service, request(h800, 101000, 2));
  const interval = await asked(
    service,
    request(h800, { low: 90000, high: 120000 }, { low: 1.8, high: 2.4 }),
  );
  const added = await asked(later, request(h800, 101000, 2));
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
}

main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
