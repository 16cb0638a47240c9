// A tape of thousands of ops opens folded, and is walked as lightly.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { launch, open, pageFile } from "./browser.mjs";

const OPS = 5_000;

/** The same page with blocks of ops repeated until there are at least `OPS`: numbers are shared, so that it stays small. */
function enlarged() {
  const page = readFileSync(pageFile("step.html"), "utf8");
  const trace = JSON.parse(readFileSync(pageFile("step.json"), "utf8"));
  const plain = trace.nodes.length;
  const copies = Math.ceil(OPS / plain);
  const nodes = [];
  const steps = [];
  const scopes = [...trace.scopes];
  for (let copy = 0; copy < copies; copy++) {
    const renamed = trace.scopes.map((scope) => (scope === "" ? "" : `copies.${copy}.${scope}`));
    scopes.push(...renamed);
    trace.nodes.forEach((node) => nodes.push({ ...node, inputs: node.inputs.map((input) => input + copy * plain), scope: trace.scopes.length * (copy + 1) + node.scope }));
  }
  nodes.forEach((_, node) => steps.push({ dir: "forward", node }));
  const backward = trace.steps.filter(({ dir }) => dir === "seed" || dir === "backward");
  for (let copy = copies - 1; copy >= 0; copy--) {
    for (const step of backward) {
      const moved = { ...step, node: step.node + copy * plain };
      if (step.dir === "backward") steps.push({ ...moved, to: step.to + copy * plain });
      else if (copy === copies - 1) steps.push(moved);
    }
  }
  const large = JSON.stringify({ ...trace, nodes, steps, scopes, checks: [] }).replaceAll("<", "\\u003c");
  const head = '<script type="application/json" id="trace">';
  const start = page.lastIndexOf(head) + head.length;
  writeFileSync(pageFile("large.html"), `${page.slice(0, start)}${large}</script>\n</body>\n</html>\n`);
  return { ops: nodes.length, steps: steps.length };
}

let browser;
let size;
before(async () => {
  size = enlarged();
  browser = await launch();
});
after(() => browser.close());

test("more than five thousand ops open folded", async () => {
  const { page, problems } = await open(browser, pageFile("large.html"));
  assert.ok(size.ops >= OPS);
  assert.equal(await page.locator("#count").innerText(), `1 / ${size.steps}`);
  assert.ok((await page.locator(".op-row").count()) < 400, "most scopes are folded");
  await page.evaluate((k) => (location.hash = `#k=${k}`), Math.floor(size.ops / 2));
  await page.waitForFunction(() => document.querySelector('.op-row[aria-current="step"]'));
  assert.ok((await page.locator(".op-row").count()) < 400, "the scope of the current op is open, the others are not");
  assert.deepEqual(problems, []);
});

test("a step through them still takes less than 50 ms, at the 95th percentile", async () => {
  const { page } = await open(browser, pageFile("large.html"), { hash: `#k=${size.ops - 60}` });
  const walk = (key) => page.evaluate((pressed) => Array.from({ length: 200 }, () => {
    const start = performance.now();
    document.body.dispatchEvent(new KeyboardEvent("keydown", { key: pressed, bubbles: true }));
    document.body.getBoundingClientRect();
    return performance.now() - start;
  }), key);
  const passes = []; // there and back, twice: of the times of each step the shortest counts
  for (let i = 0; i < 2; i++) passes.push(await walk("ArrowRight"), (await walk("ArrowLeft")).reverse());
  const times = passes[0].map((_, i) => Math.min(...passes.map((pass) => pass[i]))).sort((a, b) => a - b);
  console.log(`a step among ${size.ops} ops: median ${times[100].toFixed(1)} ms, p95 ${times[190].toFixed(1)} ms`);
  assert.ok(times[190] < 50, `p95 ${times[190]} ms`);
});
