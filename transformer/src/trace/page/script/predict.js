// Predict first, then look. At marked steps the page asks; the run's own numbers judge.

let predictions = new Map(); // step → what was answered
let marked = null; // step → the kind of its question

/** The first op of each kind in each direction has a question, where there is a good one. */
function markQuestions() {
  marked = new Map();
  const seen = new Set();
  trace.steps.forEach((step, k) => {
    const { op } = trace.nodes[step.node];
    const kind = kindOf(step, op);
    const key = `${kind} ${step.dir} ${op} ${step.slot ?? ""}`;
    if (kind === null || seen.has(key)) return;
    seen.add(key);
    marked.set(k, kind);
  });
}

function kindOf(step, op) {
  if (step.dir === "seed") return "value";
  if (step.dir === "forward") return { matmul: "shape", matmul_tb: "shape", softmax: "larger", add: "value", affine: "value", gather: "shape" }[op] ?? null;
  if (step.dir === "backward") {
    if (step.accumulate && op === "add") return "value";
    return { log_softmax: "sign", softmax: "sign", neg: "sign", matmul: step.slot === 1 ? "shape" : "sign", gelu: "sign", mul: "sign" }[op] ?? null;
  }
  return step.dir === "update" ? "sign" : null;
}

/** The question of step k while it is to be answered first; null otherwise. */
function openQuestion(k) {
  if (!state.predict || !marked.has(k)) return null;
  return { ...questionAt(k), k, given: predictions.get(k), shows: predictions.has(k) };
}

/** Whether the sizes of a node would give the answer away. */
const hidesShape = (node) => state.predict && subject(state.k) === node && marked.get(state.k) === "shape" && !predictions.has(state.k);

function questionAt(k) {
  const step = trace.steps[k];
  const kind = marked.get(k);
  const node = subject(k);
  const found = step.dir === "backward" ? tensor(deltaBlob(k)) : step.dir === "seed" ? tensor(trace.nodes[node].gradient) : step.dir === "update" ? updated(k) : tensor(trace.nodes[node].value);
  const working = step.dir === "backward" ? (entry) => backwardArithmetic(k, entry) : step.dir === "forward" ? (entry) => forwardArithmetic(node, entry) : () => null;
  const entry = state.entry ?? defaultEntry(found, working);
  const what = step.dir === "backward" ? entryName("the contribution", entry) : step.dir === "update" ? entryName("the change", entry) : step.dir === "seed" ? "∂L/∂L" : entryName("y", entry);
  if (kind === "shape") return shapeQuestion(k, node, step);
  if (kind === "larger") return largerQuestion(found, node);
  if (kind === "sign") return { kind, ask: `Which sign has ${what}?`, choices: ["positive", "negative", "zero"], answer: found.at(entry) > 0 ? "positive" : found.at(entry) < 0 ? "negative" : "zero", x: found.at(entry) };
  const shown = working(entry)?.terms.flatMap((term) => [term.label ? `${term.label}: ` : "", ...term.pieces, "  "]) ?? [];
  return { kind, ask: `What is ${what}, within 10 %?`, given_numbers: shown, answer: found.at(entry), x: found.at(entry) };
}

function shapeQuestion(k, node, step) {
  const shape = trace.nodes[node].shape;
  const words = (sizes) => `[${sizes.join(", ")}]`;
  const operand = trace.nodes[trace.nodes[step.node].inputs[0]].shape;
  const wrong = [[...shape].reverse(), operand, [...operand.slice(0, -1), 1], shape.slice(0, -1), [...shape, 1]].map(words);
  const choices = [...new Set([words(shape), ...wrong])].slice(0, 4).sort();
  return { kind: "shape", ask: step.dir === "backward" ? "Which shape has the contribution?" : "Which shape comes out?", choices, answer: words(shape) };
}

function largerQuestion(found, node) {
  const row = found.entryAt(found.data.length - 1).map((i, a, all) => (a === all.length - 1 ? 0 : i));
  const values = found.indices.at(-1).map((i) => ({ entry: [...row.slice(0, -1), i], x: found.at([...row.slice(0, -1), i]) })).sort((a, b) => b.x - a.x);
  const [a, b] = [values[0], values[Math.floor(values.length / 2)]].sort((a, b) => a.entry.at(-1) - b.entry.at(-1));
  const name = (each) => label(node, each.entry, each.entry.map((_, axis) => axis));
  return { kind: "larger", ask: "Which of the two weights is larger?", choices: [name(a), name(b)], answer: name(a.x > b.x ? a : b), x: Math.max(a.x, b.x) };
}

function updated(k) {
  const [before, after] = [tensor(trace.steps[k].before), tensor(trace.steps[k].after)];
  return new Tensor(before.shape, before.sampled ? before.indices : null, before.data.map((x, i) => (after.at(before.entryAt(i)) ?? NaN) - x), null);
}

function isRight({ kind, answer }, given) {
  if (kind !== "value") return given === answer;
  const x = Number(given.replaceAll("−", "-").replace(",", "."));
  return given.trim() !== "" && Math.abs(x - answer) <= 0.1 * Math.abs(answer);
}

function questionPanel(question) {
  const { k, kind, ask, choices, given, given_numbers } = question;
  const answer = (value) => {
    predictions.set(k, value);
    render(state, { force: true });
    announce($("card").querySelector(".judgement")?.textContent ?? "");
  };
  if (question.shows) {
    const right = isRight(question, given);
    return h("section", { class: `question ${right ? "right" : "wrong"}` }, h("p", { class: "judgement" }, right ? "✓ Yes. " : "✗ Not so. ", `You said ${given}; `, kind === "value" || question.x !== undefined ? ["the run has ", number(question.x), kind === "value" ? "." : `: ${question.answer}.`] : `it is ${question.answer}.`));
  }
  const head = [h("p", { class: "ask" }, h("span", { class: "badge" }, "predict first"), ask), given_numbers?.length > 0 && given_numbers.length < 24 ? h("p", { class: "given" }, given_numbers.map(piece)) : null];
  if (kind !== "value") return h("section", { class: "question" }, head, h("div", { class: "choices" }, choices.map((choice) => h("button", { type: "button", onclick: () => answer(choice) }, choice))));
  const field = h("input", { id: "prediction", inputmode: "decimal", autocomplete: "off", size: 10 });
  return h("section", { class: "question" }, head, h("form", { class: "choices", onsubmit: (event) => {
    event.preventDefault();
    if (field.value.trim() !== "") answer(field.value);
  } }, h("label", { for: "prediction" }, "your value"), field, h("button", { type: "submit" }, "look")));
}
