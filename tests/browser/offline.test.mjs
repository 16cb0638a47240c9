// The page is one file that needs nobody.

import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { after, before, test } from "node:test";
import { launch, open, pageFile } from "./browser.mjs";

let browser;
before(async () => (browser = await launch()));
after(() => browser.close());

test("it opens from a disk without a network, asks for nothing else and complains of nothing", async () => {
  const { page, problems, requests, url } = await open(browser, pageFile("step.html"));
  for (let i = 0; i < 30; i++) await page.keyboard.press("ArrowRight");
  await page.keyboard.press("End");
  assert.deepEqual(requests, [url]);
  assert.deepEqual(problems, []);
});

test("it has at most three megabytes", () => {
  assert.ok(statSync(pageFile("step.html")).size <= 3_000_000);
});

test("its first card stands within a second", async () => {
  const times = [];
  for (let i = 0; i < 5; i++) {
    const { page, context } = await open(browser, pageFile("step.html"));
    times.push(Number(await page.evaluate(() => document.documentElement.dataset.first)));
    await context.close();
  }
  assert.ok(Math.min(...times) < 1000, `${times} ms`);
});

test("a policy forbids everything that is not in the file", async () => {
  const { page } = await open(browser, pageFile("step.html"));
  const blocked = await page.evaluate(() => new Promise((resolve) => {
    addEventListener("securitypolicyviolation", (event) => resolve(event.effectiveDirective));
    const script = document.createElement("script");
    script.textContent = "document.title = 'ran'";
    document.body.append(script);
  }));
  assert.match(blocked, /^script-src/);
  assert.notEqual(await page.title(), "ran");
});

test("without JavaScript there is the tape as a table of shapes", async () => {
  const { page } = await open(browser, pageFile("step.html"), { javaScriptEnabled: false });
  const rows = page.locator("noscript tbody tr");
  assert.ok((await rows.count()) > 50);
  assert.match(await rows.nth(0).innerText(), /wte/);
});
