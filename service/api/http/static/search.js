// Searches the contract and the pages of the documentation: all words have to stand in a place.
const at = (id) => document.getElementById(id);
const MOST = 20;
let entries = null;

async function loaded() {
  if (!entries) {
    const answer = await fetch("docs/search.json");
    entries = (await answer.json()).map((one) => ({ ...one, text: `${one.title} ${one.words}`.toLowerCase() }));
  }
  return entries;
}

function rank(one, words) {
  const title = one.title.toLowerCase();
  return words.filter((word) => title.includes(word)).length;
}

async function search() {
  const words = at("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  if (!words.length) {
    at("hits").replaceChildren();
    at("count").textContent = "";
    return;
  }
  const found = (await loaded()).filter((one) => words.every((word) => one.text.includes(word)));
  found.sort((one, other) => rank(other, words) - rank(one, words));
  at("count").textContent = found.length === 1 ? "1 place" : `${found.length} places`;
  at("hits").replaceChildren(...found.slice(0, MOST).map((one) => {
    const item = document.createElement("li");
    const link = document.createElement("a");
    link.href = one.at;
    link.textContent = one.title;
    item.append(link, ` ${one.words}`);
    return item;
  }));
}

at("of-search").hidden = false;
at("search").addEventListener("input", search);
at("search").addEventListener("focus", loaded, { once: true });
