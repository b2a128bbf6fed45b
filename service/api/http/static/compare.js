// The form of a comparison, and its candidates as a table.
import { WORK_FIELDS, asks, at, count, days, field, fill, filled, listed, made, plain, root, run, share, table, toggles, usd } from "./asking.js";

function request() {
  const chosen = [...at("accelerators").selectedOptions].map((one) => one.value);
  const sizes = listed(at("sizes").value).map(count);
  const terms = [...document.querySelectorAll('input[name="term"]:checked')].map((one) => one.value);
  const deadline = at("deadline").value.trim() ? count(at("deadline").value) : "";
  return {
    run: run(),
    choices: filled({ accelerators: chosen.length ? chosen : "", devices: sizes.length ? sizes : "", terms: terms.length ? terms : "" }),
    constraints: filled({
      deadline_hours: typeof deadline === "number" ? 24 * deadline : deadline,
      budget_usd: at("budget").value.trim() ? count(at("budget").value) : "",
    }),
    objective: at("objective").value,
    confidence: Number(at("confidence").value),
  };
}

const seller = (one) => (one.price ? one.price.seller : "bought");

// A candidate as a quote: its cluster is what a request of a quote takes.
function quoted(one, asked) {
  const button = made("button", { type: "button" }, "Quote it");
  button.setAttribute("aria-label", `Quote it: number ${one.rank}`);
  button.addEventListener("click", async () => {
    const body = { run: asked.request.run, cluster: { ...asked.request.cluster, ...one.cluster } };
    if (asked.request.accounting) body.accounting = asked.request.accounting;
    const answer = await fetch(new URL("quote", root), {
      method: "POST", headers: { "content-type": "application/json", accept: "application/json" }, body: JSON.stringify(body),
    });
    const said = await answer.json();
    if (answer.ok) location.assign(new URL(`quote/${said.id}`, root));
    else at("state").textContent = `${said.title}: ${said.detail}`;
  });
  return button;
}

function notes(one) {
  const said = [];
  if (one.versus_first && one.versus_first.tie) said.push("ties with the first");
  if (one.on_frontier) said.push("nothing is cheaper and sooner");
  if (one.price && one.price.makes_cluster === "unknown") said.push("ask whether it comes on one network");
  return said.join("; ");
}

const under = (first, second) => made("div", {}, first, made("span", {}, second));

function line(one, asked) {
  const [cost, hours] = [one.costs[0], one.wall_clock_hours];
  return [
    under(`${one.rank}. ${one.cluster.devices} × ${one.cluster.accelerator}`, `${seller(one)}, ${plain(one.term)}`),
    one.price ? usd(one.price.usd_per_device_hour) : "",
    usd(cost.total.amount),
    under(usd(cost.p50), usd(cost.p90)),
    under(days(hours.p50), days(hours.p90)),
    share(one.keeps.all), share(one.probability_cheapest), made("div", { class: "notes" }, notes(one)), quoted(one, asked),
  ];
}

function show(said, asked) {
  const { feasible, infeasible } = said.counts;
  const first = said.candidates[0];
  at("headline").textContent = first
    ? `Best by ${said.objective}: ${first.cluster.devices} × ${first.cluster.accelerator}, ${seller(first)}, ${plain(first.term)}: ` +
      `${usd(first.costs[0].total.amount)}, ${days(first.wall_clock_hours.p50)}. ${feasible} ways are feasible, ${infeasible} are not.`
    : `No way is feasible; ${infeasible} were looked at.`;
  const parts = [];
  if (first) {
    parts.push(table("Ways to get it, best first", [
      "Cluster", "$ a device-hour", "Total", "Enough in half, in 9 of 10", "Takes in half, in 9 of 10",
      "Keeps the limits", "Is cheapest", "Notes", "Quote",
    ], said.candidates.map((one) => line(one, asked))));
  }
  if (said.infeasible.length) {
    parts.push(table("Why others are not feasible", ["Reason", "How many", "What would change least"],
      said.infeasible.map((one) => [plain(one.reason), one.count, one.nearest || ""])));
  }
  at("found").replaceChildren(...parts);
  at("open").href = `#${said.id}`;
  asked.link = new URL(`ask/compare#${said.id}`, root).href;
}

toggles([["known", ["tokens", "hours"]]]);
asks({
  path: "compare",
  fields: [
    ...WORK_FIELDS,
    ["/choices/accelerators", "accelerators"],
    ["/choices/devices", "sizes"],
    ["/constraints/deadline_hours", "deadline"],
    ["/constraints/budget_usd", "budget"],
  ],
  request,
  show,
  prints: 'for one in answer["candidates"]:\n    print(one["rank"], one["cluster"], one["costs"][0]["total"], one["wall_clock_hours"]["p50"])',
});
fill("model", "models").catch(() => {});
fill("accelerators", "accelerators").catch(() => {});
