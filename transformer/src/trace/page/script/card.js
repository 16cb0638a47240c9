// The card of a step: one sentence, the formula, the tensors, and the working of one entry.

/** The blobs that the card of a state needs. */
function blobsOf({ k, node }) {
  const step = trace.steps[k];
  const about = node ?? subject(k);
  const op = trace.nodes[step.node];
  const values = [step.node, ...op.inputs, about].map((each) => trace.nodes[each].value);
  const blobs = [...values, ...gradientBlobs(about, k), trace.nodes[step.node].gradient, trace.nodes[about].gradient];
  if (step.dir === "backward") blobs.push(deltaBlob(k), ...gradientBlobs(about, k - 1));
  if (step.dir === "update") blobs.push(step.m, step.v, step.before, step.after, step.gradient);
  if (node !== null) blobs.push(...into[about].map(deltaBlob), ...into[about].flatMap((each) => valuesAround(each)));
  if (isParameter(about)) blobs.push(...into[about].flatMap((each) => valuesAround(each)));
  blobs.push(checksOf.get(about)?.numbers);
  return blobs.filter(Boolean);
}

function valuesAround(k) {
  const step = trace.steps[k];
  if (step.dir !== "backward") return [];
  const op = trace.nodes[step.node];
  return [deltaBlob(k), op.value, op.gradient, ...op.inputs.map((input) => trace.nodes[input].value)];
}

function buildCard(shown) {
  const step = trace.steps[shown.k];
  if (shown.node !== null && shown.node !== subject(shown.k)) return nodeCard(shown);
  return { forward: forwardCard, seed: seedCard, backward: backwardCard, update: updateCard }[step.dir](shown);
}

function header(k, title, sentence, markup, node) {
  const step = trace.steps[k];
  const where = trace.nodes[step.node].scope;
  const other = twin(k);
  return h(
    "header",
    { class: `card-head ${step.dir}` },
    h("p", { class: "kicker" }, h("span", { class: "badge" }, step.dir), where && h("span", { class: "where" }, where), other !== k && link({ k: other }, { class: "twin" }, `${trace.steps[other].dir} twin: step ${other + 1}`)),
    h("h2", {}, title),
    h("p", { class: "sentence" }, sentence),
    formula(markup, node),
    faultPanel(step.node),
  );
}

const ruleOf = (node) => trace.rules[trace.nodes[node].op] ?? {};

function opTitle(node) {
  const { op, name, details } = trace.nodes[node];
  if (op === "leaf") return [h("span", { class: "op" }, name ? shortName(name) : "constant"), h("small", {}, ` %${node}`)];
  return [h("span", { class: "op" }, op), details && h("small", { class: "told" }, details), h("small", {}, ` %${node}`)];
}

function leafSentence(node) {
  const { name } = trace.nodes[node];
  if (name.endsWith("wte.weight")) return "A parameter: one row for each token of the vocabulary. " + (users[node].length > 1 ? "It is used twice, to read tokens and, transposed, to predict the next one." : "It is used to read tokens.");
  if (name.endsWith("wpe.weight")) return "A parameter: one row for each position in the text.";
  if (isParameter(node)) return "A parameter: the run has learned these numbers, and the walk back will say how each should change.";
  return "A constant: data that the loss is computed from, and that no gradient is wanted for.";
}

function forwardCard({ k, entry }) {
  const { node } = trace.steps[k];
  const { op, inputs } = trace.nodes[node];
  const found = tensor(trace.nodes[node].value);
  const chosen = entry ?? defaultEntry(found, (each) => forwardArithmetic(node, each), { lastRow: isAttention(node) });
  const working = op === "leaf" ? null : forwardArithmetic(node, chosen);
  const question = openQuestion(k);
  const secret = question && !question.shows;
  const mask = maskOf(node);
  const before = inputs.map((input, slot) => inputMap(input, `input ${inputs.length > 1 ? "ab"[slot] ?? slot : ""}`.trim(), entriesOf(working, input, "value"), mask && op === "softmax" ? mask : null));
  const result = secret
    ? unknown("output", question.kind === "shape" ? "?" : shapeText(node), "predict first")
    : heatmap({
      title: op === "leaf" ? nodeName(node) : "output", subtitle: shapeText(node), node, found, selected: chosen, selects: true,
      sequential: op === "softmax", mask: ["softmax", "masked_fill"].includes(op) ? mask : null,
      labels: isAttention(node), className: wide(found) ? "full" : "", onpick: pick(chosen),
    });
  return {
    node, entry: chosen,
    parts: [
      header(k, opTitle(node), op === "leaf" ? leafSentence(node) : ruleOf(node).sentence, forwardFormula(node), node),
      op === "leaf" ? null : signature(node, secret),
      question && questionPanel(question),
      mapsOf(before, op, "", result),
      secret ? null : h("section", { class: "panel" }, h("h3", {}, op === "leaf" ? "One of its numbers" : "How this entry was made"), entryForm(node, chosen), op === "leaf" ? leafEntry(node, chosen, k) : arithmeticPanel(entryName("y", chosen), working)),
      secret ? null : checksPanel(node, chosen, k),
    ],
  };
}

/** What goes in, the op, what comes out: one beside the other if there is room, else one above the other. */
function mapsOf(before, op, direction, after) {
  if (before.length === 0) return h("div", { class: "maps" }, after);
  const beside = before.length === 1 && ![...before, after].some((map) => map.classList.contains("full"));
  return h("div", { class: `maps ${beside ? "beside" : ""}`.trim() }, before, h("div", { class: `flow ${direction}`.trim(), "aria-hidden": "true" }, h("span", {}, op)), after);
}

function leafEntry(node, entry, k) {
  const x = tensor(trace.nodes[node].value).at(entry);
  const uses = users[node].map((user) => link({ k: forwardStep[user] }, { class: "chip" }, `%${user} ${trace.nodes[user].op}`));
  return [
    h("p", { class: "verdict" }, h("span", { class: "line-name" }, entryName(nodeName(node), entry)), " = ", number(x, { class: "run-value" })),
    h("p", { class: "note" }, uses.length === 1 ? "Used once: " : `Used ${uses.length} times: `, uses),
  ];
}

function seedCard({ k }) {
  const { node } = trace.steps[k];
  const loss = tensor(trace.nodes[node].value);
  const question = openQuestion(k);
  const secret = question && !question.shows;
  return {
    node, entry: [],
    parts: [
      header(k, [h("span", { class: "op" }, "∂L/∂L = 1"), h("small", {}, ` %${node}`)], "The walk back starts from the one number: if the loss grows by a little, the loss grows by just as much.", SEED_FORMULA, node),
      question && questionPanel(question),
      h("div", { class: "maps" },
        heatmap({ title: "the loss L", subtitle: "nats a token", node, found: loss, selected: [] }),
        secret ? unknown("its cotangent ∂L/∂L", "one number", "predict first") : heatmap({ title: "its cotangent ∂L/∂L", subtitle: "one number", node, found: tensor(trace.nodes[node].gradient), selected: [] })),
      secret ? null : h("p", { class: "panel note" }, "From here on every step hands a cotangent ∂L/∂(result) to the inputs of one op: incoming cotangent × local derivative. What several ops need is added up, contribution by contribution."),
    ],
  };
}

const SEED_FORMULA = "<math display=\"block\"><mover accent=\"true\"><mi>L</mi><mo>¯</mo></mover><mo>=</mo><mfrac><mrow><mi>∂</mi><mi>L</mi></mrow><mrow><mi>∂</mi><mi>L</mi></mrow></mfrac><mo>=</mo><mn>1</mn></math>";

/** Which of its inputs and output a vjp looks at besides the incoming cotangent. */
const looksAt = {
  mul: (slot) => [1 - slot], div: (slot) => (slot === 0 ? [1] : ["y", 1]), matmul: (slot) => [1 - slot], softmax: () => ["y"],
  log_softmax: () => ["y"], masked_fill: () => ["y"], var: () => [0], powi: () => [0], gelu: () => [0], gelu_erf: () => [0], silu: () => [0], relu: () => [0],
  abs: () => [0], ln: () => [0], sqrt: () => ["y"], exp: () => ["y"], tanh: () => ["y"], sigmoid: () => ["y"],
};

function backwardCard({ k, entry }) {
  const step = trace.steps[k];
  const { node, slot, to } = step;
  const op = trace.nodes[node];
  const delta = tensor(deltaBlob(k));
  const chosen = entry ?? defaultEntry(delta, (each) => backwardArithmetic(k, each), { lastRow: isAttention(to), node: to });
  const working = backwardArithmetic(k, chosen);
  const question = openQuestion(k);
  const secret = question && !question.shows;
  const mask = maskOf(node);
  const number_ = arrived(to, k);
  const of = into[to].length;
  const [before, after] = [arrived(to, k - 1) > 0 ? gradientAt(to, k - 1) : null, gradientAt(to, k)];
  const most = Math.max(delta.largest, before?.largest ?? 0, after.largest);
  const isSoftmax = op.op === "softmax";
  const dy = tensor(op.gradient);
  const incoming = heatmap({
    title: `∂L/∂y, what arrived at %${node}`, subtitle: shapeText(node), node, found: dy, related: entriesOf(working, node, "cotangent"),
    mask: isSoftmax || op.op === "masked_fill" ? mask : null, labels: isAttention(node), className: wide(dy) ? "full" : "", onpick: chase("cotangent", node),
  });
  const seen = (looksAt[op.op.startsWith("matmul") ? "matmul" : op.op]?.(slot) ?? []).map((which) =>
    which === "y"
      ? inputMap(node, isSoftmax && isAttention(node) ? "A, the weights" : "y, the op's output", entriesOf(working, node, "value"), isSoftmax ? mask : null)
      : inputMap(op.inputs[which], `${"ab"[which] ?? which}, its ${op.inputs.length > 1 ? "other " : ""}input`, entriesOf(working, op.inputs[which], "value"), null));
  const shared = { node: to, selected: chosen, selects: true, most, labels: isAttention(to), mask: isSoftmax || op.op === "masked_fill" ? mask : null, className: wide(delta) ? "full" : "", onpick: pick(chosen) };
  const contribution = secret ? unknown("contribution", question.kind === "shape" ? "?" : shapeText(to), "predict first") : heatmap({ ...shared, title: isSoftmax && isAttention(node) ? "contribution: ∂L/∂scores" : "contribution", subtitle: shapeText(to), found: delta });
  const gathered = of > 1 && !secret ? [
    before ? heatmap({ ...shared, title: "before", subtitle: `${number_ - 1} of ${of} contributions`, found: before }) : unknown("before", `0 of ${of} contributions`, "nothing has arrived yet"),
    heatmap({ ...shared, title: "after", subtitle: number_ === of ? "complete" : `${number_} of ${of} contributions`, found: after }),
  ] : [];
  return {
    node: to, entry: chosen,
    parts: [
      header(k, backwardTitle(step), backwardSentence(step, number_, of), backwardFormula(node, slot), node),
      question && questionPanel(question),
      mapsOf(isSoftmax ? [...seen, incoming] : [incoming, ...seen], `vjp of ${op.op}`, "back", contribution),
      isSoftmax && !secret ? rowSumBadge(k) : null,
      gathered.length > 0 ? h("div", { class: "maps adding" }, gathered) : null,
      secret ? null : h("section", { class: "panel" }, h("h3", {}, "How this entry's contribution was made"), entryForm(to, chosen), arithmeticPanel(entryName("contribution", chosen), working), accumulation(k, chosen, before, delta, after)),
      secret ? null : checksPanel(to, chosen, k),
      secret || !isParameter(to) ? null : tokensPanel(to, chosen, k),
      secret ? null : pathPanel(k, chosen),
    ],
  };
}

function backwardTitle({ node, slot, to }) {
  const { op, inputs } = trace.nodes[node];
  const which = inputs.length > 1 ? `, input ${"ab"[slot] ?? slot}` : "";
  return [h("span", { class: "op" }, op), h("small", {}, ` %${node} → `), h("span", { class: "target" }, trace.nodes[to].name ? shortName(trace.nodes[to].name) : `%${to} ${trace.nodes[to].op}`), h("small", {}, which)];
}

function backwardSentence({ node, accumulate }, count, of) {
  const rule = ruleOf(node);
  const share = of === 1 ? "This is the only contribution: the gradient is complete." : `This is contribution ${count} of ${of}${accumulate ? ": it is added to what is there" : ", the first"}${count === of ? "; now the gradient is complete." : "."}`;
  return `${rule.words ? `${rule.words} ` : ""}${share}`;
}

function accumulation(k, entry, before, delta, after) {
  const to = trace.steps[k].to;
  const x = [before?.at(entry), delta.at(entry), after.at(entry)];
  if (x[1] === undefined) return h("p", { class: "note" }, "This entry is not in the sample that the page holds.");
  return h("p", { class: "accumulation" },
    h("span", { class: "slot" }, h("small", {}, "before"), before ? number(x[0]) : h("span", { class: "nothing" }, "nothing yet")),
    h("span", { class: "sign" }, "+"),
    h("span", { class: "slot" }, h("small", {}, "contribution"), number(x[1])),
    h("span", { class: "sign" }, "="),
    h("span", { class: "slot after" }, h("small", {}, gradientComplete(to, k) ? "after: the gradient" : "after, so far"), number(x[2])));
}

/** Any node as it stands at a step: value, cotangent, and every contribution to it. */
function nodeCard({ k, node, entry }) {
  const value = tensor(trace.nodes[node].value);
  const gradient = gradientAt(node, k);
  const chosen = entry ?? defaultEntry(gradient ?? value, () => null, { node });
  const known = valueKnown(node, k);
  const steps = into[node].map((each) => link({ k: each, entry: chosen }, { class: "chip" }, `step ${each + 1}: `, each <= k ? number(tensor(deltaBlob(each))?.at(chosen) ?? NaN) : "not yet"));
  const shared = { node, selected: chosen, selects: true, labels: isAttention(node), className: wide(value) ? "full" : "", onpick: pick(chosen) };
  return {
    node, entry: chosen,
    parts: [
      h("header", { class: "card-head" }, h("p", { class: "kicker" }, h("span", { class: "badge" }, `at step ${k + 1}`), h("span", { class: "where" }, trace.nodes[node].scope), link({ k }, { class: "twin" }, "back to the step")), h("h2", {}, opTitle(node)), h("p", { class: "sentence" }, "Its value and its gradient as they stand at this step.")),
      h("div", { class: "maps" },
        known ? heatmap({ ...shared, title: "value", subtitle: shapeText(node), found: value }) : unknown("value", shapeText(node), "not yet computed"),
        gradient ? heatmap({ ...shared, title: gradientComplete(node, k) ? "gradient" : "gradient so far", subtitle: `${arrived(node, k)} of ${into[node].length} contributions`, found: gradient }) : unknown("gradient", shapeText(node), into[node].length === 0 ? "none is wanted" : "not yet computed")),
      h("section", { class: "panel" }, h("h3", {}, "The selected entry"), entryForm(node, chosen), h("p", { class: "verdict" }, h("span", { class: "line-name" }, entryName(shortName(nodeName(node)), chosen)), " = ", known ? number(value.at(chosen)) : "not yet computed"), h("p", { class: "note" }, `Contributions to its gradient: ${steps.length === 0 ? "none" : ""}`, steps)),
      checksPanel(node, chosen, k),
      isParameter(node) && gradient ? tokensPanel(node, chosen, k) : null,
    ],
  };
}

const entryName = (name, entry) => (entry.length === 0 ? name : `${name}[${entry.join(", ")}]`);

/** Selecting an entry of the step's own tensors. */
const pick = () => (entry, { keepFocus } = {}) => {
  refocus = keepFocus ?? null;
  go({ k: state.k, node: state.node, entry });
};

/** Following an entry to where it was made. */
const chase = (of, node) => (entry) => {
  const origin = originOf({ of, node, entry });
  if (origin) go(origin, { jump: true });
};

let refocus = null; // the title of the map that had the focus when its entry was moved by key

function inputMap(node, title, related, mask) {
  const found = tensor(trace.nodes[node].value);
  const { op, name } = trace.nodes[node];
  return heatmap({
    title: `${title}: ${name ? shortName(name) : `%${node} ${op}`}`, subtitle: shapeText(node), node, found, related, mask, labels: isAttention(node),
    sequential: op === "softmax", className: wide(found) ? "full" : "", onpick: chase("value", node),
  });
}

/** Whether a tensor needs the card's whole width. */
const wide = (found) => (found.indices.at(-1)?.length ?? 1) > 64 || numel(found.indices.slice(0, -2).map((axis) => axis.length)) > 1;
