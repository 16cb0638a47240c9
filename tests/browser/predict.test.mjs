// Predict first: a marked step asks, hides, and judges by the run's own numbers.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, open, pageFile, readTrace, visit } from "./browser.mjs";

let browser;
const trace = readTrace("step.json");
const seed = trace.steps.findIndex(({ dir }) => dir === "seed") + 1;
const first = (op) => trace.nodes.findIndex((node) => node.op === op) + 1;
before(async () => (browser = await launch()));
after(() => browser.close());

test("P hides the answer until it is predicted", async () => {
  const { page } = await open(browser, pageFile("step.html"), { hash: `#k=${seed}` });
  assert.equal(await page.locator(".question").count(), 0);
  await page.keyboard.press("p");
  assert.match(await page.locator(".question .ask").innerText(), /∂L\/∂L/);
  assert.match(await page.locator("#card .unknown").innerText(), /predict first/);
  await page.fill("#prediction", "1.05");
  await page.keyboard.press("Enter");
  assert.match(await page.locator(".judgement").innerText(), /^✓ Yes/);
  assert.equal(await page.locator("#card .unknown").count(), 0);
});

test("a value that is off by more than a tenth is not so", async () => {
  const { page } = await open(browser, pageFile("step.html"), { hash: `#k=${seed}&predict=1` });
  await page.fill("#prediction", "2");
  await page.keyboard.press("Enter");
  assert.match(await page.locator(".judgement").innerText(), /^✗ Not so.*the run has 1/s);
});

test("a shape is chosen among shapes, and the run's is right", async () => {
  const { page } = await open(browser, pageFile("step.html"));
  await visit(page, `#k=${first("matmul")}&predict=1`);
  const shape = `[${trace.nodes[first("matmul") - 1].shape.join(", ")}]`;
  assert.ok((await page.locator(".choices button").count()) >= 3);
  const axes = page.locator('.op-row[aria-current="step"] .op-axes');
  assert.equal(await axes.isVisible(), false, "the tape does not tell");
  assert.doesNotMatch(await page.locator("#live").textContent(), /\[/, "nor does the live region");
  await page.getByRole("button", { name: shape, exact: true }).click();
  assert.match(await page.locator(".judgement").innerText(), /^✓ Yes/);
  assert.equal(await axes.isVisible(), true);
});

test("signs are judged by the run", async () => {
  const { page } = await open(browser, pageFile("step.html"));
  const k = trace.steps.findIndex((step) => step.dir === "backward" && trace.nodes[step.node].op === "softmax") + 1;
  await visit(page, `#k=${k}&predict=1`);
  await page.getByRole("button", { name: "zero" }).click();
  assert.match(await page.locator(".judgement").innerText(), /^✗ Not so.*(positive|negative)/s);
});

test("of two weights the larger one is the run's larger one", async () => {
  const { page } = await open(browser, pageFile("step.html"));
  await visit(page, `#k=${first("softmax")}&predict=1`);
  const choices = page.locator(".choices button");
  assert.equal(await choices.count(), 2);
  await choices.first().click();
  const judged = await page.locator(".judgement").innerText();
  const [, said, has, larger] = judged.match(/You said (.*); the run has ([^:]*): (.*)\.$/s);
  assert.equal(judged.startsWith("✓"), said === larger);
  const row = trace.nodes[first("softmax") - 1];
  const weights = trace.numbers(row.value.data);
  assert.ok([...weights].some((weight) => Math.abs(weight - Number(has.replaceAll("−", "-"))) < 1e-3 * weight), `${has} is a weight of the run`);
});
