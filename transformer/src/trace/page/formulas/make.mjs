// Writes formulas.json from tex.json: MathML, which browsers draw without any help. For those who change a formula:
//
//   npm install --no-save katex && node make.mjs
//
// <mtext>@k</mtext> in it is a size that the page fills in.

import { readFileSync, writeFileSync } from "node:fs";
import katex from "katex";

const here = (name) => new URL(name, import.meta.url);

function mathml(tex) {
  const marked = katex.renderToString(tex, { output: "mathml", displayMode: true, strict: false });
  return marked
    .replace(/^<span class="katex">|<\/span>$/g, "")
    .replace(/<annotation[^>]*>.*?<\/annotation>/s, "")
    .replace(/<semantics>(.*)<\/semantics>/s, "$1")
    .replaceAll("<mo>+</mo><mo>=</mo>", "<mo>+=</mo>")
    .replace(' xmlns="http://www.w3.org/1998/Math/MathML"', "");
}

const tex = JSON.parse(readFileSync(here("tex.json"), "utf8"));
const rules = Object.entries(tex).map(([op, { forward, vjp }]) => [op, { forward: mathml(forward), vjp: vjp.map(mathml) }]);
const lines = rules.map(([op, rule]) => `${JSON.stringify(op)}: ${JSON.stringify(rule)}`);
writeFileSync(here("formulas.json"), `{\n${lines.join(",\n")}\n}\n`);
