// The numbers on the page are those of the run, and its arithmetic is right.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { entryOf, launch, open, pageFile, readTrace, selectedEntry, visit } from "./browser.mjs";

let browser;
let page;
const trace = readTrace("step.json");
before(async () => {
  browser = await launch();
  ({ page } = await open(browser, pageFile("step.html")));
});
after(() => browser.close());

/** The selected entry's number on the card, with all of its digits. */
const runValue = () => page.evaluate(() => Number(document.querySelector("#card .run-value")?.dataset.value));

const stepsOf = (direction) => trace.steps.map((step, k) => ({ ...step, k })).filter(({ dir }) => dir === direction);

test("the value of each forward step is that of the trace", async () => {
  for (const { node, k } of stepsOf("forward")) {
    await visit(page, `#k=${k + 1}`);
    const entry = await selectedEntry(page);
    assert.equal(await runValue(), entryOf(trace, trace.nodes[node].value, entry), `step ${k + 1}, entry ${entry}`);
  }
});

test("the contribution of each backward step is that of the trace, and before + contribution = after", async () => {
  const sums = new Map();
  for (const { node, slot, to, delta, k } of stepsOf("backward")) {
    await visit(page, `#k=${k + 1}`);
    const entry = await selectedEntry(page);
    const x = entryOf(trace, delta, entry);
    assert.equal(await runValue(), x, `step ${k + 1}: %${node}, input ${slot}`);
    const slots = await page.locator(".accumulation .number").evaluateAll((all) => all.map((each) => Number(each.dataset.value)));
    const [before, added, after] = slots.length === 3 ? slots : [0, ...slots];
    assert.equal(added, x);
    assert.ok(Math.abs(before + added - after) <= 1e-6 * (Math.abs(before) + Math.abs(added)), `step ${k + 1}: ${before} + ${added} = ${after}`);
    sums.set(to, (sums.get(to) ?? 0) + 1);
  }
  assert.ok([...sums.values()].some((count) => count > 1), "some gradients have several contributions");
});

test("the gradient that a parameter is left with is the engine's", async () => {
  for (const { node, k } of stepsOf("update")) {
    await visit(page, `#k=${k + 1}&node=${node}`);
    const entry = await selectedEntry(page);
    await visit(page, `#k=${k}&node=${node}&entry=${entry}`);
    const shown = await page.evaluate(() => [...document.querySelectorAll(".three-ways .number")].map((each) => Number(each.dataset.value)));
    const check = trace.checks.find((each) => each.node === node);
    const flat = entry.reduce((sum, i, a) => sum * trace.nodes[node].shape[a] + i, 0);
    const at = check.entries.indexOf(flat);
    if (at >= 0) assert.deepEqual(shown, [...trace.wide(check.values).subarray(3 * at, 3 * at + 3)], trace.nodes[node].name);
    const last = trace.steps.findLastIndex((step) => step.dir === "backward" && step.to === node);
    await visit(page, `#k=${last + 1}&entry=${entry}`);
    const left = await page.evaluate(() => Number([...document.querySelectorAll(".accumulation .after .number")].at(-1).dataset.value));
    assert.equal(left, entryOf(trace, trace.nodes[node].gradient, entry), trace.nodes[node].name);
  }
});

test("each update moves its entry by what AdamW's lines on the card say, and they are beside it", async () => {
  for (const { k } of stepsOf("update")) {
    await visit(page, `#k=${k + 1}`);
    const verdict = page.locator("#card .working > .verdict");
    assert.match(await verdict.getAttribute("class"), / agrees$/, `step ${k + 1}: ${await verdict.innerText()}`);
    const moves = Number(await verdict.locator(".by-rule").getAttribute("data-value"));
    const [before, change, after] = await page.evaluate(() => [...document.querySelectorAll(".moved .number")].map((each) => Number(each.dataset.value)));
    assert.ok(Math.abs(moves - change) <= 1e-5 * Math.abs(moves) + 2.4e-7 * Math.abs(before), `step ${k + 1}: ${moves}, ${change}`);
    assert.ok(Math.abs(before + change - after) <= 1e-12);
  }
  assert.match(await page.locator("#source").innerText(), /The update[\s\S]*adamw\.rs[\s\S]*fn piece/);
});

test("the arithmetic of every card adds up to the value that it shows", async () => {
  let [whole, partial] = [0, 0];
  for (const { k, dir } of [...stepsOf("forward"), ...stepsOf("backward")]) {
    await visit(page, `#k=${k + 1}`);
    const found = await page.evaluate(() => ({
      terms: [...document.querySelectorAll("#card .working > .terms .term .number, #card .working > .more-terms > summary .number")].map((each) => Number(each.dataset.value)),
      value: Number(document.querySelector("#card .run-value")?.dataset.value),
      verdict: document.querySelector("#card .working .verdict")?.className,
      note: document.querySelector("#card .working .verdict .note")?.textContent,
    }));
    if (found.verdict === undefined) continue; // a leaf has no working
    assert.doesNotMatch(found.verdict, /disagrees/, `step ${k + 1} (${dir}): ${JSON.stringify(found)}`);
    if (found.note) {
      partial += 1;
      continue;
    }
    whole += 1;
    const sum = found.terms.reduce((sum, x) => sum + x, 0);
    const size = found.terms.reduce((sum, x) => sum + Math.abs(x), 0);
    assert.ok(Math.abs(sum - found.value) <= 1e-5 * size + 1e-30 || (!Number.isFinite(sum) && Object.is(sum, found.value)), `step ${k + 1}: ${sum} and ${found.value}`);
  }
  console.log(`${whole} cards add up in full, ${partial} say how much is in the terms that the sample lacks`);
  assert.ok(whole > 3 * partial);
});

test("every pixel of a heat map has the colour of its number", async () => {
  for (const theme of ["light", "dark"]) {
    const fresh = await open(browser, pageFile("step.html"), { theme });
    for (const k of [24, 40, trace.steps.findIndex((step) => step.dir === "backward") + 20]) {
      await visit(fresh.page, `#k=${k}`);
      const maps = await fresh.page.evaluate(pixels);
      assert.ok(maps.length > 0);
      for (const { wrong, checked, title } of maps) {
        assert.ok(checked > 0);
        assert.deepEqual(wrong, [], `${theme}, step ${k}: ${title}`);
      }
    }
    await fresh.context.close();
  }
});

/** In the page: the middle pixel of each cell of each map, and the colour that the number in its table has on the legend's ramp. */
function pixels() {
  const mix = (stops, share) => {
    const place = share * (stops.length - 1);
    const i = Math.min(Math.floor(place), stops.length - 2);
    return stops[i].map((from, c) => from + (stops[i + 1][c] - from) * (place - i));
  };
  const maps = [...document.querySelectorAll("#card .map")].filter((map) => map.querySelector(".cells"));
  return maps.map((map) => {
    const { most, scale, cell, grid, corners } = map.querySelector(".drawing").dataset;
    const [wide, tall] = cell.split("x").map(Number);
    const [columns, rows] = grid.split("x").map(Number);
    const starts = corners.split(" ").map((corner) => corner.split(",").map(Number));
    const stops = getComputedStyle(map.querySelector(".ramp")).backgroundImage.match(/rgb\([^)]*\)/g).map((text) => text.match(/\d+/g).map(Number));
    const pen = map.querySelector(".cells").getContext("2d");
    const table = map.querySelector("details.table");
    table.open = true;
    table.dispatchEvent(new Event("toggle"));
    const wrong = [];
    const values = [...table.querySelectorAll("td[data-value]")].map((each) => Number(each.dataset.value));
    values.forEach((value, i) => {
      if (!Number.isFinite(value)) return;
      const [left, top] = starts[Math.floor(i / (rows * columns))];
      const x = left + (i % columns) * wide + (wide >> 1);
      const y = top + (Math.floor(i / columns) % rows) * tall + (tall >> 1);
      const share = Number(most) === 0 ? 0 : Math.max(-1, Math.min(1, value / Number(most)));
      const wanted = mix(stops, scale === "sequential" ? Math.max(share, 0) : (share + 1) / 2);
      const found = [...pen.getImageData(x, y, 1, 1).data].slice(0, 3);
      if (found.some((channel, c) => Math.abs(channel - wanted[c]) > 1)) wrong.push({ value, found, wanted });
    });
    return { title: map.querySelector(".map-title").textContent, wrong: wrong.slice(0, 3), checked: values.length };
  });
}
