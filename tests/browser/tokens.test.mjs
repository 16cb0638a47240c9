// Which tokens made this entry of the gradient of W_Q, and through which steps?

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { entryOf, launch, open, pageFile, readTrace, visit } from "./browser.mjs";

let browser;
let page;
const trace = readTrace("step.json");
const weight = trace.nodes.findIndex(({ op, name }) => op === "leaf" && name.includes("c_attn"));
const k = trace.steps.findIndex((step) => step.dir === "backward" && step.to === weight) + 1;
const blob = trace.nodes[weight].gradient;
const columns = (blob.indices?.[1] ?? [0]).filter((column) => column < trace.nodes[weight].shape[1] / 3);
const entry = [blob.indices?.[0][3] ?? 3, columns.at(-1)];
before(async () => {
  browser = await launch();
  ({ page } = await open(browser, pageFile("step.html"), { hash: `#k=${k}&entry=${entry}` }));
});
after(() => browser.close());

const numbersIn = (selector) => page.locator(selector).evaluateAll((all) => all.map((each) => Number(each.dataset.value)));

test("who looks for W_Q finds its gradient, the tokens that made its largest entry, and the path there", async () => {
  const { page: fresh, context, problems } = await open(browser, pageFile("step.html"));
  await fresh.keyboard.press("/");
  await fresh.keyboard.type("w_q");
  assert.match(await fresh.locator("#found li").first().innerText(), /∂L\/∂W_Q of blocks\.0/);
  await fresh.keyboard.press("Enter");
  await fresh.locator(".tokens-panel").waitFor({ timeout: 5_000 });
  const [, i, j] = (await fresh.locator(".tokens-panel h3").innerText()).match(/W_Q\[(\d+), (\d+)\]/).map(Number);
  const { shape } = trace.nodes[weight];
  const [rows, columns] = blob.indices ?? shape.map((size) => [...Array(size).keys()]);
  const inQuery = columns.filter((column) => column < shape[1] / 3);
  const all = rows.flatMap((row) => inQuery.map((column) => Math.abs(entryOf(trace, blob, [row, column]))));
  assert.equal(Math.abs(entryOf(trace, blob, [i, j])), Math.max(...all), "the largest that the page holds");
  await fresh.locator(".path-panel summary").click();
  await fresh.locator(".path .hop").first().waitFor();
  assert.deepEqual(problems, []);
  await context.close();
});

test("the shares of all tokens add up to the entry of the gradient", async () => {
  assert.match(await page.locator(".tokens-panel h3").innerText(), /W_Q/);
  const shown = await numbersIn(".tokens-panel > .terms .term .number");
  await page.locator(".tokens-panel .more-terms summary").click();
  const rest = await numbersIn(".tokens-panel .more-terms .term .number");
  assert.equal(shown.length + rest.length, trace.tokens.length, "every token has a share");
  const sum = [...shown, ...rest].reduce((sum, x) => sum + x, 0);
  const gradient = entryOf(trace, blob, entry);
  const size = [...shown, ...rest].reduce((sum, x) => sum + Math.abs(x), 0);
  assert.ok(Math.abs(sum - gradient) <= 1e-5 * size, `${sum} and ${gradient}`);
});

test("each share names the steps that it came through, and they are links", async () => {
  const chips = page.locator(".tokens-panel > .terms tr").first().locator(".chip");
  assert.equal(await chips.count(), 2);
  const target = await chips.nth(1).getAttribute("href");
  await chips.nth(1).click();
  const at = new URLSearchParams(target.slice(1)).get("k");
  assert.equal((await page.locator("#count").innerText()).split(" ")[0], at);
  await visit(page, `#k=${k}&entry=${entry}`);
});

test("the strongest path leads from the loss to the entry, step by step", async () => {
  await page.locator(".path-panel summary").click();
  await page.waitForSelector(".path .hop");
  const hops = await page.locator(".path .hop").evaluateAll((all) => all.map((hop) => Number(new URLSearchParams(hop.hash.slice(1)).get("k"))));
  assert.equal(hops.at(-1), k);
  assert.equal(trace.steps[hops[0] - 1].dir, "seed", "it starts at the loss");
  for (let i = 1; i < hops.length; i++) {
    assert.ok(hops[i] > hops[i - 1], "forward in the order of the walk back");
    assert.equal(trace.steps[hops[i] - 1].node, trace.steps[hops[i - 1] - 1].to ?? trace.steps[hops[i - 1] - 1].node, "each hop starts where the last has arrived");
  }
});
