// Looks at the sheet, the contract and the page of a quote, and prints what it finds as JSON.
// node look.mjs BASE_URL CHROMIUM FOLDER QUOTE_PATH
import { writeFileSync } from "node:fs";
import { WIDTHS, base, done, folder, found, look, more, opened } from "./looking.mjs";

const [quote] = more;
found.printed = {};
found.shown = {};

for (const width of WIDTHS) {
  for (const colorScheme of width === 768 ? ["light", "dark"] : ["light"]) {
    const page = await opened({ viewport: { width, height: 900 }, colorScheme });
    await page.goto(`${base}${quote}`);
    await look(page, `sheet-${width}-${colorScheme}`, width);
    if (width === 1440) {
      for (const format of ["A4", "Letter"]) {
        const pdf = await page.pdf({ format, preferCSSPageSize: false, printBackground: true });
        writeFileSync(`${folder}/sheet-${format}.pdf`, pdf);
        found.printed[format] = (pdf.toString("latin1").match(/\/Type\s*\/Page\b/g) || []).length;
      }
    }
    await page.goto(`${base}/docs`);
    await look(page, `docs-${width}-${colorScheme}`, width);
    await page.goto(`${base}/`);
    await page.waitForFunction(() => document.getElementById("accelerator").options.length > 5);
    await look(page, `ask-${width}-${colorScheme}`, width);
    // By keyboard alone: known hours, a rate, and Enter.
    await page.focus('input[name="known"]');
    await page.keyboard.press("ArrowRight");
    await page.focus("#hours");
    await page.keyboard.press("Control+A");
    await page.keyboard.type("147k");
    await page.focus('input[name="priced"]');
    await page.keyboard.press("ArrowRight");
    await page.focus("#devices");
    await page.keyboard.press("Control+A");
    await page.keyboard.type("512");
    await page.keyboard.press("Enter");
    await page.waitForSelector("#answer:not([hidden])");
    await page.frameLocator("#sheet").locator("h1").waitFor();
    found.headline = await page.textContent("#headline");
    found.focused = await page.evaluate(() => document.activeElement.id);
    found.link = await page.getAttribute("#open", "href");
    found.code = await page.textContent("#code");
    await page.selectOption("#shown", "python").catch(() => {});
    await look(page, `answered-${width}-${colorScheme}`, width);
    await page.focus("#devices");
    await page.keyboard.press("Control+A");
    await page.keyboard.type("-1");
    await page.keyboard.press("Enter");
    await page.waitForSelector("#problem:not([hidden])");
    found.problem = await page.textContent("#problem");
    found.invalid = await page.getAttribute("#devices", "aria-invalid");
    await look(page, `refused-${width}-${colorScheme}`, width);
    await page.context().close();
  }
}
const plain = await opened({ javaScriptEnabled: false });
await plain.goto(`${base}${quote}`);
found.unscripted = await plain.textContent("main");
// The contract is searched by keyboard, and leads to the other pages.
const reader = await opened({ viewport: { width: 768, height: 900 } });
await reader.goto(`${base}/docs`);
await reader.focus("#search");
await reader.keyboard.type("cluster deadline");
await reader.waitForSelector("#hits li");
found.hits = await reader.locator("#hits a").allTextContents();
await look(reader, "docs-searched-768-light", 768);
await reader.goto(`${base}/docs/read/recipes-for-callers`);
await look(reader, "recipes-768-light", 768);
// How long the pages take to show, each in a context of its own that has nothing cached.
for (const path of ["/", "/docs", "/ask/compare", "/ask/claim", quote]) {
  const page = await opened({ viewport: { width: 1440, height: 900 } });
  await page.goto(`${base}${path}`, { waitUntil: "load" });
  found.shown[path.split("?")[0].slice(0, 12)] = await page.evaluate(() => new Promise((tell) => {
    new PerformanceObserver((list) => {
      const painted = list.getEntriesByName("first-contentful-paint")[0];
      if (painted) tell({ painted: painted.startTime, loaded: performance.getEntriesByType("navigation")[0].loadEventStart });
    }).observe({ type: "paint", buffered: true });
  }));
  await page.context().close();
}
await done();
