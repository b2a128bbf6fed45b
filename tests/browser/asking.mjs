// Asks for a comparison and a judgement by keyboard, and prints what the pages show as JSON.
// node asking.mjs BASE_URL CHROMIUM FOLDER
import { base, done, found, look, opened } from "./looking.mjs";

async function typed(page, id, text) {
  await page.focus(`#${id}`);
  await page.keyboard.press("Control+A");
  await page.keyboard.type(text);
}

async function compares(page, width, name) {
  await page.goto(`${base}/ask/compare`);
  await page.waitForFunction(() => document.getElementById("accelerators").options.length > 5);
  await look(page, `compare-form-${name}`, width);
  await page.focus("#accelerators");
  await page.keyboard.type("nvidia-h100-sxm");
  await typed(page, "sizes", "64, 128");
  await typed(page, "deadline", "40");
  await page.keyboard.press("Enter");
  await page.waitForSelector("#answer:not([hidden])", { timeout: 120000 });
  found.compared = {
    headline: await page.textContent("#headline"),
    focused: await page.evaluate(() => document.activeElement.id),
    link: await page.getAttribute("#open", "href"),
    request: JSON.parse(await page.textContent("#code")),
    rows: await page.locator("#found table").first().locator("tbody tr").count(),
  };
  await page.focus("#answer summary");
  await page.keyboard.press("Enter");
  await page.selectOption("#shown", "curl");
  found.compared.curl = await page.textContent("#code");
  await page.selectOption("#shown", "python");
  found.compared.python = await page.textContent("#code");
  await look(page, `compared-${name}`, width);
}

async function judges(page, width, name) {
  await page.goto(`${base}/ask/claim`);
  await page.waitForFunction(() => document.getElementById("runs").options.length > 5);
  await page.waitForFunction(() => document.getElementById("published").options.length > 5);
  await look(page, `claim-form-${name}`, width);
  await typed(page, "amount", "294k");
  await page.keyboard.press("Enter");
  await page.waitForSelector("#answer:not([hidden])", { timeout: 120000 });
  found.judged = {
    headline: await page.textContent("#headline"),
    focused: await page.evaluate(() => document.activeElement.id),
    link: await page.getAttribute("#open", "href"),
    request: JSON.parse(await page.textContent("#code")),
    meanings: await page.locator("#found table").first().locator("tbody tr").count(),
  };
  await look(page, `judged-${name}`, width);
  await typed(page, "said", "yesterday");
  await page.keyboard.press("Enter");
  await page.waitForSelector("#problem:not([hidden])");
  found.refused = {
    said: await page.textContent("#problem"),
    invalid: await page.getAttribute("#said", "aria-invalid"),
  };
}

for (const [width, colorScheme] of [[375, "light"], [768, "dark"], [1440, "light"]]) {
  const page = await opened({ viewport: { width, height: 900 }, colorScheme });
  await compares(page, width, `${width}-${colorScheme}`);
  await judges(page, width, `${width}-${colorScheme}`);
  await page.context().close();
}
// Who has the link sees the same, and the button of a candidate leads to its sheet.
const page = await opened({ viewport: { width: 1440, height: 900 } });
await page.goto(`${base}/ask/compare${found.compared.link}`);
await page.waitForSelector("#answer:not([hidden])", { timeout: 120000 });
found.shared = await page.textContent("#headline");
await page.locator("#found button").first().click();
await page.waitForURL("**/quote/q_*");
found.sheet = await page.textContent("h1");
await page.goto(`${base}/ask/claim`);
await page.waitForFunction(() => document.getElementById("published").options.length > 5);
await page.selectOption("#published", "deepseek-r1-294k");
found.taken = await page.inputValue("#amount");
await done();
