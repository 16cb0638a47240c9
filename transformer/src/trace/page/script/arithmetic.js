// The working of one entry, written out: lines, terms with a bar each, their sum, and the run's value beside it.

const FEW = 8; // terms that are shown at once; the others on demand

const termsSum = (terms) => terms.reduce((sum, { x }) => sum + x, 0);

/** Whether all numbers of a term are on the page. */
const isHere = ({ pieces }) => pieces.every((piece) => typeof piece === "string" || piece.x !== undefined);

/** Whether a sum of terms is the run's value, but for the f32 that the page's numbers are rounded to. */
function agrees({ terms, value }) {
  const size = terms.reduce((sum, { x }) => sum + Math.abs(x), 0);
  const sum = termsSum(terms);
  if (!Number.isFinite(value.x) || !Number.isFinite(sum)) return Object.is(value.x, sum) || (Number.isNaN(sum) && Number.isNaN(value.x));
  return Math.abs(sum - value.x) <= 1e-5 * Math.max(size, Math.abs(value.x)) + 1e-30;
}

/** Whether every number of the working is on the page; a sample lacks some. */
const isWhole = ({ terms, value }) => value.x !== undefined && terms.every(isHere);

/** The run's value, or the sum of all terms where only the value itself is not in the sample. */
const valueOrSum = ({ terms, value }) => (value.x === undefined && terms.length > 0 && terms.every(isHere) ? termsSum(terms) : value.x);

/** The entries of a node that the working uses, to be marked on its map. */
function entriesOf(working, node, of) {
  if (!working) return [];
  const pieces = [...working.terms, ...working.lines.flatMap((line) => line.terms ?? [])].flatMap((term) => term.pieces);
  return pieces.filter((piece) => piece.node === node && piece.of === of).map((piece) => piece.entry);
}

/** A number that links to the step that made it. */
function piece(part) {
  if (typeof part === "string") return h("span", { class: "sign" }, ` ${part} `);
  if (part.of === "constant") return number(part.x, { class: "constant" });
  if (part.x === undefined) return h("span", { class: "omitted", title: "this entry is not in the sample that the page holds" }, "omitted");
  const origin = originOf(part);
  const name = `${part.of === "cotangent" ? "∂L/∂" : ""}${nodeName(part.node)}[${part.entry.join(", ")}]`;
  const shown = number(part.x, { class: part.of });
  return origin ? link(origin, { class: "ref", "aria-label": `${format(part.x)}, which is ${name}: go to step ${origin.k + 1}` }, shown) : shown;
}

function termRow(term, most) {
  const share = most > 0 && Number.isFinite(term.x) ? Math.abs(term.x) / most : 0;
  const bar = h("span", { class: `bar ${term.x < 0 ? "negative" : "positive"}`, "aria-hidden": "true" });
  bar.style.setProperty("--share", String(share));
  return h(
    "tr",
    {},
    term.label ? h("th", { scope: "row", dir: "auto" }, term.label) : h("td"),
    h("td", { class: "pieces" }, term.pieces.map(piece)),
    h("td", { class: "bar-cell" }, bar),
    h("td", { class: "term" }, number(term.x)),
  );
}

/** Terms, the largest first; the small ones under a fold. */
function termTable(terms, caption) {
  const sorted = terms.length > FEW ? [...terms].sort((a, b) => Math.abs(b.x) - Math.abs(a.x)) : terms;
  const most = Math.max(...sorted.map(({ x }) => (Number.isFinite(x) ? Math.abs(x) : 0)));
  const table = h("table", { class: "terms" }, h("caption", { class: "visually-hidden" }, caption), h("tbody", {}, sorted.slice(0, FEW).map((term) => termRow(term, most))));
  const rest = sorted.slice(FEW);
  if (rest.length === 0) return table;
  const more = h("details", { class: "more-terms" }, h("summary", {}, `and ${rest.length} smaller terms, together `, number(termsSum(rest))));
  more.addEventListener("toggle", () => {
    if (more.open && more.childElementCount === 1) more.append(h("table", { class: "terms" }, h("tbody", {}, rest.map((term) => termRow(term, most)))));
  });
  return [table, more];
}

function workingLine(line) {
  const terms = line.terms ? h("details", { class: "more-terms" }, h("summary", {}, `its ${line.terms.length} terms`)) : null;
  terms?.addEventListener("toggle", () => {
    if (terms.open && terms.childElementCount === 1) terms.append(...[termTable(line.terms, line.name)].flat());
  });
  return h("div", { class: "line" }, h("span", { class: "line-name" }, line.name), " = ", line.pieces.map(piece), " = ", number(line.x), terms);
}

/** The whole working: name = terms = value. */
function arithmeticPanel(name, working) {
  if (!working) return h("p", { class: "note" }, "This op's working is not written out here; its numbers are on the maps.");
  const { lines, terms, note, value } = working;
  const parts = lines.map(workingLine);
  if (note) parts.push(h("p", { class: "note" }, note));
  const here = terms.filter(isHere);
  if (here.length > 0) parts.push(termTable(here, `The terms of ${name}`));
  return h("div", { class: "working" }, parts, verdictLine(name, working));
}

function verdictLine(name, working) {
  const { terms, value } = working;
  const result = h("span", { class: "result" }, h("span", { class: "line-name" }, name), " = ", number(value.x, { class: "run-value" }));
  if (!isWhole(working)) {
    const here = terms.filter(isHere);
    if (here.length === terms.length && terms.length > 0) {
      return h("p", { class: "verdict" }, h("span", { class: "line-name" }, name), " = ", number(termsSum(terms)), h("span", { class: "note" }, ` the sum of its ${terms.length} terms; the run's own value is not in the page's sample.`));
    }
    const rest = value.x === undefined ? undefined : value.x - termsSum(here);
    return h("p", { class: "verdict" }, result, h("span", { class: "note" }, ` The page holds ${here.length} of its ${terms.length} terms; the others, omitted from the sample, make up `, rest === undefined ? "the rest" : number(rest), "."));
  }
  if (agrees(working)) {
    const words = terms.length > 1 ? `the sum of its ${terms.length} terms` : "as worked out";
    return h("p", { class: "verdict agrees" }, result, h("span", { class: "tick" }, ` ✓ ${words}`));
  }
  return h("p", { class: "verdict disagrees" }, h("span", {}, "By this rule it is ", number(termsSum(terms)), ", but the run has "), result, h("strong", {}, " ✗ the run did something else here"));
}
