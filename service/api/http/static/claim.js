// The form of a claim, and how it is judged.
import { asks, at, count, days, field, fill, filled, made, plain, root, run, share, table, toggles, usd, WORK_FIELDS } from "./asking.js";

let published = [];

function what() {
  if (field("about").value === "runs") {
    return { kind: "runs", ids: [...at("runs").selectedOptions].map((one) => one.value) };
  }
  const supply = at("rate").value.trim() ? { supply: { kind: "rate", usd_per_device_hour: count(at("rate").value) } } : {};
  return {
    kind: "request",
    run: run(),
    cluster: { accelerator: at("accelerator").value, devices: count(at("devices").value), ...supply },
  };
}

const request = () => ({
  amount: count(at("amount").value),
  said_on: at("said").value.trim(),
  bound: at("bound").value,
  ...filled({ scope: at("scope").value }),
  what: what(),
});

// A claim that was published fills the form in.
function take() {
  const row = published.find((one) => one.id === at("published").value);
  if (!row) return;
  at("amount").value = String(typeof row.claim.amount === "number" ? row.claim.amount : row.claim.amount.central || row.claim.amount.low);
  at("said").value = row.claim.said_on;
  at("bound").value = row.claim.bound || "about";
  at("scope").value = row.claim.scope || "";
  if (row.claim.what.kind === "runs") {
    field("about").value = "runs";
    for (const one of at("runs").options) one.selected = row.claim.what.ids.includes(one.value);
    at("ask").dispatchEvent(new Event("change"));
  } else {
    post(row.claim);
  }
}

const reading = (one) => [
  one.what, usd(one.total.amount), usd(one.interval.p10), usd(one.interval.p90), share(one.position),
  one.holds ? `${one.verdict}; holds: ${one.holds}` : one.verdict,
];

function facts(said) {
  const lines = [];
  if (said.hours.disclosed) lines.push(["Device-hours, disclosed", Math.round(said.hours.disclosed.central).toLocaleString("en-US")]);
  if (said.hours.predicted) lines.push(["Device-hours, predicted", Math.round(said.hours.predicted.central).toLocaleString("en-US")]);
  if (said.rate) {
    lines.push(["$ a device-hour that it implies", usd(said.rate.implied.central.toFixed(2))]);
    for (const one of said.rate.market) lines.push([`Market of ${one.accelerator}, ${one.newest}`, `${usd(one.median.toFixed(2))}, the median of ${one.count} ${one.count === 1 ? "seller" : "sellers"}`]);
  }
  return lines;
}

function show(said, asked) {
  at("headline").textContent = said.verdict.sentence;
  const parts = [table("How the amount fits each meaning", ["Meaning", "Total", "p10", "p90", "Claim is above so many draws", "Verdict"], said.readings.map(reading))];
  const known = facts(said);
  if (known.length) parts.push(table("Hours and rates", ["What", "Value"], known));
  if (said.omissions.length) {
    parts.push(table("What the best reading leaves out", ["Item", "What it is", "For this run"], said.omissions.map((one) => [
      plain(one.item), one.what, one.amount ? `${usd(one.amount.p10)} to ${usd(one.amount.p90)}` : one.detail || "",
    ])));
  }
  if (said.not_checkable.length) {
    parts.push(table("What could not be checked", ["What", "Why"], said.not_checkable.map((one) => [one.what, one.why])));
  }
  at("found").replaceChildren(...parts);
  at("open").href = `#${said.id}`;
  asked.link = new URL(`ask/claim#${said.id}`, root).href;
}

toggles([["about", ["runs", "request"]], ["known", ["tokens", "hours"]]]);
const post = asks({
  path: "claim",
  fields: [
    ...WORK_FIELDS.map(([pointer, name]) => [`/what${pointer}`, name]),
    ["/amount", "amount"],
    ["/said_on", "said"],
    ["/scope", "scope"],
    ["/what/ids", "runs"],
    ["/what/cluster/accelerator", "accelerator"],
    ["/what/cluster/devices", "devices"],
    ["/what/cluster/supply", "rate"],
  ],
  request,
  show,
  prints: 'print(answer["verdict"]["sentence"])',
});
at("published").addEventListener("change", take);
fill("model", "models").catch(() => {});
fill("accelerator", "accelerators").catch(() => {});
fill("runs", "runs").catch(() => {});
fill("published", "claims", (row) => `${row.model}: ${row.words.slice(0, 70)}`).then((found) => {
  published = found;
  at("published").prepend(new Option("none of these", "", true, true));
}).catch(() => {});
