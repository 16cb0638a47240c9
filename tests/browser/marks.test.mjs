// What is drawn over the colours: NaN and infinities, what a mask hides, tokens beside attention; and the plot of the checks.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { deflateSync, inflateSync } from "node:zlib";
import { launch, open, pageFile, readTrace, visit } from "./browser.mjs";
import { program, TEXT } from "./pages.mjs";

const trace = readTrace("step.json");
let browser, page;
before(async () => {
  browser = await launch();
  ({ page } = await open(browser, pageFile("step.html")));
});
after(() => browser.close());

test("NaN has a colour of its own and a cross, infinities have a sign, and the legend counts them", async () => {
  const { k, file } = pageWith([NaN, Infinity, -Infinity]);
  const unusual = await open(browser, file, { hash: `#k=${k + 1}` });
  const found = await unusual.page.evaluate(() => {
    const map = [...document.querySelectorAll("#card .map")].find((map) => map.querySelector(".notes")?.innerText.includes("NaN"));
    const { cell, grid, corners } = map.querySelector(".drawing").dataset;
    const [wide, tall] = cell.split("x").map(Number);
    const [columns, rows] = grid.split("x").map(Number);
    const [left, top] = corners.split(" ")[0].split(",").map(Number);
    const [cells, marks] = [...map.querySelectorAll("canvas")].map((canvas) => canvas.getContext("2d"));
    const places = [3, 2, 1, 6].map((i) => [left + (columns - i) * wide, top + (rows - 1) * tall]); // the last is a number
    const ink = ([x, y]) => marks.getImageData(x, y, wide, tall).data.reduce((sum, byte) => sum + byte, 0);
    const paint = ([x, y]) => [...cells.getImageData(x, y, 1, 1).data].slice(0, 3).join();
    return { colours: places.map(paint), inks: places.map(ink), notes: map.querySelector(".notes").innerText };
  });
  assert.equal(new Set(found.colours).size, 4, `NaN, ∞, −∞ and a number: ${found.colours.join("; ")}`);
  assert.equal(new Set(found.inks.slice(0, 3)).size, 3, "×, ∞ and −∞ are three signs");
  assert.deepEqual(found.inks.map((ink) => ink > 0), [true, true, true, false], "a number has no sign over it");
  assert.match(found.notes, /× 1 NaN/);
  assert.match(found.notes, /∞ 2 infinite/);
  await unusual.context.close();
});

/** step.html with other numbers from the third last entry of its first sum on, and the step that shows it. */
function pageWith(numbers) {
  const html = readFileSync(pageFile("step.html"), "utf8");
  const [head, json, rest] = html.split(/(?<=<script type="application\/json" id="trace">)([\s\S]*?)(?=<\/script>)/);
  const changed = JSON.parse(json);
  const k = changed.steps.findIndex(({ node, dir }) => dir === "forward" && changed.nodes[node].op === "add");
  const { value } = changed.nodes[changed.steps[k].node];
  const raw = inflateSync(Buffer.from(changed.data[value.data], "base64"));
  numbers.forEach((x, i) => raw.writeFloatLE(x, raw.length + 4 * (i - 3)));
  changed.data[value.data] = deflateSync(raw).toString("base64");
  Object.assign(value.stats, { nan: 1, inf: 2 });
  const file = pageFile("unusual.html");
  writeFileSync(file, head + JSON.stringify(changed).replaceAll("<", "\\u003c") + rest);
  return { k, file };
}

test("weights of attention: the future is hatched, nothing else is, and every row and column has its token", async () => {
  const softmax = trace.steps.findIndex(({ node, dir }) => dir === "forward" && trace.nodes[node].op === "softmax");
  await visit(page, `#k=${softmax + 1}`);
  const maps = await page.evaluate(() => [...document.querySelectorAll("#card .map")].filter((map) => map.querySelector(".masked-note")).map((map) => {
    const { cell, grid, corners } = map.querySelector(".drawing").dataset;
    const [wide, tall] = cell.split("x").map(Number);
    const [columns, rows] = grid.split("x").map(Number);
    const canvas = map.querySelector(".marks");
    const ratio = canvas.width / map.querySelector(".cells").width;
    const pen = canvas.getContext("2d");
    const alphas = (x, y, w, h) => pen.getImageData(x * ratio, y * ratio, w * ratio, h * ratio).data.filter((_, i) => i % 4 === 3);
    const heads = corners.split(" ").map((corner) => {
      const [left, top] = corner.split(",").map(Number);
      const hidden = Array.from({ length: rows }, (_, row) => Array.from({ length: columns }, (_, column) => alphas(left + column * wide + (wide >> 1), top + row * tall + (tall >> 1), 1, 1)[0] === 255));
      const beside = Array.from({ length: rows }, (_, row) => alphas(left - 15, top + row * tall, 12, tall).some((a) => a > 0));
      const above = Array.from({ length: columns }, (_, column) => alphas(left + column * wide, top - 14, wide, 12).some((a) => a > 0));
      return { hidden, beside, above };
    });
    return { title: map.querySelector(".map-title").textContent, columns, rows, heads };
  }));
  assert.ok(maps.length >= 2, "the scores and the weights");
  for (const { title, columns, rows, heads } of maps) {
    assert.equal(columns, TEXT.length - 1, title); // the last token is only asked for
    assert.equal(heads.length, trace.nodes[trace.steps[softmax].node].shape.at(-3), title);
    for (const { hidden, beside, above } of heads) {
      for (let row = 0; row < rows; row++) {
        assert.deepEqual(hidden[row], Array.from({ length: columns }, (_, column) => column > row), `${title}, row ${row}`);
      }
      assert.ok(beside.every(Boolean), `${title}: a token beside each row: ${beside}`);
      assert.ok(above.every(Boolean), `${title}: a token above each column: ${above}`);
    }
  }
});

test("the plot has a dot for each check, the higher the larger its error, and a dot leads to its entry", async () => {
  await page.click("#open-checks");
  const dots = await page.locator("#checks-plot svg a").evaluateAll((links) => links.map((link) => ({
    error: Number(link.getAttribute("aria-label").match(/relative error (\S+),/)[1].replace("−", "-").replace("·10", "e").replace(/\s/g, "")),
    height: -Number(link.querySelector("circle").getAttribute("cy")),
    right: link.classList.contains("right"),
    hash: link.getAttribute("href"),
  })));
  assert.equal(dots.length, Number((await page.locator("#open-checks").innerText()).replace(/\D/g, "")));
  assert.equal(dots.length, trace.run.checked);
  assert.ok(dots.every((dot) => dot.right), "every dot is of a check that agrees");
  dots.sort((a, b) => a.error - b.error);
  for (let i = 1; i < dots.length; i++) assert.ok(dots[i].height >= dots[i - 1].height - 0.5, JSON.stringify([dots[i - 1], dots[i]]));
  await page.locator("#checks-plot svg a").nth(3).press("Enter");
  assert.equal(await page.evaluate(() => document.querySelector("#checks").open), false);
  const [, k, entry] = (await page.locator("#checks-plot svg a").nth(3).getAttribute("href")).match(/k=(\d+).*entry=([\d,]+)/);
  assert.equal((await page.locator("#count").innerText()).split(" ")[0], k);
  assert.equal(await page.locator("#entry-field").inputValue(), entry);
});

test("a trace without checks says that it was not checked, and claims nothing", async () => {
  execFileSync(program, ["trace", "--from", pageFile("stories"), "--text", TEXT, "--checks", "0", "--html", pageFile("unchecked.html")]);
  const unchecked = await open(browser, pageFile("unchecked.html"));
  assert.equal(await unchecked.page.locator("#open-checks").innerText(), "not checked");
  await unchecked.page.click("#open-checks");
  assert.equal(await unchecked.page.locator("#checks-plot").innerText(), "This trace was made without checks.");
  assert.deepEqual(unchecked.problems, []);
  await unchecked.context.close();
});
