// The page of a training run: `report.html`.

import assert from "node:assert/strict";
import { readFileSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import { launch, open, pageFile } from "./browser.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const PAGES = ["report.html", "compared.html"];

let browser;
before(async () => (browser = await launch()));
after(() => browser.close());

for (const name of PAGES) {
  test(`${name} opens from a disk without a network, asks for nothing and complains of nothing`, async () => {
    const { page, problems, requests, url } = await open(browser, pageFile(name));
    for (const chart of await page.locator("figure.plot svg.chart").all()) await chart.hover();
    assert.deepEqual(requests, [url]);
    assert.deepEqual(problems, []);
    assert.ok(statSync(pageFile(name)).size <= 3_000_000);
  });

  for (const theme of ["light", "dark"]) {
    test(`axe finds nothing to complain of in ${name}, in the ${theme} theme`, async () => {
      const { page } = await open(browser, pageFile(name), { theme });
      for (const details of await page.locator("details > summary").all()) await details.click();
      await page.evaluate(axe);
      const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
      assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes[0].html.slice(0, 200)} ${nodes[0].failureSummary}`), []);
    });

    test(`every word in the charts of ${name} stands out by 4.5 to 1, in the ${theme} theme`, async () => {
      const { page } = await open(browser, pageFile(name), { theme });
      const faint = await page.evaluate(() => {
        const light = (colour) => {
          const [r, g, b] = colour.match(/[\d.]+/g).map((part) => part / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
          return 0.2126 * r + 0.7152 * g + 0.0722 * b;
        };
        const ground = light(getComputedStyle(document.body).backgroundColor);
        const contrast = (colour) => (Math.max(light(colour), ground) + 0.05) / (Math.min(light(colour), ground) + 0.05);
        return [...document.querySelectorAll("svg text")].map((text) => [text.textContent, contrast(getComputedStyle(text).fill)]).filter(([, ratio]) => ratio < 4.5);
      });
      assert.deepEqual(faint, []);
      assert.ok((await page.locator("svg text").count()) > 50);
    });
  }

  for (const width of [320, 800]) {
    test(`${name} needs no sideways scrolling in a window of ${width} pixels`, async () => {
      const { page } = await open(browser, pageFile(name), { width, height: 800 });
      const [wide, room] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
      assert.ok(wide <= room, `${wide} > ${room}`);
    });
  }
}

test("the arrow keys move through the samples, from before the first update to the last", async () => {
  const { page } = await open(browser, pageFile("report.html"));
  const slider = page.locator("#sample-at");
  const text = () => page.locator(".frame.now pre").innerText();
  assert.equal(await page.locator(".frame:visible").count(), 1);
  const last = await text();
  await slider.focus();
  await page.keyboard.press("Home");
  assert.equal(await slider.getAttribute("aria-valuetext"), "before the first update");
  const first = await text();
  assert.notEqual(first, last);
  await page.keyboard.press("ArrowRight");
  assert.match(await slider.getAttribute("aria-valuetext"), /^after \d+ updates$/);
  await page.keyboard.press("End");
  assert.equal(await text(), last);
});

test("the slider of attention redraws every map, and a head is chosen and read by keyboard", async () => {
  const { page, problems } = await open(browser, pageFile("report.html"));
  const maps = () => page.locator(".head svg").evaluateAll((all) => all.map((svg) => svg.innerHTML));
  const last = await maps();
  await page.locator("#attention-at").focus();
  await page.keyboard.press("Home");
  const first = await maps();
  last.forEach((map, i) => assert.notEqual(first[i], map, `head number ${i} has not changed`));
  await page.keyboard.press("End");
  assert.deepEqual(await maps(), last);

  await page.locator(".head").last().focus();
  await page.keyboard.press("Enter");
  const chosen = await page.locator(".head").last().getAttribute("aria-label");
  assert.equal(await page.locator("#large-name").innerText(), chosen);
  assert.equal(await page.locator(".head").last().getAttribute("aria-pressed"), "true");
  await page.locator("#large").focus();
  await page.keyboard.press("ArrowRight");
  assert.match(await page.locator("#large-read").innerText(), /^“.+” \(\d+\) gives “.+” \(1\) \d\.\d\d of its attention$/);
  assert.deepEqual(problems, []);
});

test("what is read off a map is the number in the run's file, and a row of them sums to one", async () => {
  const { page } = await open(browser, pageFile("report.html"));
  await page.locator("#large").focus();
  const read = async () => Number((await page.locator("#large-read").innerText()).match(/(\d\.\d\d) of/)[1]);
  const weights = [];
  const n = await page.evaluate(() => data.attention.tokens.length);
  for (let key = 0; key < n; key++) {
    await page.keyboard.press("ArrowRight");
    weights.push(await read());
  }
  const sum = weights.reduce((a, b) => a + b);
  assert.ok(Math.abs(sum - 1) < 0.01 * n, `${weights} sum to ${sum}`);
  const map = await page.evaluate(() => [...atob(data.attention.frames.at(-1).maps[0][0])].map((c) => c.charCodeAt(0) / 255));
  assert.deepEqual(weights, map.slice(-n).map((weight) => Number(weight.toFixed(2))));
});

test("a chart tells its numbers at the step under the pointer, and by the arrow keys", async () => {
  const { page } = await open(browser, pageFile("report.html"));
  const loss = page.locator("figure.plot").first();
  await loss.locator("svg.chart").focus();
  await page.keyboard.press("Home");
  const values = () => loss.locator("output").allInnerTexts();
  const first = await values();
  assert.equal(first[0], "at 1 updates");
  await page.keyboard.press("End");
  const last = await values();
  assert.ok(Number(last[1]) < Number(first[1]), `the loss has fallen: ${first} ${last}`);
});

test("without JavaScript every chart, every sample and the last maps are there", async () => {
  const { page, problems } = await open(browser, pageFile("report.html"), { javaScriptEnabled: false });
  assert.equal(await page.locator("figure.plot svg.chart:visible").count(), 6);
  assert.ok((await page.locator(".frame pre:visible").count()) >= 2);
  assert.ok((await page.locator(".head svg path").count()) > 10);
  assert.ok(await page.locator("#large-map path").first().isVisible());
  assert.equal(await page.locator("input[type=range]:visible").count(), 0);
  assert.deepEqual(problems, []);
});
