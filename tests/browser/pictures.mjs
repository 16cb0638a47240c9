// Draws the pictures of the README from a real run, as WebP: `node pictures.mjs`, after `cargo run --release`.

import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { launch, open, visit } from "./browser.mjs";

const here = (name) => new URL(name, import.meta.url).pathname;
const program = process.env.TRANSFORMER ?? here("../../target/release/transformer");
const images = here("../../docs/src/img");
const [folder, text] = [mkdtempSync(`${tmpdir()}/pictures-`), "Tom gave the drum"];

execFileSync(program, ["trace", "--from", "runs/demo", "--text", text, "--html", `${folder}/step.html`, "--json", `${folder}/step.json`], { cwd: here("../..") });
const trace = JSON.parse(readFileSync(`${folder}/step.json`, "utf8"));
const attention = trace.nodes.map(({ op }, node) => (op === "softmax" ? node : -1)).filter((node) => node >= 0)[1];
const back = trace.steps.findIndex((step) => step.dir === "backward" && step.node === attention) + 1;
const weight = trace.nodes.findIndex(({ name }) => name.includes("h.1.attn.c_attn.weight"));
const intoWeight = trace.steps.findIndex((step) => step.dir === "backward" && step.to === weight) + 1;
const query = largest(trace.checks.find(({ node }) => node === weight), trace.nodes[weight].shape);

/** Of the checked entries of W_Q, one in the middle. */
function largest({ entries }, [, columns]) {
  const inQuery = entries.filter((flat) => flat % columns < columns / 3);
  const flat = inQuery[inQuery.length >> 1];
  return `${Math.floor(flat / columns)},${flat % columns}`;
}

mkdirSync(images, { recursive: true });
const browser = await launch();
await picture("step-attention", `#k=${back}`, "light", { height: 880 });
await picture("step-tokens", `#k=${intoWeight}&entry=${query}`, "dark", { height: 880, bring: ".tokens-panel" });
await browser.close();

async function picture(name, hash, theme, { height, bring }) {
  const { page, context } = await open(browser, `${folder}/step.html`, { theme, width: 1440, height, deviceScaleFactor: 1.25 });
  await visit(page, hash);
  if (bring) {
    await page.locator(".path-panel summary").click();
    await page.locator(".path .hop").first().waitFor();
    await page.locator(bring).evaluate((element) => element.scrollIntoView({ block: "start" }));
  }
  await page.waitForTimeout(300);
  const devtools = await context.newCDPSession(page);
  const { data } = await devtools.send("Page.captureScreenshot", { format: "webp", quality: 82 });
  writeFileSync(`${images}/${name}.webp`, Buffer.from(data, "base64"));
  console.log(`${name}.webp: ${Math.round(statSync(`${images}/${name}.webp`).size / 1000)} kB`);
  await context.close();
}
