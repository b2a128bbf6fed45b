"use strict";

// The form makes a request of POST /quote, and nothing else: no state is kept outside this page.
const at = (id) => document.getElementById(id);
const field = (name) => at("ask").elements.namedItem(name);
const SUFFIXES = { k: 1e3, m: 1e6, b: 1e9, t: 1e12 };
// Where members of the request stand in the form, for the pointers of problems.
const FIELDS = [
  ["/run/name", "name"],
  ["/run/stages/0/work/tokens", "tokens"],
  ["/run/stages/0/work/model", "model"],
  ["/run/stages/0/work/sequence_length", "sequence"],
  ["/run/stages/0/work/global_batch_tokens", "batch"],
  ["/run/stages/0/work/device_hours", "hours"],
  ["/cluster/accelerator", "accelerator"],
  ["/cluster/devices", "devices"],
  ["/cluster/supply/usd_per_device_hour", "rate"],
  ["/cluster/supply", "term"],
  ["/start", "start"],
  ["/title", "title"],
  ["/buyer", "buyer"],
  ["/reference", "reference"],
];
let asked = null;

// A number as people write it: 15T, 4M, 2e12. What is no number is sent as it is, and refused by name.
function count(text) {
  const found = /^\s*(-?[0-9][0-9,_ ]*(?:\.[0-9]+)?(?:e[0-9]+)?)\s*([kmbt])?\s*$/i.exec(text);
  if (!found) return text.trim();
  const value = Number(found[1].replace(/[,_ ]/g, ""));
  return value * (SUFFIXES[(found[2] || "").toLowerCase()] || 1);
}

function requestOfForm() {
  const work = field("known").value === "hours"
    ? { kind: "metered", device_hours: count(at("hours").value) }
    : {
        kind: "pretraining",
        model: { kind: "preset", id: at("model").value },
        tokens: count(at("tokens").value),
        sequence_length: count(at("sequence").value),
        global_batch_tokens: count(at("batch").value),
      };
  const supply = field("priced").value === "rate"
    ? { kind: "rate", usd_per_device_hour: count(at("rate").value) }
    : { kind: "market", term: at("term").value };
  const request = {
    run: { name: at("name").value, stages: [{ name: "training", work }] },
    cluster: { accelerator: at("accelerator").value, devices: count(at("devices").value), supply },
  };
  for (const name of ["start", "title", "buyer", "reference"]) {
    if (at(name).value.trim()) request[name] = at(name).value.trim();
  }
  return request;
}

function written(form) {
  const url = new URL("quote", document.baseURI).href;
  const json = JSON.stringify(asked.request, null, 2);
  if (form === "link") return asked.link;
  if (form === "json") return json;
  if (form === "curl") {
    return `curl -s ${url} -H 'content-type: application/json' -d '\n${json.replaceAll("'", "'\\''")}'`;
  }
  return [
    "import json",
    "from urllib.request import Request, urlopen",
    "",
    `asked = json.loads(${JSON.stringify(JSON.stringify(asked.request))})`,
    `request = Request(${JSON.stringify(url)}, json.dumps(asked).encode(), {"content-type": "application/json"})`,
    "quote = json.load(urlopen(request))",
    'print(quote["id"], {bill["basis"]: bill.get("total") for bill in quote["bases"]})',
  ].join("\n");
}

function toggle() {
  for (const [group, values] of [["known", ["tokens", "hours"]], ["priced", ["market", "rate"]]]) {
    for (const value of values) at(`of-${value}`).hidden = field(group).value !== value;
  }
}

function showProblem(problem) {
  const box = at("problem");
  box.replaceChildren();
  const head = document.createElement("p");
  head.textContent = `${problem.title || "It was refused"}: ${problem.detail || ""}`;
  box.append(head);
  const list = document.createElement("ul");
  for (const error of problem.errors || []) {
    const found = FIELDS.find(([pointer]) => (error.pointer || "").startsWith(pointer));
    if (found) at(found[1]).setAttribute("aria-invalid", "true");
    const item = document.createElement("li");
    item.textContent = `${error.pointer || ""} ${error.detail}`;
    list.append(item);
  }
  box.append(list);
  box.hidden = false;
  box.focus();
}

async function ask(event) {
  event.preventDefault();
  at("problem").hidden = true;
  document.querySelectorAll("[aria-invalid]").forEach((one) => one.removeAttribute("aria-invalid"));
  at("state").textContent = "computing …";
  const request = requestOfForm();
  try {
    const answer = await fetch("quote", {
      method: "POST",
      headers: { "content-type": "application/json", accept: "application/json" },
      body: JSON.stringify(request),
    });
    const said = await answer.json();
    if (!answer.ok) return showProblem(said);
    const path = answer.headers.get("content-location") || `/quote/${said.id}`;
    const link = new URL(path.replace(/^\//, ""), document.baseURI).href;
    asked = { request, link };
    await showQuote(link);
  } catch (error) {
    showProblem({ title: "The service does not answer", detail: String(error) });
  } finally {
    at("state").textContent = "";
  }
}

async function showQuote(link) {
  const short = await (await fetch(`${link}${link.includes("?") ? "&" : "?"}view=summary`)).json();
  at("headline").textContent = short.headline;
  at("open").href = link;
  at("sheet").src = link;
  at("code").textContent = written(at("shown").value);
  at("answer").hidden = false;
  at("answered").focus();
}

async function copy(event) {
  const form = event.currentTarget.dataset.copies;
  try {
    await navigator.clipboard.writeText(written(form));
    at("state").textContent = `copied: ${form}`;
  } catch {
    if (form !== "link") at("shown").value = form;
    at("code").textContent = written(form);
    at("code").closest("details").open = true;
    at("code").focus();
  }
}

async function fill(id, list) {
  const chosen = at(id).value;
  const ids = [];
  let cursor = "";
  do {
    const answer = await fetch(`catalog/${list}?limit=200${cursor}`);
    if (!answer.ok) return;
    const page = await answer.json();
    ids.push(...page.items.map((row) => row.id));
    cursor = page.next_cursor ? `&cursor=${encodeURIComponent(page.next_cursor)}` : "";
  } while (cursor);
  at(id).replaceChildren(...ids.map((one) => new Option(one, one, one === chosen, one === chosen)));
}

at("ask").addEventListener("submit", ask);
at("ask").addEventListener("change", toggle);
at("shown").addEventListener("change", () => { at("code").textContent = written(at("shown").value); });
document.querySelectorAll("[data-copies]").forEach((one) => one.addEventListener("click", copy));
toggle();
fill("model", "models").catch(() => {});
fill("accelerator", "accelerators").catch(() => {});
