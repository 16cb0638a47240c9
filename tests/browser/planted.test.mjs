// Each bug of the museum turns the page red at its own op first.

import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { launch, open, pageFile } from "./browser.mjs";
import { program, TEXT } from "./pages.mjs";

// The text has letters that occur twice: some bugs only show there.
const run = pageFile("stories");
const museum = execFileSync(program, ["check", "--museum"], { encoding: "utf8" }).split("\n").filter((line) => /^\S/.test(line)).map((line) => line.split(/\s/)[0]);

let browser;
before(async () => (browser = await launch()));
after(() => browser.close());

test("the museum has at least a dozen bugs", () => {
  assert.ok(museum.length >= 12 && museum.includes("no-rescale") && museum.includes("sum-for-mean"), museum.join(", "));
});

for (const name of museum) {
  test(`${name}: the first that is red is the op that \`check\` blames`, async () => {
    const report = spawnSync(program, ["check", "--from", run, "--plant", name, "--json"], { encoding: "utf8" });
    assert.equal(report.status, 1, report.stderr);
    const { op } = JSON.parse(report.stdout).first_broken;
    execFileSync(program, ["trace", "--from", run, "--text", TEXT, "--plant", name, "--checks", "2", "--html", pageFile("planted.html"), "--json", pageFile("planted.json")]);
    const trace = JSON.parse(readFileSync(pageFile("planted.json"), "utf8"));

    const { page, context, problems } = await open(browser, pageFile("planted.html"));
    assert.match(await page.locator("#open-checks").innerText(), new RegExp(`✗ %\\d+ ${op} is wrong`));
    const red = await page.locator(".wrong-tick").evaluateAll((ticks) => ticks.map((tick) => Number(new URLSearchParams(tick.hash.slice(1)).get("k"))));
    const first = Math.min(...red);
    assert.equal(trace.nodes[trace.steps[first - 1].node].op, op, "the first red step is that op's");
    await page.evaluate((k) => (location.hash = `#k=${k}`), first);
    await page.locator("#card .fault").waitFor({ timeout: 30_000 });
    assert.match(await page.locator("#card .fault").innerText(), /^✗ The first that is wrong/);
    assert.equal(await page.locator('.op-row[aria-current="step"]').getAttribute("data-verdict"), "broken");
    assert.deepEqual(problems, []);
    await context.close();
  });
}

test("without a bug nothing on the page is red", async () => {
  const { page } = await open(browser, pageFile("step.html"));
  assert.equal(await page.locator(".wrong-tick, .op-row[data-verdict], .disagrees").count(), 0);
  assert.match(await page.locator("#open-checks").innerText(), /^✓/);
});
