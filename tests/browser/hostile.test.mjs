// Text that comes from the reader is shown, and does nothing else.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, open, pageFile } from "./browser.mjs";
import { HOSTILE } from "./pages.mjs";

let browser;
before(async () => (browser = await launch()));
after(() => browser.close());

test("a text with an end of script, a comment, right-to-left letters and emoji is shown as it is", async () => {
  const { page, problems } = await open(browser, pageFile("hostile.html"));
  assert.equal(await page.title(), `Backstep: ${HOSTILE}`);
  const letters = await page.locator("#text .token").allInnerTexts();
  const wanted = [...HOSTILE].map((letter) => letter.replace(" ", "␣"));
  assert.deepEqual(letters.slice(0, 9), wanted.slice(0, 9));
  assert.ok(letters.includes("ש") && letters.includes("👩"));
  for (let i = 0; i < 60; i++) await page.keyboard.press("ArrowRight");
  await page.keyboard.press("End");
  assert.deepEqual(problems, []);
});
