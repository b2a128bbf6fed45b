// Looks at the pages of a running service in a Chromium, and prints what it finds as JSON.
// node look.mjs BASE_URL CHROMIUM FOLDER QUOTE_PATH
import { createRequire } from "node:module";
import { readFileSync, writeFileSync } from "node:fs";
import { chromium } from "playwright-core";

const [base, executablePath, folder, quote] = process.argv.slice(2);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
// Of a page that is longer than this there is a picture of its begin: the browser draws no longer one.
const MOST_PIXELS = 15000;
const WIDTHS = [375, 768, 1440];
const found = { pages: [], foreign: [], errors: [], printed: {} };
const browser = await chromium.launch({
  executablePath,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"],
});

async function opened(options) {
  const context = await browser.newContext({ bypassCSP: false, ...options });
  const page = await context.newPage();
  page.on("request", (request) => {
    const url = request.url();
    if (!url.startsWith(base) && !url.startsWith("about:") && !url.startsWith("data:")) found.foreign.push(url);
  });
  page.on("pageerror", (error) => found.errors.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error") found.errors.push(`${page.url()} ${message.text()}`);
  });
  return page;
}

// axe is put in by the debugger, which no policy of the page forbids.
async function barriers(page) {
  await page.evaluate(axe);
  const result = await page.evaluate(() => window.axe.run(document, {
    iframes: false,
    runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"],
  }));
  return result.violations.map((one) => `${one.id}: ${one.nodes.map((node) => node.target.join(" ")).join(", ")}`);
}

async function look(page, name, width) {
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  const height = await page.evaluate(() => document.documentElement.scrollHeight);
  await page.screenshot({ path: `${folder}/${name}.png`, fullPage: height <= MOST_PIXELS });
  found.pages.push({ name, width, wide, barriers: await barriers(page) });
}

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
await browser.close();
process.stdout.write(JSON.stringify(found));
