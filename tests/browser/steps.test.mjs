// What is shown is a function of the step alone, and a step is quick.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { difference, launch, open, pageFile, readTrace, shown, visit } from "./browser.mjs";

let browser;
before(async () => (browser = await launch()));
after(() => browser.close());

const stepCount = (page) => page.evaluate(() => Number(document.querySelector("#slider").max));

test("to the end and back, each step looks the same both times", async () => {
  const { page, problems } = await open(browser, pageFile("step.html"));
  const total = await stepCount(page);
  const there = [await shown(page)];
  for (let k = 2; k <= total; k++) {
    await page.keyboard.press("ArrowRight");
    there.push(await shown(page));
  }
  assert.equal(await page.locator("#count").innerText(), `${total} / ${total}`);
  assert.equal(new Set(there).size, total);
  for (let k = total - 1; k >= 1; k--) {
    await page.keyboard.press("ArrowLeft");
    assert.equal(difference(await shown(page), there[k - 1]), null, `step ${k}`);
  }
  assert.deepEqual(problems, []);
});

test("a step looks the same when the page is opened at it, by its address", async () => {
  const { page, context, url } = await open(browser, pageFile("step.html"));
  const total = await stepCount(page);
  for (const k of [1, 25, Math.floor(total / 2), Math.floor(0.7 * total), total - 3, total]) {
    await visit(page, `#k=${k}`);
    const walked = await shown(page);
    const fresh = await open(browser, url.replace("file://", ""), { hash: `#k=${k}` });
    assert.equal(difference(await shown(fresh.page), walked), null, `step ${k}`);
    await fresh.context.close();
  }
  await context.close();
});

test("an address names a node and an entry", async () => {
  const node = readTrace("step.json").nodes.findIndex(({ op }) => op === "gather");
  const { page } = await open(browser, pageFile("step.html"), { hash: `#k=60&node=${node}&entry=0,2,5` });
  assert.match(await page.locator("#card h2").innerText(), new RegExp(`%${node}$`));
  assert.equal(await page.locator("#entry-field").inputValue(), "0,2,5");
  assert.equal(await page.locator("#count").innerText().then((text) => text.split(" ")[0]), "60");
});

test("nonsense in the address is no accident", async () => {
  const { page, problems } = await open(browser, pageFile("step.html"), { hash: "#k=99999&node=-4&entry=7,x" });
  const total = await stepCount(page);
  assert.equal(await page.locator("#count").innerText(), `${total} / ${total}`);
  assert.deepEqual(problems, []);
});

test("a step takes less than 50 ms, at the 95th percentile", async () => {
  const { page } = await open(browser, pageFile("step.html"));
  const walk = () => page.evaluate(() => {
    const total = Number(document.querySelector("#slider").max);
    const press = (key) => document.body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
    press("Home");
    return Array.from({ length: total - 1 }, () => {
      const start = performance.now();
      press("ArrowRight");
      document.body.getBoundingClientRect(); // the layout, too
      return performance.now() - start;
    });
  });
  // The machine may have other work: of three walks, each step's shortest time counts.
  const walks = [await walk(), await walk(), await walk()];
  const times = walks[0].map((_, i) => Math.min(...walks.map((times) => times[i]))).sort((a, b) => a - b);
  const p95 = times[Math.floor(0.95 * times.length)];
  console.log(`a step: median ${times[times.length >> 1].toFixed(1)} ms, p95 ${p95.toFixed(1)} ms, of ${times.length}`);
  assert.ok(p95 < 50, `p95 ${p95} ms`);
});

test("what has not been computed is hatched and named, never a zero", async () => {
  const { page } = await open(browser, pageFile("step.html"), { hash: "#k=5&node=40" });
  const unknown = page.locator("#card .unknown");
  assert.equal(await unknown.count(), 2);
  assert.match(await unknown.nth(0).innerText(), /not yet computed/);
  assert.match(await unknown.nth(0).evaluate((element) => getComputedStyle(element).backgroundImage), /repeating-linear-gradient/);
  assert.equal(await page.locator('.op-row[data-node="40"]').getAttribute("data-value"), "unknown");
});
