// The lines of code behind a step: where the op was asked for, and the rule that ran.

function buildSource(k) {
  const step = trace.steps[k];
  const node = trace.nodes[step.node];
  const rule = trace.rules[node.op]?.source ?? {};
  const place = step.dir === "forward" ? rule.forward : rule.vjp;
  const blocks = [];
  if (step.dir === "update") {
    const { file, lines } = trace.update;
    blocks.push(excerpt("The update", file, lines.line, lines.end_line, 0));
  }
  if (node.call) blocks.push(excerpt(step.dir === "update" ? "The parameter" : "The call", node.call.file, node.call.line, node.call.line, 4));
  if (place && step.dir !== "seed") blocks.push(excerpt(step.dir === "forward" ? "The rule, forward" : "The rule, backward: the vjp", rule.file, place.line, place.end_line, 0));
  show($("source"), blocks);
}

/** The stored lines of a file that hold `line`. */
function stored(file, line) {
  return (trace.sources[file] ?? []).find(({ first_line, text }) => line >= first_line && line < first_line + text.split("\n").length);
}

function excerpt(title, file, from, to, around) {
  const source = stored(file, from);
  const head = h("h3", {}, title, h("code", { class: "place" }, `${file}:${from}`));
  if (!source) return h("section", { class: "excerpt" }, head, h("p", { class: "note" }, "These lines are not in the page."));
  const lines = source.text.split("\n");
  const first = Math.max(source.first_line, from - around);
  const last = Math.min(source.first_line + lines.length - 1, to + around);
  const shown = [];
  for (let number = first; number <= last; number++) {
    const here = around > 0 && number >= from && number <= to;
    shown.push(h("span", { class: `code-line ${here ? "here" : ""}`.trim() }, h("span", { class: "line-number" }, String(number)), coloured(lines[number - source.first_line])));
  }
  return h("section", { class: "excerpt" }, head, h("pre", {}, h("code", {}, shown)));
}

const RUST = /(\/\/.*$)|("(?:[^"\\]|\\.)*")|\b(fn|let|mut|pub|for|in|if|else|match|impl|self|Self|return|struct|use|move|where|true|false|as|const)\b|\b(\d[\d_.]*(?:e-?\d+)?)\b/g;

/** Rust, lightly coloured: comments, strings, keywords, numbers. */
function coloured(line) {
  const parts = [];
  let end = 0;
  for (const match of line.matchAll(RUST)) {
    parts.push(line.slice(end, match.index));
    const kind = match[1] ? "comment" : match[2] ? "string" : match[3] ? "keyword" : "literal";
    parts.push(h("span", { class: kind }, match[0]));
    end = match.index + match[0].length;
  }
  parts.push(line.slice(end));
  return parts;
}
