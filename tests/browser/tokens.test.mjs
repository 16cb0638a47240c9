// Which tokens made this entry of the gradient of W_Q, and through which steps?

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { arrives, entryOf, launch, open, pageFile, readTrace, visit } from "./browser.mjs";

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
  await fresh.locator(".tokens-panel").waitFor({ timeout: 30_000 });
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
  await page.locator(".tokens-panel .more-terms table").waitFor();
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
  await arrives(page, at);
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

/** Opens a page, looks for W_Q there, and waits for the tokens of its largest entry. */
async function askForQuery(name) {
  const opened = await open(browser, pageFile(name));
  await opened.page.keyboard.press("/");
  await opened.page.keyboard.type("w_q");
  await opened.page.keyboard.press("Enter");
  await opened.page.locator(".tokens-panel").waitFor({ timeout: 30_000 });
  return opened;
}

for (const name of ["long", "llama"]) {
  test(`${name}.html: every token has its share, together they are the gradient, and a path leads there or is said to be lacking`, async () => {
    const { page: other, context, problems } = await askForQuery(`${name}.html`);
    const verdict = other.locator(".tokens-panel > .verdict");
    assert.match(await verdict.getAttribute("class"), / agrees$/, await verdict.innerText());
    const { tokens } = readTrace(`${name}.json`);
    assert.match(await verdict.innerText(), new RegExp(`^${tokens.length} tokens, together`));
    await other.locator(".path-panel summary").click();
    await other.waitForSelector(".path .hop, .path-panel .note"); // of samples there may be none that can be followed
    assert.deepEqual(problems, []);
    await context.close();
  });
}

test("of a gate's weights, too, every entry that the page holds has the shares of all tokens", async () => {
  const llama = readTrace("llama.json");
  const gate = llama.nodes.findIndex(({ op, name }) => op === "leaf" && name.includes("c_gate"));
  const step = llama.steps.findIndex(({ dir, to }) => dir === "backward" && to === gate);
  const { indices } = llama.nodes[gate].gradient;
  assert.ok(indices, "large enough to be sampled");
  const { page: other, context } = await open(browser, pageFile("llama.html"));
  for (const entry of [indices.map((axis) => axis[1]), indices.map((axis) => axis.at(-2))]) {
    await visit(other, `#k=${step + 1}&entry=${entry}`);
    assert.match(await other.locator(".tokens-panel > .verdict").getAttribute("class"), / agrees$/, `entry ${entry}`);
  }
  await context.close();
});

test("what the page's sample lacks is said, and not taken for no share", async (t) => {
  const long = readTrace("long.json");
  const query = long.nodes.findIndex(({ op, name }) => op === "leaf" && name.includes("c_attn"));
  const step = long.steps.findIndex(({ dir, to }) => dir === "backward" && to === query);
  const held = (long.nodes[query].gradient.indices ?? long.nodes[long.steps[step].node].gradient.indices)?.at(-1);
  if (!held) return t.skip("without RUN the model may be so small that the page holds everything");
  const missing = [...Array(long.nodes[query].shape[1]).keys()].find((column) => !held.includes(column));
  const { page: other, context } = await open(browser, pageFile("long.html"), { hash: `#k=${step + 1}&entry=0,${missing}` });
  const verdict = other.locator(".tokens-panel > .verdict");
  assert.match(await verdict.innerText(), /^The sample that the page holds lacks the numbers of all \d+ tokens.*trace .*--text .*--why/s);
  assert.equal(await other.locator(".token.omitted").count(), long.tokens.length);
  await context.close();
});
