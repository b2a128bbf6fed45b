// What the pages that ask have in common: a form makes one request, and nothing is kept outside the page.
export const at = (id) => document.getElementById(id);
export const field = (name) => at("ask").elements.namedItem(name);
export const root = new URL(document.documentElement.dataset.root, document.baseURI);
const SUFFIXES = { k: 1e3, m: 1e6, b: 1e9, t: 1e12 };

// A number as people write it: 15T, 4M, 2e12. What is no number is sent as it is, and refused by name.
export function count(text) {
  const found = /^\s*\$?(-?[0-9][0-9,_ ]*(?:\.[0-9]+)?(?:e[0-9]+)?)\s*([kmbt])?\s*$/i.exec(text);
  if (!found) return text.trim();
  const value = Number(found[1].replace(/[,_ ]/g, ""));
  return value * (SUFFIXES[(found[2] || "").toLowerCase()] || 1);
}

// The members that were filled in.
export function filled(members) {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== "" && value !== undefined));
}

export function listed(text) {
  return text.split(/[,;\s]+/).filter(Boolean);
}

// The work of a stage, as the block "the run" of each form says it.
export function work() {
  return field("known").value === "hours"
    ? { kind: "metered", device_hours: count(at("hours").value) }
    : {
        kind: "pretraining",
        model: { kind: "preset", id: at("model").value },
        tokens: count(at("tokens").value),
        sequence_length: count(at("sequence").value),
        global_batch_tokens: count(at("batch").value),
      };
}

export const run = () => ({ name: at("name").value, stages: [{ name: "training", work: work() }] });

export const WORK_FIELDS = [
  ["/run/name", "name"],
  ["/run/stages/0/work/tokens", "tokens"],
  ["/run/stages/0/work/model", "model"],
  ["/run/stages/0/work/sequence_length", "sequence"],
  ["/run/stages/0/work/global_batch_tokens", "batch"],
  ["/run/stages/0/work/device_hours", "hours"],
];

// Groups of fields of which one is shown: [name of the radio buttons, values], shown in #of-VALUE.
export function toggles(groups) {
  const toggle = () => {
    for (const [group, values] of groups) {
      for (const value of values) at(`of-${value}`).hidden = field(group).value !== value;
    }
  };
  at("ask").addEventListener("change", toggle);
  toggle();
}

export async function rows(list) {
  const found = [];
  let cursor = "";
  do {
    const answer = await fetch(new URL(`catalog/${list}?limit=200${cursor}`, root));
    if (!answer.ok) return found;
    const page = await answer.json();
    found.push(...page.items);
    cursor = page.next_cursor ? `&cursor=${encodeURIComponent(page.next_cursor)}` : "";
  } while (cursor);
  return found;
}

export async function fill(id, list, label = (row) => row.id) {
  const chosen = new Set([...at(id).selectedOptions].map((one) => one.value));
  const found = await rows(list);
  if (!found.length) return found;
  at(id).replaceChildren(...found.map((row) => new Option(label(row), row.id, chosen.has(row.id), chosen.has(row.id))));
  return found;
}

// An element with text and children; text of the service never becomes markup.
export function made(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

// A table whose first column names the rows. It is scrolled by itself where it is too wide.
export function table(caption, head, lines) {
  const body = made("tbody", {}, ...lines.map((cells) => made("tr", {}, ...cells.map((cell, column) =>
    column ? made("td", {}, cell) : made("th", { scope: "row" }, cell)))));
  return made("div", { class: "wide", role: "region", "aria-label": caption, tabindex: "0" },
    made("table", {}, made("caption", {}, caption),
      made("thead", {}, made("tr", {}, ...head.map((cell) => made("th", { scope: "col" }, cell)))), body));
}

export const usd = (text) => {
  const [whole, cents] = String(text).split(".");
  return `$${Number(whole).toLocaleString("en-US")}${cents === undefined ? "" : `.${cents}`}`;
};
export const share = (value) => `${Math.round(100 * value)}%`;
export const days = (hours) => (hours < 48 ? `${hours.toFixed(1)}\u00a0hours` : `${(hours / 24).toFixed(1)}\u00a0days`);
export const plain = (code) => String(code).replaceAll("_", " ");

// A page: where it posts to, which fields its members come from, and how an answer is shown.
// `asks` returns what asks for a request that no form made.
export function asks({ path, fields, request, show, prints }) {
  let asked = null;

  function written(form) {
    const url = new URL(path, root).href;
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
      "answer = json.load(urlopen(request))",
      prints,
    ].join("\n");
  }

  function showProblem(problem) {
    const items = (problem.errors || []).map((error) => {
      const found = fields.find(([pointer]) => (error.pointer || "").startsWith(pointer));
      if (found) at(found[1]).setAttribute("aria-invalid", "true");
      return made("li", {}, `${error.pointer || ""} ${error.detail}`);
    });
    at("problem").replaceChildren(
      made("p", {}, `${problem.title || "It was refused"}: ${problem.detail || ""}`), made("ul", {}, ...items));
    at("problem").hidden = false;
    at("problem").focus();
  }

  async function told(answer, found) {
    const said = await answer.json();
    if (!answer.ok) return showProblem(said);
    const place = answer.headers.get("content-location") || `/${path}/${said.id}`;
    asked = { request: found || said.request, link: new URL(place.replace(/^\//, ""), root).href };
    await show(said, asked);
    at("code").textContent = written(at("shown").value);
    at("answer").hidden = false;
    at("answered").focus();
  }

  async function during(work) {
    at("problem").hidden = true;
    document.querySelectorAll("[aria-invalid]").forEach((one) => one.removeAttribute("aria-invalid"));
    at("state").textContent = "computing …";
    try {
      await work();
    } catch (error) {
      showProblem({ title: "The service does not answer", detail: String(error) });
    } finally {
      at("state").textContent = "";
    }
  }

  const post = (found) => during(async () => told(await fetch(new URL(path, root), {
    method: "POST",
    headers: { "content-type": "application/json", accept: "application/json" },
    body: JSON.stringify(found),
  }), found));

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

  at("ask").addEventListener("submit", (event) => {
    event.preventDefault();
    post(request());
  });
  at("shown").addEventListener("change", () => { at("code").textContent = written(at("shown").value); });
  document.querySelectorAll("[data-copies]").forEach((one) => one.addEventListener("click", copy));
  const id = location.hash.slice(1);
  if (/^[a-z]_[0-9a-f]{64}$/.test(id)) {
    during(async () => told(await fetch(new URL(`${path}/${id}`, root), { headers: { accept: "application/json" } })));
  }
  return post;
}
