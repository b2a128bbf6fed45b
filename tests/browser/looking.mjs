// What looks at a page in a Chromium: screenshots, barriers that axe knows, outside hosts, errors.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { chromium } from "playwright-core";

export const [base, executablePath, folder, ...more] = process.argv.slice(2);
export const WIDTHS = [375, 768, 1440];
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
// Of a page that is longer than this there is a picture of its begin: the browser draws no longer one.
const MOST_PIXELS = 15000;
export const found = { pages: [], foreign: [], errors: [] };
export const browser = await chromium.launch({
  executablePath,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"],
});

export async function opened(options) {
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

export async function look(page, name, width) {
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  const height = await page.evaluate(() => document.documentElement.scrollHeight);
  await page.screenshot({ path: `${folder}/${name}.png`, fullPage: height <= MOST_PIXELS });
  found.pages.push({ name, width, wide, barriers: await barriers(page) });
}

export async function done() {
  await browser.close();
  process.stdout.write(JSON.stringify(found));
}
