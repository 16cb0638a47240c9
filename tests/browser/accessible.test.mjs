// For every reader: keyboard, screen reader, narrow windows, either theme, paper.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import { arrives, launch, open, pageFile, readTrace, selectedEntry, visit } from "./browser.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const trace = readTrace("step.json");
const softmax = trace.nodes.findIndex(({ op }) => op === "softmax");
const stepBack = (of, slot = 0) => trace.steps.findIndex((step) => step.dir === "backward" && step.node === of && step.slot === slot) + 1;
const weight = trace.nodes.findIndex(({ op, name }) => op === "leaf" && name.includes("c_attn"));
const intoWeight = trace.steps.findIndex((step) => step.dir === "backward" && step.to === weight) + 1;
const seed = trace.steps.findIndex(({ dir }) => dir === "seed") + 1;
const telling = [1, softmax + 1, seed, stepBack(softmax), intoWeight, trace.steps.length];

let browser;
before(async () => (browser = await launch()));
after(() => browser.close());

for (const theme of ["light", "dark"]) {
  test(`axe finds nothing to complain of, in the ${theme} theme`, async () => {
    const { page, context } = await open(browser, pageFile("step.html"), { theme });
    await page.evaluate(axe);
    for (const k of telling) {
      for (const hash of [`#k=${k}`, `#k=${k}&predict=1`]) {
        await visit(page, hash);
        assert.deepEqual(await complaints(page), [], `${theme} ${hash}`);
      }
    }
    for (const opener of ["#open-help", "#open-checks", "#find"]) {
      await page.click(opener);
      assert.deepEqual(await complaints(page), [], `${theme} ${opener}`);
      await page.keyboard.press("Escape");
    }
    await context.close();
  });
}

async function complaints(page) {
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  return violations.map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map(({ html, failureSummary }) => `${html.slice(0, 160)} ${failureSummary}`).join(" | ")}`);
}

test("the keyboard alone is enough for a tour", async () => {
  const { page, problems } = await open(browser, pageFile("step.html"));
  const at = async () => Number((await page.locator("#count").innerText()).split(" ")[0]);
  const press = (key) => page.keyboard.press(key);
  await press("ArrowRight");
  assert.equal(await at(), 2);
  await press("Shift+ArrowRight");
  const scope = await at();
  assert.ok(scope > 2, "a scope further");
  await press("Shift+ArrowLeft");
  assert.equal(await at(), 1, "and back to the beginning of the one before");
  await press("End");
  assert.equal(await at(), trace.steps.length);
  await press("Home");
  assert.equal(await at(), 1);

  await press("/");
  await page.keyboard.type(`%${softmax} softmax`);
  await press("Enter");
  assert.equal(await at(), softmax + 1, "found");
  await press("b");
  assert.equal(await at(), stepBack(softmax), "its backward twin");
  await press("b");
  assert.equal(await at(), softmax + 1, "and back");

  await page.locator("#card .drawing").last().focus();
  const before = await selectedEntry(page);
  await press("ArrowUp");
  const moved = await selectedEntry(page);
  assert.notDeepEqual(moved, before, "an arrow key on a map moves the selection");
  assert.equal(await at(), softmax + 1, "and not the step");
  assert.match(await page.locator("#live").innerText(), /head|h \d|n \d/);
  await press("ArrowDown");
  assert.deepEqual(await selectedEntry(page), before, "the map has kept the focus");

  await page.locator("#card .ref").first().focus();
  await press("Enter");
  await arrives(page, trace.nodes[softmax].inputs[0] + 1); // a number leads to the step that made it

  await press("?");
  assert.ok(await page.locator("#help").isVisible());
  await press("Escape");
  assert.ok(!(await page.locator("#help").isVisible()));
  assert.deepEqual(problems, []);
});

test("each step is told to a screen reader", async () => {
  const { page } = await open(browser, pageFile("step.html"));
  await page.keyboard.press("ArrowRight");
  assert.match(await page.locator("#live").innerText(), /^Step 2 of \d+, forward/);
  assert.equal(await page.locator("#live").getAttribute("aria-live"), "polite");
});

test("behind each heat map there is a table with all of its numbers", async () => {
  const { page } = await open(browser, pageFile("step.html"), { hash: `#k=${softmax + 1}` });
  const table = page.locator("#card details.table").last();
  await table.locator("summary").click();
  await table.locator("td[data-value]").first().waitFor();
  const shape = trace.nodes[softmax].shape;
  assert.equal(await table.locator("td[data-value]").count(), shape.reduce((product, size) => product * size, 1));
});

test("a window of 320 pixels needs no sideways scrolling", async () => {
  const { page } = await open(browser, pageFile("step.html"), { width: 320, height: 640 });
  for (const k of telling) {
    await visit(page, `#k=${k}`);
    const [wide, room] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
    assert.ok(wide <= room, `step ${k}: ${wide} > ${room}`);
  }
});

test("below 800 pixels there is one column", async () => {
  const { page } = await open(browser, pageFile("step.html"), { width: 780, height: 900 });
  const boxes = await page.evaluate(() => ["middle", "source", "tape"].map((id) => document.getElementById(id).getBoundingClientRect()).map(({ left, width }) => ({ left, width })));
  for (const { left, width } of boxes) assert.ok(left <= 1 && width >= 760, JSON.stringify(boxes));
});

test("who wants less motion gets none", async () => {
  const { page } = await open(browser, pageFile("step.html"), { reducedMotion: "reduce" });
  assert.match(await page.evaluate(() => getComputedStyle(document.querySelector("#ribbon .cursor")).transitionDuration), /^0s/);
});

test("the theme follows the system until the reader chooses", async () => {
  const { page } = await open(browser, pageFile("step.html"), { theme: "dark" });
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const dark = await ground();
  await page.click("#theme");
  const light = await ground();
  assert.notEqual(light, dark);
  await page.click("#theme");
  assert.equal(await ground(), dark);
});

test("a step prints on one page", async () => {
  const { page } = await open(browser, pageFile("step.html"));
  for (const k of telling) {
    await visit(page, `#k=${k}`);
    const pdf = (await page.pdf({ preferCSSPageSize: true, printBackground: true })).toString("latin1");
    assert.equal((pdf.match(/\/Type\s*\/Page\b(?!s)/g) ?? []).length, 1, `step ${k}`);
  }
});
