// The rule as a formula, with the sizes of this very step in it: <mtext>@k</mtext> becomes a number.

function sizesOf(node) {
  const { op, inputs, shape } = trace.nodes[node];
  const operands = inputs.map((input) => trace.nodes[input].shape);
  const sizes = { size: numel(shape) };
  if (op.startsWith("matmul")) {
    sizes.k = operands[0].at(op.includes("_ta") ? -2 : -1);
    sizes.m = shape.at(-2);
    sizes.n = shape.at(-1);
    sizes.rows = numel(shape.slice(0, -1));
  }
  if (["sum", "mean", "var", "max", "logsumexp"].includes(op)) sizes.n = numel(told(node).axes.map((axis) => operands[0][axis]));
  if (op === "softmax" || op === "log_softmax") sizes.n = shape[told(node).axis];
  if (op === "affine") Object.assign(sizes, { s: told(node).scale, t: told(node).shift });
  if (op === "slice") Object.assign(sizes, { start: told(node).start, end: told(node).end });
  if (op === "gather") sizes.n = numel(shape.slice(0, -1));
  return sizes;
}

let formulas = {}; // op → { forward, vjp }: MathML that was written with the page, never text of the run

const forwardFormula = (node) => formulas[trace.nodes[node].op]?.forward ?? ruleOf(node).forward;
const backwardFormula = (node, slot) => formulas[trace.nodes[node].op]?.vjp[slot] ?? ruleOf(node).vjp?.[slot];

function formula(markup, node) {
  if (!markup) return null;
  const holder = h("div", { class: "formula" });
  if (!markup.startsWith("<math")) return h("div", { class: "formula" }, h("code", {}, markup));
  const sizes = sizesOf(node);
  holder.innerHTML = markup.replace(/<mtext>@(\w+)<\/mtext>/g, (_, name) => `<mn>${sizes[name] ?? name}</mn>`);
  return holder;
}

/** "[b 1, n 24, d 64] × [d 64, 3d 192] → [b 1, n 24, 3d 192]" */
function signature(node, secret = false) {
  const { inputs } = trace.nodes[node];
  return h("p", { class: "signature" }, inputs.flatMap((input, i) => [i > 0 ? h("span", { class: "sign" }, " , ") : null, h("span", {}, shapeText(input))]), inputs.length > 0 ? h("span", { class: "sign" }, " → ") : null, h("strong", {}, secret ? "?" : shapeText(node)));
}
