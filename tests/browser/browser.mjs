// A browser that may not talk to anybody, and what the tests ask of a page.

import { chromium } from "playwright-core";
import { readFileSync } from "node:fs";
import { inflateSync } from "node:zlib";

const here = (name) => new URL(name, import.meta.url).pathname;
export const pageFile = (name) => here(`pages/${name}`);

export async function launch() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });
}

/** Opens a page from the disk, offline; `problems` collects what it complains about, `requests` what it asks for. */
export async function open(browser, file, { hash = "", width = 1400, height = 900, theme = "light", ...options } = {}) {
  const context = await browser.newContext({ viewport: { width, height }, colorScheme: theme, offline: true, ...options });
  const page = await context.newPage();
  const problems = [];
  const requests = [];
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && problems.push(message.text()));
  page.on("pageerror", (error) => problems.push(String(error.stack)));
  page.on("request", (request) => requests.push(request.url()));
  const url = `file://${file}`;
  await page.goto(`${url}${hash}`);
  if (options.javaScriptEnabled !== false) await settled(page);
  return { page, context, problems, requests, url };
}

/** Waits until every number is decoded: from then on a step is drawn at once. */
export const settled = (page) => page.waitForFunction(() => document.documentElement.dataset.ready === "true", null, { timeout: 60_000 });

/** Goes to a state as a link does. */
export async function visit(page, hash) {
  await page.evaluate((wanted) => {
    if (location.hash === wanted) return;
    return new Promise((resolve) => {
      addEventListener("hashchange", () => requestAnimationFrame(resolve), { once: true });
      location.hash = wanted;
    });
  }, hash);
}

/** All that is shown, but for the live region, as text; the order of attributes says nothing, so they are sorted. */
export const shown = (page) => page.evaluate(() => {
  const text = (node) => {
    if (node.nodeType !== Node.ELEMENT_NODE) return node.textContent;
    const attributes = [...node.attributes].map(({ name, value }) => ` ${name}="${value}"`).sort().join("");
    return `<${node.localName}${attributes}>${[...node.childNodes].map(text).join("")}</${node.localName}>`;
  };
  const parts = [".top", ".columns", ".controls"].map((part) => text(document.querySelector(part)));
  return `${parts.join("\n")}\n${document.querySelector("#slider").value}`;
});

/** Where two descriptions of a page part, in a few words. */
export function difference(a, b) {
  if (a === b) return null;
  let at = 0;
  while (a[at] === b[at]) at += 1;
  return `…${a.slice(Math.max(0, at - 120), at + 80)}… and …${b.slice(at, at + 80)}…`;
}

/** The trace that a page was made from, with its numbers decoded. */
export function readTrace(name) {
  const trace = JSON.parse(readFileSync(pageFile(name), "utf8"));
  const bytes = (place) => inflateSync(Buffer.from(trace.data[place], "base64"));
  const numbers = (place) => {
    const raw = bytes(place);
    return Float32Array.from({ length: raw.length / 4 }, (_, i) => raw.readFloatLE(4 * i));
  };
  const wide = (place) => {
    const raw = bytes(place);
    return Float64Array.from({ length: raw.length / 8 }, (_, i) => raw.readDoubleLE(8 * i));
  };
  return { ...trace, numbers, wide };
}

/** An entry of a blob, or undefined where the sample lacks it. */
export function entryOf(trace, blob, entry) {
  const axes = blob.indices ?? blob.shape.map((size) => Array.from({ length: size }, (_, i) => i));
  let offset = 0;
  for (let a = 0; a < entry.length; a++) {
    const place = axes[a].indexOf(entry[a]);
    if (place < 0) return undefined;
    offset = offset * axes[a].length + place;
  }
  return trace.numbers(blob.data)[offset];
}

export const selectedEntry = (page) => page.evaluate(() => document.querySelector("#entry-field")?.value.split(",").map(Number) ?? []);

/** Waits until a link or a key has led to step number k, as the page counts them. */
export async function arrives(page, k) {
  const there = (k) => document.getElementById("count").innerText.split(" ")[0] === String(k);
  await page.waitForFunction(there, k, { timeout: 30_000 }).catch(async () => {
    throw new Error(`step ${k} was not reached: the page is at ${await page.locator("#count").innerText()}`);
  });
}
