// The form of a quote, and its sheet.
import { WORK_FIELDS, asks, at, count, field, fill, filled, run, toggles } from "./asking.js";

const BESIDE = ["start", "title", "buyer", "reference"];

function request() {
  const supply = field("priced").value === "rate"
    ? { kind: "rate", usd_per_device_hour: count(at("rate").value) }
    : { kind: "market", term: at("term").value };
  return {
    run: run(),
    cluster: { accelerator: at("accelerator").value, devices: count(at("devices").value), supply },
    ...filled(Object.fromEntries(BESIDE.map((name) => [name, at(name).value.trim()]))),
  };
}

async function show(_, asked) {
  const link = asked.link;
  const short = await (await fetch(`${link}${link.includes("?") ? "&" : "?"}view=summary`)).json();
  at("headline").textContent = short.headline;
  at("open").href = link;
  at("sheet").src = link;
}

toggles([["known", ["tokens", "hours"]], ["priced", ["market", "rate"]]]);
asks({
  path: "quote",
  fields: [
    ...WORK_FIELDS,
    ["/cluster/accelerator", "accelerator"],
    ["/cluster/devices", "devices"],
    ["/cluster/supply/usd_per_device_hour", "rate"],
    ["/cluster/supply", "term"],
    ...BESIDE.map((name) => [`/${name}`, name]),
  ],
  request,
  show,
  prints: 'print(answer["id"], {bill["basis"]: bill.get("total") for bill in answer["bases"]})',
});
fill("model", "models").catch(() => {});
fill("accelerator", "accelerators").catch(() => {});
